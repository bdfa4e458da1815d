"""The network between a store and its server, the kit's to cut."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from .address import Server, moved, servers_of
from .port import Port, reset

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 2**16


class Proxy:
    """Stands between a store and its server: a store that is opened on `place` talks through it.

    Refuses at first. What passes is forwarded as it is, and counted. Its methods may be called from
    any thread; none of them waits for a store.
    """

    def __init__(self, place: str) -> None:
        """Stand before the server of this place.

        Raises:
            NoAddressError: the place names no server that can be stood before.
        """
        self._servers = servers_of(place)
        self._port = Port(self._converse)
        self.place = moved(place, self._port.number)
        self.sent = 0
        """Bytes that came from the store."""
        self.received = 0
        """Bytes that came from the server."""

    @property
    def passed(self) -> int:
        """Bytes that came from either side."""
        return self.sent + self.received

    def forward(self) -> None:
        """Take connections and forward what is said on them."""
        self._port.open()

    def refuse(self) -> None:
        """Be a server that is away: connections are refused, and those that there are reset."""
        self._port.refuse()

    def close(self) -> None:
        """Cut every connection and give back the port; may be called again."""
        self._port.close()

    async def _converse(self, client: socket.socket) -> None:
        server = await _connected(self._servers)
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(_pump(client, server, self._count_sent))
                directions.create_task(_pump(server, client, self._count_received))
        except* OSError:
            reset(client)
        finally:
            server.close()

    def _count_sent(self, count: int) -> None:
        self.sent += count

    def _count_received(self, count: int) -> None:
        self.received += count


async def _pump(source: socket.socket, target: socket.socket, count: Callable[[int], None]) -> None:
    """Forward one direction until its end, which is passed on too."""
    loop = asyncio.get_running_loop()
    while chunk := await loop.sock_recv(source, CHUNK):
        count(len(chunk))
        await loop.sock_sendall(target, chunk)
    target.shutdown(socket.SHUT_WR)


async def _connected(servers: tuple[Server, ...]) -> socket.socket:
    """Connect to the first of the servers that answers."""
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
