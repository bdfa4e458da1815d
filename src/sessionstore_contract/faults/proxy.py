"""Stands between a store and its server: the network, the kit's to cut."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import TYPE_CHECKING

from ..address import moved, servers_of
from ..fault import Armed
from ..port import Port
from .conversation import Conversation
from .dialling import connected

if TYPE_CHECKING:
    from ..fault import Fault


class Proxy:
    """Stands between a store and its server: a store that is opened on `place` talks through it.

    Refuses at first. What passes is forwarded as it is, and counted, but for the faults that are
    armed. Its methods may be called from any thread; none of them waits for a store.
    """

    def __init__(self, place: str) -> None:
        """Stand before the server of this place.

        Raises:
            NoAddressError: the place names no server that can be stood before.
        """
        self._servers = servers_of(place)
        self._numbers = itertools.count(1)
        self._conversations: set[Conversation] = set()
        self._port = Port(self._converse)
        self.place = moved(place, self._port.number)
        self.sent = 0
        """Bytes that came from the store."""
        self.received = 0
        """Bytes that came from the server."""
        self.withheld = 0
        """Bytes of the server that have met with silence."""
        self._armed: tuple[Armed, ...] = ()
        self.may_speak = asyncio.Event()
        self.may_speak.set()

    @property
    def passed(self) -> int:
        """Bytes that came from either side."""
        return self.sent + self.received

    @property
    def armed(self) -> tuple[Armed, ...]:
        """The faults that lie in wait, and those that have happened."""
        return self._armed

    def forward(self) -> None:
        """Take connections and forward what is said on them, from either side."""
        self._port.run(self._speak())
        self._port.open()

    def refuse(self) -> None:
        """Be a server that is away: connections are refused, and those that there are reset."""
        self._port.refuse()

    def silence(self) -> None:
        """Be a server that has hung: connections are taken, and nothing is said on any of them."""
        self._port.run(self._fall_silent())
        self._port.open()

    def drop(self, *, by_reset: bool) -> int:
        """End every connection that there is, as a server does with idle ones, or by a reset.

        Answers how many there were.
        """
        return self._port.run(self._drop(by_reset=by_reset))

    def arm(self, fault: Fault) -> Armed:
        """Lay a fault in wait."""
        armed = Armed(fault)
        self._armed = (*self._armed, armed)
        return armed

    def disarm(self) -> None:
        """Forget every fault; what is held is let go."""
        faults, self._armed = self._armed, ()
        for armed in faults:
            armed.release()

    def numbers(self) -> list[int]:
        """Answer the ports by which a server on TCP knows the connections that it has not ended."""
        return [
            one.port_at_server
            for one in tuple(self._conversations)
            if one.port_at_server is not None and not one.is_ended_by_server
        ]

    def close(self) -> None:
        """Cut every connection and give back the port; may be called again."""
        self._port.close()

    async def connect(self) -> socket.socket:
        """Connect to the server, as the store would."""
        return await connected(self._servers)

    async def _converse(self, client: socket.socket) -> None:
        server = await self.connect()
        conversation = Conversation(next(self._numbers), client, server, self)
        self._conversations.add(conversation)
        try:
            await conversation.forward()
        finally:
            self._conversations.discard(conversation)

    async def _speak(self) -> None:
        self.may_speak.set()

    async def _fall_silent(self) -> None:
        self.may_speak.clear()

    async def _drop(self, *, by_reset: bool) -> int:
        dropped = tuple(self._conversations)
        for one in dropped:
            await one.drop(by_reset=by_reset)
        return len(dropped)
