"""One connection of a store and that to its server: what is said is forwarded, but for faults."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from ..fault import Armed, Deed
from ..port import reset
from . import http_exchange
from .place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..fault import Request

CHUNK = 2**16

OF_REQUESTS = frozenset({Deed.DROP, Deed.FORGE})
"""What is done to what the store says."""

RUBBISH = b"\x15\x03\x03\x00\x02\x02\x28"
"""What a server of TLS says to who does not speak it: no answer of HTTP, nor of a database."""

TRICKLING = 48
"""Bytes of an answer that come one by one."""

PAUSE = 0.0005
"""Seconds between two of them, so that they are read one by one."""


class Surroundings(Protocol):
    """What a conversation knows of the proxy."""

    may_speak: asyncio.Event
    """Cleared while the server says nothing."""
    sent: int
    received: int
    withheld: int

    @property
    def armed(self) -> Sequence[Armed]:
        """The faults that lie in wait, and those that have happened."""

    async def connect(self) -> socket.socket:
        """Connect to the server."""


class _OverError(Exception):
    """The conversation has come to its end by a fault."""


class Conversation:
    """Forwards both directions until one of them fails, or a fault ends it."""

    def __init__(
        self, number: int, client: socket.socket, server: socket.socket, proxy: Surroundings
    ) -> None:
        self.client = client
        self.server = server
        self._number = number
        self._proxy = proxy
        self._places: WeakKeyDictionary[Armed, Place] = WeakKeyDictionary()
        self._struck: list[Armed] = []
        self._dropped: asyncio.Future[type[Exception]] = asyncio.get_running_loop().create_future()
        self._is_over = asyncio.Event()
        self._is_one_ended = False
        self._is_asked = False
        """Whether the store has said something that the server has not answered."""
        at_server = server.getsockname() if server.family != socket.AF_UNIX else None
        self.port_at_server: int | None = at_server[1] if at_server else None
        """By which a server on TCP knows the connection."""
        self.is_ended_by_server = False
        """Whether the server will say nothing more."""

    async def forward(self) -> None:
        """Forward what is said, both ends included."""
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(self._from_store())
                directions.create_task(self._from_server())
                directions.create_task(self._until_dropped())
        except* _OverError:
            self.client.close()
        except* OSError:
            reset(self.client)
        finally:
            self.is_ended_by_server = True
            self.server.close()
            self._is_over.set()

    async def drop(self, *, by_reset: bool) -> None:
        """End the conversation, by an end of both sides or by a reset."""
        if not self._dropped.done():
            self._dropped.set_result(ConnectionResetError if by_reset else _OverError)
        await self._is_over.wait()

    async def _until_dropped(self) -> None:
        raise await self._dropped

    async def _from_store(self) -> None:
        loop = asyncio.get_running_loop()
        while chunk := await loop.sock_recv(self.client, CHUNK):
            self._proxy.sent += len(chunk)
            for armed in self._struck:
                armed.overhear(chunk)
            await loop.sock_sendall(self.server, await self._asked(chunk))
            self._is_asked = True
        self.server.shutdown(socket.SHUT_WR)
        self._end_one_direction()

    async def _asked(self, chunk: bytes) -> bytes:
        """Answer what is to be forwarded of a question, which may have grown."""
        request = await self._request(chunk)
        said = request.raw if request else chunk
        for armed in self._proxy.armed:
            is_about = self._place(armed).ask(said)
            if not armed.is_live or not is_about:
                continue
            if armed.fault.deed is Deed.DROP:
                armed.strike(f"a request on connection {self._number}")
                reset(self.client)
                raise _OverError
            if armed.fault.deed is Deed.FORGE and request:
                await self._forge(armed, request)
        return said

    async def _request(self, begun: bytes) -> Request | None:
        """Take a request of HTTP whole that begins here, where one may be answered by us."""
        is_wanted = any(one.is_live and one.fault.deed is Deed.FORGE for one in self._proxy.armed)
        if self._is_asked or not is_wanted:
            return None
        return await http_exchange.request_from(self.client, begun)

    async def _forge(self, armed: Armed, request: Request) -> None:
        """Answer a request in place of the server, unless it is to be left alone."""
        answers = []
        for _ in range(http_exchange.times_to_ask(armed.fault, request)):
            with await self._proxy.connect() as server:
                answers.append(await http_exchange.asked(server, request))
        given = http_exchange.made(armed.fault, request, answers)
        if given is not None:
            armed.strike(f"{request.method} on connection {self._number}")
        elif not answers:
            return
        await self._say(http_exchange.worded(given or answers[-1], request))
        self.client.shutdown(socket.SHUT_WR)
        # Not closed before the other side has: what it has not read yet would be taken back.
        await _drained(self.client)
        raise _OverError

    async def _from_server(self) -> None:
        loop = asyncio.get_running_loop()
        while chunk := await loop.sock_recv(self.server, CHUNK):
            self._proxy.received += len(chunk)
            self._is_asked = False
            if not self._proxy.may_speak.is_set():
                self._proxy.withheld += len(chunk)
                await self._proxy.may_speak.wait()
            await self._answered(chunk)
        self.is_ended_by_server = True
        self.client.shutdown(socket.SHUT_WR)
        self._end_one_direction()

    def _end_one_direction(self) -> None:
        if self._is_one_ended:
            raise _OverError
        self._is_one_ended = True

    async def _answered(self, chunk: bytes) -> None:
        """Pass on what the server says, as far as no fault strikes."""
        striking: tuple[Armed, int] | None = None
        for armed in self._proxy.armed:
            place = self._place(armed)
            cut = place.take(chunk)
            if armed.fault.deed is Deed.LISTEN and place.answer:
                armed.lengths[place.answer] = place.length
            if cut is not None and armed.is_live and armed.fault.deed not in OF_REQUESTS:
                striking = striking or (armed, cut)
        if striking is None:
            await self._say(chunk)
            return
        armed, cut = striking
        where = f"answer {armed.fault.answer} on connection {self._number}"
        armed.strike(f"{where}, but for {armed.fault.after} B," if armed.fault.after else where)
        self._struck.append(armed)
        await self._strike(armed, chunk[:cut], chunk[cut:])

    async def _strike(self, armed: Armed, before: bytes, after: bytes) -> None:
        await self._say(before)
        match armed.fault.deed:
            case Deed.LISTEN:
                await self._say(after)
            case Deed.HOLD:
                await _released(armed)
                await self._say(after)
            case Deed.RESET:
                raise ConnectionResetError
            case Deed.TRICKLE:
                await self._trickle(after)
            case Deed.END:
                await self._end()
            case Deed.RUBBISH:
                await self._say(RUBBISH)
                await self._end()

    async def _trickle(self, said: bytes) -> None:
        for byte in said[:TRICKLING]:
            await self._say(bytes([byte]))
            await asyncio.sleep(PAUSE)
        await self._say(said[TRICKLING:])

    async def _end(self) -> None:
        """End the server's half; what it says from now on is lost."""
        self.client.shutdown(socket.SHUT_WR)
        await _drained(self.server)

    async def _say(self, said: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.client, said)

    def _place(self, armed: Armed) -> Place:
        return self._places.setdefault(armed, Place(armed.fault))


async def _released(armed: Armed) -> None:
    loop = asyncio.get_running_loop()
    released = asyncio.Event()

    def go() -> None:
        with suppress(RuntimeError):  # the loop has ended, and everything with it
            loop.call_soon_threadsafe(released.set)

    armed.when_released(go)
    await released.wait()


async def _drained(source: socket.socket) -> None:
    while await asyncio.get_running_loop().sock_recv(source, CHUNK):
        pass
