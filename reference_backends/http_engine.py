"""The HTTP store's requests by aiohttp: its parser is compiled, and each costs little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from yarl import URL

from reference_backends.http_answer import MAX_ANSWER_BYTES, Answer, taken

if TYPE_CHECKING:
    import ssl

CONNECTIONS: Final = 100

IDLE: Final = 3.0
"""Seconds that an idle connection is kept: less than servers do (uvicorn: 5), so that a request
seldom meets one that is being dropped."""

PIECE: Final = 2**18
"""Bytes of a body that are sent at once; between pieces others have their turn."""

READ_AHEAD: Final = 2**18
"""Bytes of an answer that are taken before the connection is told to wait."""

_NO_LIMIT: Final = aiohttp.ClientTimeout(total=None, sock_connect=None)


class ConnectError(Exception):
    """There was no connection to send the request on."""


class ReadError(Exception):
    """The connection ended before the answer did, or what came was no answer."""


async def _once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending again by itself what may have been received.

    A delete that is sent twice answers that there was nothing to delete.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise ReadError from None


class _Pieces:
    """A body in pieces that are not copied.

    Those of aiohttp itself are of 64 KiB, and copied: 2 ms more for 1.3 MB, of 11.5. No generator,
    which somebody would have to close when the request is given up.
    """

    def __init__(self, content: bytes) -> None:
        self._left = memoryview(content)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> memoryview:
        if not self._left:
            raise StopAsyncIteration
        piece, self._left = self._left[:PIECE], self._left[PIECE:]
        return piece


class AiohttpClient:
    """Connections of the event loop that it is made in.

    It follows no redirect, keeps no cookie, sends nothing twice and knows no proxy.
    """

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=context or True, limit=CONNECTIONS, keepalive_timeout=IDLE
            ),
            # A cookie would carry something from one call to the next.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_LIMIT,
            read_bufsize=READ_AHEAD,
            # It would unpack at once all that has come: a thousand times as much, perhaps.
            auto_decompress=False,
            middlewares=(_once,),
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None,
        headers: dict[str, str],
        most: int = MAX_ANSWER_BYTES,
        **_: Any,
    ) -> Answer:
        """Send one request and answer what came back, but for a body of more than `most` bytes.

        What httpx is told besides is so here.

        Raises:
            ConnectError: it was not sent.
            ReadError: it may have been received, and no whole answer came.
            DecodingError: an answer came that can't be unpacked.
        """
        data: bytes | _Pieces | None = content
        if content is not None and len(content) > PIECE:
            data, headers = _Pieces(content), {**headers, "content-length": str(len(content))}
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),  # an id may hold what would be tidied otherwise
                headers=headers,
                data=data,
                allow_redirects=False,
            ) as answer:
                # A connection that has a rest of it is closed by leaving it.
                return await taken(answer.status, answer.headers, answer.content.iter_any(), most)
        except aiohttp.ClientConnectorError:
            raise ConnectError from None
        except aiohttp.ClientError:
            raise ReadError from None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()

    forget = aclose
    """For when the loop is closed and the connections are gone with it: httpx could not do that."""
