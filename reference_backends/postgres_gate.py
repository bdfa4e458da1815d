"""How many connections of a pool are in use, and when another one is opened."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from reference_backends.postgres_spares import Spares

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 0.005
"""Seconds that somebody waits for a connection that is in use before another one is opened.

About what opening one takes, 4 to 7 ms as measured: whoever opens one sooner waits longer than for
a statement or two of the others, and costs the server ten times as much.
"""

PAUSE = 1.0
"""Seconds that a server which lets nobody else in is not asked again."""


class Stopwatch:
    """How long somebody has been waiting, whoever it was.

    Who waits by turns waits all the time: a pause counts as one from `patience` on.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._before = 0.0
        self._since: float | None = None
        self._until = 0.0

    def start(self, now: float) -> None:
        """Tell that somebody waits; nothing new where somebody did already."""
        if self._since is None:
            if now - self._until >= self._patience:
                self._before = 0.0
            self._since = now

    def stop(self, now: float) -> None:
        """Tell that nobody waits any more."""
        if self._since is not None:
            self._before += now - self._since
            self._since, self._until = None, now

    def restart(self, now: float) -> None:
        """Begin anew with those who wait now."""
        self._before = 0.0
        if self._since is not None:
            self._since = now

    def end(self) -> float:
        """Answer when the patience of those who wait will be at its end."""
        if self._since is None:
            raise RuntimeError("nobody waits")
        return self._since + self._patience - self._before


class Admission(NamedTuple, Generic[T]):
    """With what somebody is let in."""

    is_growing: bool = False
    """Whether another connection is to be opened; `grown` is due when it is."""
    spare: T | None = None
    """A connection that somebody has left; None where the pool is to be asked for one."""


class Gate(Generic[T]):
    """Lets in as many as there are connections, and at times one more, to open another one.

    A burst of short uses shares what is open. Where somebody has been waiting for `patience`,
    whoever came last opens another connection, for that one would wait longest; one is opened at
    a time, and the others take what is left to them meanwhile. Whatever is stuck, the pool grows
    to its size.

    What is left here goes to whoever comes next; what nobody has taken for a while is given back to
    the pool by `give_back`.
    """

    def __init__(
        self, most: int, give_back: Callable[[T], object], patience: float = PATIENCE
    ) -> None:
        self._most = most
        self._size = 1
        self._free = 1
        self._is_growing = False
        self._waiting: deque[asyncio.Future[Admission[T]]] = deque()
        self._waited = Stopwatch(patience)
        self._alarm: asyncio.TimerHandle | None = None
        self._grows_from = 0.0
        self._spares = Spares(give_back)
        # Of whoever came first: to leave takes no running loop, which a forgotten task has not.
        self._loop: asyncio.AbstractEventLoop | None = None

    async def enter(self) -> Admission[T]:
        """Return when a connection is free, or is to be opened."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        if self._free:
            self._free -= 1
            return Admission(spare=self._spares.take())
        turn: asyncio.Future[Admission[T]] = loop.create_future()
        self._waiting.append(turn)
        self._waited.start(loop.time())
        self._watch()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # It had its turn, and can't take it.
                is_growing, spare = turn.result()
                self.leave(spare, is_growing=is_growing)
            else:
                self._is_awaited()
            raise

    def grown(self) -> None:
        """Tell that the connection is open: the next one may be."""
        self._is_growing = False
        if self._loop is not None:
            self._waited.restart(self._loop.time())
        self._watch()

    def leave(self, spare: T | None = None, *, is_growing: bool = False) -> None:
        """Let the next one in, with `spare` where it is of use to others.

        `is_growing` where a connection was to be opened, and is not.
        """
        if is_growing:
            self._is_growing = False
            self._size -= 1
            self._watch()
        elif not self._let_next_in(Admission(spare=spare)):
            self._free += 1
            if spare is not None:
                self._keep(spare)

    def stop_growing(self) -> None:
        """Leave where a connection was to be opened; for a while nobody else is asked to."""
        if self._loop is not None:
            self._grows_from = self._loop.time() + PAUSE
        self.leave(is_growing=True)

    def close(self) -> list[T]:
        """Answer what is left here, to be closed by the caller."""
        return self._spares.take_all()

    def _keep(self, spare: T) -> None:
        if self._loop is None:
            raise RuntimeError("nobody has come in")
        self._spares.keep(spare, self._loop)

    def _watch(self) -> None:
        """See to it that somebody looks once there is no patience left."""
        if self._loop is None or self._is_growing or self._alarm is not None:
            return
        if self._size < self._most and self._is_awaited():
            moment = max(self._waited.end(), self._grows_from)
            self._alarm = self._loop.call_at(moment, self._look, self._loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm = None
        if not self._is_awaited() or self._waited.end() > loop.time():
            self._watch()
            return
        while self._waiting:
            turn = self._waiting.pop()
            if not turn.done():
                self._is_growing = True
                self._size += 1
                turn.set_result(Admission(is_growing=True))
                break
        self._is_awaited()

    def _is_awaited(self) -> bool:
        """Answer whether anybody waits; where not, no time of waiting goes by."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if not self._waiting and self._loop is not None:
            self._waited.stop(self._loop.time())
        return bool(self._waiting)

    def _let_next_in(self, admission: Admission[T]) -> bool:
        if not self._is_awaited():
            return False
        self._waiting.popleft().set_result(admission)
        self._is_awaited()
        return True
