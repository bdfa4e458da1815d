"""A connection on which what the peer has said is heard, though it takes nothing more.

A server that does not read a body may answer, close, and so reset the connection. A stream of
asyncio that can't send, or is reset, forgets what has come before and was not read yet.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


class _Hearing(asyncio.StreamReaderProtocol):
    """Takes a reset for the end of what is said."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(None)


async def connect(
    host: str, port: int, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as `asyncio.open_connection` does.

    Raises:
        OSError: nobody is there.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, protocol = await loop.create_connection(
        lambda: _Hearing(reader), host, port, ssl=context
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def send(writer: asyncio.StreamWriter, content: bytes) -> None:
    """Send it, or as much of it as the peer takes."""
    with suppress(OSError):
        if writer.get_extra_info("sslcontext") is not None:
            writer.write(content)
            await writer.drain()
            return
        # Not by the transport, which would hear no more once it can't send.
        with _again(writer) as connection:
            await asyncio.get_running_loop().sock_sendall(connection, content)


def _again(writer: asyncio.StreamWriter) -> socket.socket:
    connection: socket.socket = writer.get_extra_info("socket").dup()
    connection.setblocking(False)
    return connection
