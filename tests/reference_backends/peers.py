"""Peers that misbehave on purpose: real sockets that answer bytes, or nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Peer:
    """Reads one request head a connection, then answers what `reply` makes of it, or waits."""

    def __init__(self, reply: Callable[[bytes], bytes | None]) -> None:
        self.url = ""
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self._reply = reply
        self._open: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection and end when the client is gone."""
        self._open.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            self.asked.set()
            answer = self._reply(head)
            if answer is None:
                await reader.read()  # silence, until the client hangs up
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            async with self._changed:
                self._open.discard(writer)
                self._changed.notify_all()

    async def is_left_alone(self) -> None:
        """Return when no client is connected any more; at the latest after 3 seconds raise."""
        async with asyncio.timeout(3), self._changed:
            await self._changed.wait_for(lambda: not self._open)


@asynccontextmanager
async def peer(reply: Callable[[bytes], bytes | None]) -> AsyncIterator[Peer]:
    """Serve a peer on a port of its own."""
    found = Peer(reply)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    found.url = f"http://{host}:{port}"
    try:
        yield found
    finally:
        server.close()
        for writer in tuple(found._open):
            writer.close()
        await found.is_left_alone()


def response(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Word a whole response; `headers` are lines that end in CR LF."""
    head = f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body
