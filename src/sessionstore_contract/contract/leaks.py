"""What stores leave behind: things of which there are more after every store that was closed."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..subject import Subject

CYCLES = 3
"""Stores after the first, of which each has to have left something: one thing may be chance, or
be made once for all."""

POLL = 0.02
"""Seconds between two looks, while something has yet to go away."""


async def left_behind(store: Subject, cycle: Callable[[], Awaitable[None]]) -> dict[str, int]:
    """Answer of what at least one more is there after each cycle, and how many more in all.

    A server sees late that a connection was closed, and threads end after they were told to: so
    much time is given as one call may take. What grew has to grow once more to be told.
    """
    before = await store.stand.census()
    await cycle()
    # What the first store made for all of them stays, and is no leak.
    await _settled(store, before, at_most=1, patience=min(0.5, store.stand.history.timeout))
    grown: dict[str, int] = {}
    for _ in range(2):
        before = await store.stand.census()
        for _ in range(CYCLES):
            await cycle()
        grown = await _settled(store, before, at_most=CYCLES, patience=store.stand.history.timeout)
        if not grown:
            break
    return grown


async def _settled(
    store: Subject, before: Mapping[str, int], *, at_most: int, patience: float
) -> dict[str, int]:
    """Wait until nothing has grown by so many, and answer what has when the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    is_swept = False
    while True:
        now = await store.stand.census()
        grown = {
            kind: now[kind] - count
            for kind, count in before.items()
            if kind in now and now[kind] - count >= at_most
        }
        if not grown or loop.time() > deadline:
            return grown
        if not is_swept:
            gc.collect()  # what only a cycle of references keeps is given back in time
            is_swept = True
        await asyncio.sleep(POLL)


def worded(grown: Mapping[str, int]) -> str:
    """Word what grew, as in 'a thread and a file'."""
    return " and ".join(f"a {kind}" for kind in sorted(grown))


def counted(grown: Mapping[str, int]) -> str:
    """Word what grew with its number."""
    return ", ".join(f"{count} more: {kind}" for kind, count in sorted(grown.items()))
