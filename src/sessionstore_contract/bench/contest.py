"""Two contenders doing the same by turns, so that what slows the machine slows both."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .figures import Spread, throughput_ratios
from .placement import on_one_processor
from .workload import Cell, calls, fill, history, sessions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from random import Random

    from .workload import Measured

MOST_CALLS = 500
"""Calls of one caller in one round, however fast they are."""


WARMING = 3
"""Calls of each caller that are not counted: connections are made, and statements prepared."""


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    operations: tuple[str, ...]
    sizes: tuple[int, ...]
    callers: tuple[int, ...]
    rounds: int
    seconds: float
    """How long one contender takes for one round, as near as whole calls come to it."""
    is_on_one_processor: bool = True
    """Whether one caller is measured so, with all threads of the process."""

    def cells(self) -> Iterator[Cell]:
        """Yield every cell."""
        for size in self.sizes:
            for callers in self.callers:
                for operation in self.operations:
                    yield Cell(operation, size, callers)


@dataclass(frozen=True)
class Figures:
    """Seconds for one call of each contender, and how their throughputs compare."""

    calls: int
    own: Spread
    rival: Spread
    ratio: Spread


@dataclass(frozen=True)
class Result:
    """What came of one cell: figures, or the reason why there are none."""

    cell: Cell
    figures: Figures | None
    reason: str | None = None


class Contest:
    """A store and its rival, each on a place of its own, with the same sessions in both."""

    def __init__(self, store: Measured, rival: Measured, random: Random) -> None:
        self._both = (store, rival)
        self._random = random
        self._filled: dict[int, int] = {}
        self._histories: dict[int, list[Any]] = {}

    async def measure(self, cell: Cell, extent: Extent) -> Result:
        """Measure one cell."""
        messages = await self._prepared(cell)
        one_call = [calls(store, cell.operation, messages) for store in self._both]
        is_on_one = extent.is_on_one_processor and cell.callers == 1
        with on_one_processor() if is_on_one else nullcontext():
            return await self._measured(cell, one_call, extent)

    async def _measured(
        self, cell: Cell, one_call: Sequence[Callable[[str, int], Awaitable[Any]]], extent: Extent
    ) -> Result:
        names = sessions(cell)
        first = []
        for call in one_call:
            try:
                await timed(call, names, WARMING)
                first.append(await timed(call, names, 1))
            except NotImplementedError as refused:
                return Result(cell, None, str(refused) or "not implemented")
        repeats = max(1, min(MOST_CALLS, int(extent.seconds / max(first))))
        times = await self._rounds(one_call, names, repeats, extent.rounds)
        count = repeats * cell.callers
        own, rival = ([took / count for took in taken] for taken in times)
        ratio = Spread.of(throughput_ratios(own, rival))
        return Result(cell, Figures(count, Spread.of(own), Spread.of(rival), ratio))

    async def _rounds(
        self,
        both: Sequence[Callable[[str, int], Awaitable[Any]]],
        names: list[str],
        repeats: int,
        rounds: int,
    ) -> tuple[list[float], list[float]]:
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            # Who comes first is drawn: it may find the processor warm, or a disk that is busy.
            for number in self._random.sample((0, 1), 2):
                times[number].append(await timed(both[number], names, repeats))
        return times

    async def _prepared(self, cell: Cell) -> list[Any]:
        """Make the sessions of the cell where they are missing, and answer their history."""
        if cell.messages not in self._histories:
            self._histories[cell.messages] = history(self._random, cell.messages)
        messages = self._histories[cell.messages]
        done = self._filled.get(cell.messages, 0)
        for name in sessions(cell)[done:]:
            for store in self._both:
                await fill(store, name, messages)
        self._filled[cell.messages] = max(done, cell.callers)
        return messages


async def timed(
    call: Callable[[str, int], Awaitable[Any]], names: Sequence[str], repeats: int
) -> float:
    """Answer the seconds in which a caller on each session makes so many calls in a row."""

    async def caller(name: str) -> None:
        for turn in range(repeats):
            await call(name, turn)

    began = time.perf_counter()
    if len(names) == 1:
        await caller(names[0])
    else:
        await asyncio.gather(*map(caller, names))
    return time.perf_counter() - began
