"""HTTP spoken by the store itself, on connections of its own: a correct start for defects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from reference_backends.http_connection import Connection, Reply
from sessionstore_contract.interface import StoreClosedError, StoreUnavailableError

from .platform_stores import PlatformStore

if TYPE_CHECKING:
    pass

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

FAILURES = (OSError, EOFError, ValueError, TimeoutError)


class RawConnection(Connection):
    """Keeps the connections that nothing has happened on; gives up all when one was dead."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        parts = urlsplit(url)
        self._peer = parts.hostname or "", parts.port or 80
        self.idle: list[Streams] = []

    async def ask(self, method: str, path: str, body: bytes | None = None, **_: Any) -> Reply:
        if self._is_closed:
            raise StoreClosedError("the store was closed")
        content = body or b""
        head = f"{method} {path} HTTP/1.1\r\nhost: {self._peer[0]}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        try:
            async with asyncio.timeout(self._timeout):
                return await self.exchange(f"{method} {path}", head.encode() + content)
        except FAILURES as error:
            failure = StoreUnavailableError(type(error).__name__, is_retry_safe=False)
        self.after_failure()
        raise failure

    async def exchange(self, asked: str, request: bytes) -> Reply:
        """Say a request on a connection, and read the answer to its end."""
        streams = self.idle.pop() if self.idle else await asyncio.open_connection(*self._peer)
        try:
            streams[1].write(request)
            reply, is_kept = await self.read(asked, streams[0])
        except BaseException:
            self.spoilt(streams)
            raise
        if is_kept and not self._is_closed:
            self.idle.append(streams)
        else:
            streams[1].close()
        return reply

    async def read(self, asked: str, reader: asyncio.StreamReader) -> tuple[Reply, bool]:
        """Read an answer, and whether another one may follow it."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        reply = Reply(asked, self.status(lines[0]), body)
        return reply, headers.get("connection") != "close"

    def status(self, line: str) -> int:
        return int(line.split(" ")[1])

    def spoilt(self, streams: Streams) -> None:
        """Throw away a connection whose answer has not been read."""
        streams[1].transport.abort()

    def after_failure(self) -> None:
        """Throw the others away: where one is dead, they may be too."""
        while self.idle:
            self.idle.pop()[1].close()

    async def close(self) -> None:
        await super().close()
        self.after_failure()


class RawStore(PlatformStore):
    """Speaks HTTP by itself."""

    connection_kind: ClassVar[type[Connection]] = RawConnection
