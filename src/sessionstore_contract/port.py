"""A port on 127.0.0.1 that is the kit's own: taking connections, or refusing them."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from .storage.service_loop import ServiceLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

HOST = "127.0.0.1"

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Port:
    """Refuses at first. Served on a thread of its own: a store may block its event loop.

    The number stays taken while the port refuses, so that nobody else can answer there.
    """

    def __init__(self, converse: Callable[[socket.socket], Coroutine[Any, Any, None]]) -> None:
        self._converse = converse
        self._services = ServiceLoop()
        # Bound and not listening: who connects is refused.
        self._reservation = bound(0)
        self.number: int = self._reservation.getsockname()[1]
        self._listener: socket.socket | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Take connections from now on."""
        self._services.run(self._open())

    def refuse(self) -> None:
        """Take no more connections, and reset those that there are."""
        self._services.run(self._refuse())

    def close(self) -> None:
        """Give the port back; may be called again."""
        self.refuse()
        self._services.close()
        self._reservation.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the thread that serves the port."""
        return self._services.run(work)

    async def _open(self) -> None:
        if self._listener is None:
            self._listener = bound(self.number)
            self._listener.listen(128)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    async def _refuse(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        conversations = tuple(self._conversations)
        for conversation in conversations:
            conversation.cancel()
        if conversations:
            await asyncio.wait(conversations)

    def _accept(self, listener: socket.socket) -> None:
        # Not awaited, and not by asyncio's server: cancelled at the wrong moment, either loses a
        # connection that it has accepted.
        try:
            client, _ = listener.accept()
        except OSError:
            return  # it has left already
        client.setblocking(False)
        # Small answers are passed on at once, as they would be without us.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = asyncio.get_running_loop().create_task(self._guarded(client))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)
        # Cancelled before it began, it has not closed anything.
        conversation.add_done_callback(lambda _: reset(client))

    async def _guarded(self, client: socket.socket) -> None:
        try:
            await self._converse(client)
        except OSError:
            reset(client)
        except BaseException:
            reset(client)
            raise
        finally:
            client.close()


def reset(connection: socket.socket) -> None:
    """Close so that the other side is told of a reset, not of an end."""
    if connection.fileno() >= 0 and connection.family == socket.AF_INET:
        with suppress(OSError):  # the other side has gone already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    connection.close()


def bound(number: int) -> socket.socket:
    """Answer a socket on a port of 127.0.0.1, which others of ours may have as well; 0 is any."""
    # The protocol is named: see `storage.platform.listener`.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Two of ours share the number: the reservation, and the one that listens for a while.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.setblocking(False)
    made.bind((HOST, number))
    return made
