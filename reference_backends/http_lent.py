"""A client that was lent to the HTTP store, asked with the token of a call and nothing beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


class LentClient:
    """Sends requests by a client of somebody else's, which may have credentials of its own.

    httpx would put its `auth` over the token of the call, its own header in the place of a token
    that the call has not, and a cookie that the answer to one call has set into the next one.
    """

    def __init__(self, client: httpx.AsyncClient, *, keeps_cookies: bool) -> None:
        self._client = client
        self._keeps_cookies = keeps_cookies

    async def request(
        self, method: str, url: str, *, headers: dict[str, str], follow_redirects: bool, **more: Any
    ) -> httpx.Response:
        """Send one request with these headers and answer what came back."""
        request = self._client.build_request(method, url, headers=headers, **more)
        if "authorization" not in headers:
            request.headers.pop("authorization", None)
        if not self._keeps_cookies:
            request.headers.pop("cookie", None)
        return await self._client.send(request, auth=None, follow_redirects=follow_redirects)
