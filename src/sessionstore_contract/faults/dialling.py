"""Connecting to the server of a place, by TCP or by its Unix socket."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..address import Server


async def connected(servers: tuple[Server, ...]) -> socket.socket:
    """Connect to the first of the servers that answers.

    Raises:
        OSError: none of them does.
    """
    failure = OSError("no server is named")
    for server in servers:
        try:
            return await _connect(server)
        except OSError as error:
            failure = error
    raise failure


async def _connect(server: Server) -> socket.socket:
    loop = asyncio.get_running_loop()
    if server.socket_path is not None:
        return await _dialled(socket.AF_UNIX, server.socket_path)
    found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    failure = OSError(f"{server.host} has no address")
    for family, _, _, _, address in found:
        try:
            return await _dialled(family, address)
        except OSError as error:
            failure = error
    raise failure


async def _dialled(family: int, address: str | tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if family != socket.AF_UNIX:
            # Small writes are passed on at once, as they would be without us.
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made
