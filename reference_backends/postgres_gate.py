"""How many connections of a pool are in use, and when another one is opened."""

from __future__ import annotations

import asyncio
from collections import deque

PATIENCE = 0.005
"""Seconds that somebody waits for a connection that is in use before another one is opened.

About what opening one takes, 4 to 7 ms as measured: whoever opens one sooner waits longer than for
a statement or two of the others, and costs the server ten times as much.
"""


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


class Gate:
    """Lets in as many as there are connections, and at times one more, to open another one.

    A burst of short uses shares what is open. Where somebody has been waiting for `patience`,
    whoever came last opens another connection, for that one would wait longest; one is opened at
    a time, and the others take what is given back meanwhile. Whatever is stuck, the pool grows to
    its size. From then on everybody is let in, to wait for what the pool has.
    """

    def __init__(self, most: int, patience: float = PATIENCE) -> None:
        self._most = most
        self._size = 1
        self._free = 1
        self._is_growing = False
        self._is_open = most <= 1
        self._waiting: deque[asyncio.Future[bool]] = deque()
        """Each is told whether it opens another connection."""
        self._waited = Stopwatch(patience)
        self._alarm: asyncio.TimerHandle | None = None
        # Of whoever waited first: to leave takes no running loop, which a forgotten task has not.
        self._loop: asyncio.AbstractEventLoop | None = None

    async def enter(self) -> bool:
        """Return when a connection is free, or is to be opened: True, and `grown` is due."""
        if self._is_open:
            return False
        if self._free:
            self._free -= 1
            return False
        loop = self._loop = self._loop or asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(turn)
        self._waited.start(loop.time())
        self._watch()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # It had its turn, and can't take it.
                self.leave(is_growing=turn.result())
            else:
                self._is_awaited()
            raise

    def grown(self) -> None:
        """Tell that the connection is open: the next one may be."""
        self._is_growing = False
        if self._loop is not None:
            self._waited.restart(self._loop.time())
        if self._size >= self._most:
            self._is_open = True
            while self._let_next_in():
                pass
        else:
            self._watch()

    def leave(self, *, is_growing: bool = False) -> None:
        """Let the next one in; `is_growing` where a connection was to be opened, and is not."""
        if self._is_open:
            return
        if is_growing:
            self._is_growing = False
            self._size -= 1
            self._watch()
        elif not self._let_next_in():
            self._free += 1

    def _watch(self) -> None:
        """See to it that somebody looks once there is no patience left."""
        if self._loop is None or self._is_growing or self._alarm is not None:
            return
        if self._is_awaited():
            self._alarm = self._loop.call_at(self._waited.end(), self._look, self._loop)

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
                turn.set_result(True)
                break
        self._is_awaited()

    def _is_awaited(self) -> bool:
        """Answer whether anybody waits; where not, no time of waiting goes by."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if not self._waiting and self._loop is not None:
            self._waited.stop(self._loop.time())
        return bool(self._waiting)

    def _let_next_in(self) -> bool:
        if not self._is_awaited():
            return False
        self._waiting.popleft().set_result(False)
        self._is_awaited()
        return True
