"""What a long history costs: the operations that do not need it, memory, and the event loop."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contest import timed
from .figures import Spread
from .workload import calls, cost_data, fill, history

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from .workload import Measured

MEGABYTE = 2**20
SMALL = ("update", "get_cost_data")
"""What must not cost more because the history is long."""


@dataclass(frozen=True)
class LongHistory:
    """What was measured of one store with one long history."""

    megabytes: float
    slowdown: dict[str, Spread]
    """By operation: how many times as long it takes as on a session without messages."""
    peaks: dict[str, float]
    """By operation: the peak of the memory that it takes for the while, in sizes of the history."""
    stalls: dict[str, Spread]
    """By operation: milliseconds in which nothing else ran on the event loop, the longest."""
    busy: dict[str, Spread]
    """The same in processor time of the loop's thread, which other work on the machine leaves as
    it is; what another thread keeps the loop from is not in it."""
    growth_bytes: int | None
    """What the process grew by over many small operations; None where it can't be read."""
    growth_operations: int


async def measure(
    store: Measured, random: Random, *, megabytes: float, rounds: int, operations: int
) -> LongHistory:
    """Measure one store with a history of about so many megabytes, of messages of 1 KB."""
    messages = history(random, int(megabytes * 1000), characters=1000)
    size = len(json.dumps(messages))
    await fill(store, "long", messages)
    await fill(store, "empty", [])
    both: dict[str, Callable[[], Awaitable[Any]]] = {
        "save": lambda: store.save("long", messages),
        "load": lambda: store.load("long"),
    }
    stalls = {
        name: [await longest_stall(call()) for _ in range(rounds)] for name, call in both.items()
    }
    return LongHistory(
        size / MEGABYTE,
        {name: await _slowdown(store, name, rounds) for name in SMALL},
        {name: await _peak(call()) / size for name, call in both.items()},
        {name: Spread.of([wall * 1000 for wall, _ in found]) for name, found in stalls.items()},
        {name: Spread.of([busy * 1000 for _, busy in found]) for name, found in stalls.items()},
        await _growth(store, operations),
        operations,
    )


async def _slowdown(store: Measured, operation: str, rounds: int) -> Spread:
    call = calls(store, operation, [])
    ratios = []
    for _ in range(rounds):
        long = await timed(call, ["long"], 20)
        ratios.append(long / await timed(call, ["empty"], 20))
    return Spread.of(ratios)


async def _peak(call: Awaitable[Any]) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await call
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


async def longest_stall(call: Awaitable[Any]) -> tuple[float, float]:
    """Answer the longest for which another task of the loop was kept from its turn.

    In seconds, and in seconds that the loop's thread worked for in a row.
    """
    longest, busiest = 0.0, 0.0

    async def watch() -> None:
        nonlocal longest, busiest
        last, worked = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(0)
            now, working = time.perf_counter(), time.thread_time()
            longest, busiest = max(longest, now - last), max(busiest, working - worked)
            last, worked = now, working

    gc.collect()
    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        await call
        await asyncio.sleep(0)
    finally:
        watcher.cancel()
        await asyncio.wait({watcher})
    return longest, busiest


async def _growth(store: Measured, operations: int) -> int | None:
    await _small_operations(store, max(1, operations // 10))  # what is made once, and kept
    before = _resident()
    await _small_operations(store, operations)
    after = _resident()
    return None if before is None or after is None else after - before


async def _small_operations(store: Measured, operations: int) -> None:
    for turn in range(operations // 2):
        await store.update("empty", cost_data=cost_data(turn))
        await store.get_cost_data("empty")


def _resident() -> int | None:
    gc.collect()
    status = Path("/proc/self/statm")
    if not status.exists():
        return None
    import resource  # noqa: PLC0415 - not on every operating system

    return int(status.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
