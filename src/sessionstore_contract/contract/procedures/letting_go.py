"""What stays in the process of a store when sessions are gone, and of ids that nobody has."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from ...capabilities import Capability
from ...expect import NothingFound, violated
from .many import in_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...history import Call
    from ...subject import Subject

LOTS = (200, 800, 1_500, 2_500)
"""Sessions, or ids, between two looks. A store that lets go is known by an early lot; by the last,
what has a bound of fewer than 2,500 is full."""

MOST_TIMERS = 1_000
"""Timers that may be waiting for their time, at most."""

SOME = 50
"""Sessions that are used together: a few groups at once."""

TRACE = 0.9
"""Pieces of memory for each session of a lot that are a trace of each. What is made once, and what
a cache with a bound drops again, are fewer."""

ACQUITTING = 2
"""Lots without traces that acquit. What the process lets go of meanwhile, of a thread that ends
late, may hide those of one."""

TOLD = 6
"""Kinds of objects that are named."""


async def _pieces() -> int:
    """Count the blocks of memory, of up to 512 bytes each, that Python has handed out."""
    await _drop_cancelled_timers()
    gc.collect()
    pieces = sys.getallocatedblocks()
    if not pieces:
        raise NothingFound("Python counts its memory with its own allocator alone")
    return pieces


def _kinds() -> Counter[type]:
    """Count the objects of each kind that can hold others."""
    return Counter(map(type, gc.get_objects()))


async def _drop_cancelled_timers() -> None:
    """Have the loop let go of timers that were cancelled, which it does once they are most of all.

    Drivers make one for each request, to bound it; hundreds of them may be waiting to be dropped.
    """
    loop = asyncio.get_running_loop()
    for timer in [loop.call_later(3600, int) for _ in range(MOST_TIMERS)]:
        timer.cancel()
    await asyncio.sleep(0)


async def expect_no_traces(
    store: Subject, use: Callable[[Subject, list[str]], Iterable[Iterable[Call[Any]]]], what: str
) -> None:
    """Demand that not each of thousands of ids, used in this way, leaves something behind."""
    store.stand.history.restart()
    clean = 0
    for number, lot in enumerate((*LOTS, LOTS[-1])):
        if number == len(LOTS) and not clean:
            break  # The one lot more is for a store that one lot has acquitted.
        # To count kinds takes memory, too.
        kinds = _kinds() if lot == LOTS[-1] else Counter[type]()
        more = await _left_by(store, use, lot)
        clean += more < TRACE * lot
        if clean == ACQUITTING:
            return
    kinds = _kinds() - kinds
    for calls in use(store, [store.unused_id("gone")]):
        await in_groups(calls)  # to be shown: so was each of them used
    _accuse(more, kinds, what)


async def _left_by(
    store: Subject, use: Callable[[Subject, list[str]], Iterable[Iterable[Call[Any]]]], lot: int
) -> int:
    """Use so many ids, and answer how many pieces of memory there are more then."""
    before = await _pieces()
    for _ in range(lot // SOME):
        ids = [store.unused_id("gone") for _ in range(SOME)]
        for calls in use(store, ids):
            for step in await in_groups(calls):
                step.require_answer()
        # The way here is long, and says nothing; and what it holds is not the store's.
        store.stand.history.restart()
        del step
    return await _pieces() - before


def _accuse(more: int, kinds: Counter[type], what: str) -> NoReturn:
    least = TRACE * LOTS[-1]
    named = {kind: count for kind, count in kinds.most_common(TOLD) if count >= least}
    if logging.LogRecord in named:
        raise NothingFound("somebody keeps each record that is logged")
    violated(
        f"something of each {what} stays in memory",
        demanded=f"fewer than {least:,.0f} pieces of memory more after {LOTS[-1]:,} of them",
        answered=", ".join(
            [f"{more:,} more", *(f"{count:,} {kind.__name__}" for kind, count in named.items())]
        ),
    )


def used_and_deleted(store: Subject, sessions: list[str]) -> Iterable[Iterable[Call[Any]]]:
    """Make sessions, use and delete them."""
    yield (store.save(one, [{"role": "user", "content": one}]) for one in sessions)
    yield (store.update(one, cost_data={"turns": 1}) for one in sessions)
    yield map(store.load, sessions)
    if store.can(Capability.COST_READ):
        yield map(store.get_cost_data, sessions)
    yield map(store.delete, sessions)


def asked_for(store: Subject, ids: list[str]) -> Iterable[Iterable[Call[Any]]]:
    """Ask for sessions that nobody has made."""
    yield map(store.load, ids)
    yield map(store.exists, ids)
    yield (store.update(one, cost_data={"turns": 1}) for one in ids)
    if store.can(Capability.COST_READ):
        yield map(store.get_cost_data, ids)
    yield map(store.delete, ids)
