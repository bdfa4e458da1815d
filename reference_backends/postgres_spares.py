"""Connections of a pool that somebody has left, for whoever comes next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

T = TypeVar("T")

IDLE = 1.0
"""Seconds after which a connection that nobody has taken is the pool's again.

Until then whoever comes takes it as it is: to give it back and to be given it again is a task, a
future and some 30 us, a third of what a statement costs the client.
"""


class Spares(Generic[T]):
    """What is left last is taken first; what nobody takes is given back by `give_back`."""

    def __init__(self, give_back: Callable[[T], object]) -> None:
        self._give_back = give_back
        self._kept: deque[tuple[float, T]] = deque()
        self._sweeping: asyncio.TimerHandle | None = None

    def keep(self, spare: T, loop: asyncio.AbstractEventLoop) -> None:
        """Keep one, of a pool that belongs to this loop."""
        self._kept.append((loop.time(), spare))
        if self._sweeping is None:
            self._sweeping = loop.call_later(IDLE, self._sweep, loop)

    def take(self) -> T | None:
        """Answer the one that was left last; None where there is none."""
        return self._kept.pop()[1] if self._kept else None

    def take_all(self) -> list[T]:
        """Answer what is left."""
        spares = [spare for _, spare in self._kept]
        self._kept.clear()
        return spares

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeping = None
        while self._kept and self._kept[0][0] <= loop.time() - IDLE:
            self._give_back(self._kept.popleft()[1])
        if self._kept:
            self._sweeping = loop.call_at(self._kept[0][0] + IDLE, self._sweep, loop)
