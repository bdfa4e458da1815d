"""What stores leave behind: things of which there are more after every store that was closed."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ...subject import Subject

CYCLES = 3
"""Stores after the first, of which each has to have left something: one thing may be chance, or
be made once for all."""

LOOKS = 3
"""How often that has to be found. A pool of threads that all stores share grows to its size by and
by, as it happens to be used; it does not grow nine times."""

PATIENCE = 5.0
"""Seconds at the most for things to go away, where one call may take longer."""

QUIET = 3
"""Counts in a row in which nothing has gone away, before what there is counts as there to stay."""

PAUSE = 0.02
"""Seconds before it is counted again, while something has yet to go away; then ever longer."""


async def left_behind(store: Subject, cycle: Callable[[], Awaitable[None]]) -> dict[str, int]:
    """Answer of what at least one more is there after each cycle, and how many more in all.

    A server sees late that a connection was closed, and threads end after they were told to: so
    much time is given as one call may take.
    """
    patience = min(PATIENCE, store.stand.history.timeout)
    before = await _at_rest(store, patience)
    await cycle()
    # What the first store made for all of them stays, and is no leak.
    await _settled(store, before, least=1, patience=min(0.5, patience))
    found: dict[str, int] | None = None
    for _ in range(LOOKS):
        before = await _at_rest(store, patience)
        for _ in range(CYCLES):
            await cycle()
        grown = await _settled(store, before, least=CYCLES, patience=patience)
        found = {kind: n for kind, n in grown.items() if found is None or kind in found}
        if not found:
            break
    return found or {}


async def _at_rest(store: Subject, patience: float) -> dict[str, int]:
    """Count what is there once nothing goes away any more: that would hide what comes.

    A thread of an earlier store that the garbage collector has told to end ends when it is its
    turn, on a busy machine some milliseconds later.
    """
    gc.collect()
    deadline = asyncio.get_running_loop().time() + patience
    quiet, last = 1, dict(await store.stand.census())
    while quiet < QUIET and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(PAUSE)
        now = dict(await store.stand.census())
        has_gone = any(now.get(kind, 0) < count for kind, count in last.items())
        last, quiet = now, 1 if has_gone else quiet + 1
    return last


async def _settled(
    store: Subject, before: Mapping[str, int], *, least: int, patience: float
) -> dict[str, int]:
    """Wait until nothing has grown by so many, and answer what has when the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    pause = PAUSE
    while True:
        now = await store.stand.census()
        grown = {
            kind: now[kind] - count
            for kind, count in before.items()
            if kind in now and now[kind] - count >= least
        }
        if not grown or loop.time() > deadline:
            return grown
        gc.collect()  # what only a cycle of references keeps is given back in time
        await asyncio.sleep(pause)
        pause *= 1.5


def worded(grown: Mapping[str, int]) -> str:
    """Word what grew, as in 'a thread and a file'."""
    return " and ".join(f"a {kind}" for kind in sorted(grown))


def counted(grown: Mapping[str, int]) -> str:
    """Word what grew with its number."""
    return ", ".join(f"{count} more: {kind}" for kind, count in sorted(grown.items()))
