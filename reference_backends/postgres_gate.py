"""How many connections of a pool are in use, and when another one is opened."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

PATIENCE = 0.005
"""Seconds that somebody waits for a connection that is in use before another one is opened.

About what opening one takes, 4 to 7 ms as measured: whoever opens one sooner waits longer than for
a statement or two of the others, and costs the server ten times as much.
"""


class _Waiting(NamedTuple):
    since: float
    turn: asyncio.Future[bool]
    """Told whether it opens another connection."""


class Gate:
    """Lets in as many as there are connections, and at times one more, to open another one.

    A burst of short uses shares what is open. Once somebody has waited for `patience`, whoever
    came last opens another connection, for that one would wait longest; one is opened at a time,
    and the others take what is given back meanwhile. Whatever is stuck, the pool grows to its
    size. From then on everybody is let in, to wait for what the pool has.
    """

    def __init__(self, most: int, patience: float = PATIENCE) -> None:
        self._most = most
        self._patience = patience
        self._size = 1
        self._free = 1
        self._is_growing = False
        self._is_open = most <= 1
        self._waiting: deque[_Waiting] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    async def enter(self) -> bool:
        """Return when a connection is free, or is to be opened: True, and `grown` is due."""
        if self._is_open:
            return False
        if self._free:
            self._free -= 1
            return False
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(_Waiting(loop.time(), turn))
        self._watch(loop)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # It had its turn, and can't take it.
                self.leave(is_growing=turn.result())
            raise

    def grown(self) -> None:
        """Tell that the connection is open: the next one may be."""
        self._is_growing = False
        if self._size >= self._most:
            self._is_open = True
            while self._let_next_in():
                pass
        else:
            self._watch(asyncio.get_running_loop())

    def leave(self, *, is_growing: bool = False) -> None:
        """Let the next one in; `is_growing` where a connection was to be opened, and is not."""
        if self._is_open:
            return
        if is_growing:
            self._is_growing = False
            self._size -= 1
            self._watch(asyncio.get_running_loop())
        elif not self._let_next_in():
            self._free += 1

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """See to it that somebody looks once the first of those who wait has waited too long."""
        if self._is_growing or self._alarm is not None:
            return
        first = self._first()
        if first is not None:
            self._alarm = loop.call_at(first.since + self._patience, self._look, loop, first)

    def _look(self, loop: asyncio.AbstractEventLoop, first: _Waiting) -> None:
        self._alarm = None
        if self._first() is not first:
            self._watch(loop)
            return
        while self._waiting:
            turn = self._waiting.pop().turn
            if not turn.done():
                self._is_growing = True
                self._size += 1
                turn.set_result(True)
                return

    def _first(self) -> _Waiting | None:
        while self._waiting and self._waiting[0].turn.done():
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    def _let_next_in(self) -> bool:
        first = self._first()
        if first is None:
            return False
        self._waiting.popleft()
        first.turn.set_result(False)
        return True
