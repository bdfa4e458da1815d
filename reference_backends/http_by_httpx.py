"""The HTTP store's requests by httpx: where aiohttp is missing, and where a client was lent."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from reference_backends.http_answer import MAX_ANSWER_BYTES, Answer, kept, taken

if TYPE_CHECKING:
    import ssl

    import httpx


class HttpxClient:
    """Sends requests by a client of httpx, with all that this has of its own."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        most: int = MAX_ANSWER_BYTES,
        follow_redirects: bool,
        **more: Any,
    ) -> Answer:
        """Send one request and answer what came back, but for a body of more than `most` bytes."""
        request = self._client.build_request(method, url, headers=headers, **more)
        response = await self._sent(request, headers, follow_redirects=follow_redirects)
        try:
            if response.is_stream_consumed:  # by a hook of the client, or a transport that had it
                return kept(response.status_code, response.content, most)
            return await taken(response.status_code, response.headers, response.aiter_raw(), most)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _sent(
        self, request: httpx.Request, _: dict[str, str], *, follow_redirects: bool
    ) -> httpx.Response:
        return await self._client.send(request, stream=True, follow_redirects=follow_redirects)


class LentClient(HttpxClient):
    """Sends requests by a client of somebody else's, with the token of a call and nothing beside.

    httpx would put its `auth` over the token of the call, its own header in the place of a token
    that the call has not, and a cookie that the answer to one call has set into the next one.
    """

    def __init__(self, client: httpx.AsyncClient, *, keeps_cookies: bool) -> None:
        super().__init__(client)
        self._keeps_cookies = keeps_cookies

    async def _sent(
        self, request: httpx.Request, headers: dict[str, str], *, follow_redirects: bool
    ) -> httpx.Response:
        if "authorization" not in headers:
            request.headers.pop("authorization", None)
        if not self._keeps_cookies:
            request.headers.pop("cookie", None)
        return await self._client.send(
            request, stream=True, auth=None, follow_redirects=follow_redirects
        )


def new_client(transport: httpx.AsyncBaseTransport | None, context: ssl.SSLContext) -> HttpxClient:
    """Make a client that goes by this transport, if there is one, and keeps nothing of a call."""
    import httpx  # noqa: PLC0415

    return HttpxClient(
        httpx.AsyncClient(
            transport=transport,
            verify=context,
            # The address is the one that was given: a proxy takes a client or a transport of yours.
            trust_env=False,
            # A cookie would carry something from one call to the next.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            # As in `http_engine`.
            limits=httpx.Limits(
                max_connections=100, max_keepalive_connections=20, keepalive_expiry=3.0
            ),
        )
    )
