"""The clock that a store dates activity by: its server's, perhaps, which need not be ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ...expect import NothingFound, Violation
from ...history import StepFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...subject import Subject

AGREE = timedelta(seconds=1)
"""Clocks that are no farther apart are taken for one."""

FARTHEST = timedelta(hours=36)
"""What is farther off is no clock that goes wrong."""

QUARTER = timedelta(minutes=15)
"""Zones are quarters of an hour apart, and clocks by chance."""

NEARLY = timedelta(seconds=3)
"""What is so near to a quarter of an hour is taken for the time of a zone."""

CLOSE = timedelta(milliseconds=5)
"""How closely it is measured how far ahead a clock is."""

OURS = timedelta(0)


async def by_its_own_clock(store: Subject, trial: Callable[[timedelta], Awaitable[None]]) -> None:
    """Run a trial by our clock, and where it is not held by the store's, if that is another.

    The trial takes what is to be added to our time. That the clock of a server goes wrong is no
    defect of the store on it; that a store takes the time of a zone for UTC is one.
    """
    try:
        await trial(OURS)
    except (Violation, NothingFound):
        shown = store.stand.history.steps[:]
        ahead = await _ahead(store)
        store.stand.history.steps[:] = shown
        if ahead is None:
            raise
        whole = timedelta(seconds=round(abs(ahead).total_seconds()))
        where = "ahead of" if ahead > OURS else "behind"
        store.stand.note(f"the clock of the store is {whole} {where} ours: cutoffs are by its own")
        store.stand.history.restart()
        await trial(ahead)


async def _ahead(store: Subject) -> timedelta | None:
    """Answer how far ahead of ours the store's clock is; None where it agrees, or shows nothing."""
    try:
        if await _is_between(store, -AGREE, AGREE) or not await _is_between(
            store, -FARTHEST, FARTHEST
        ):
            return None
        low, high = -FARTHEST, FARTHEST
        while high - low > CLOSE:
            middle = (low + high) / 2
            low, high = (low, middle) if await _removes(store, middle) else (middle, high)
    except StepFailed:
        return None
    return None if _is_of_a_zone(high) else high


def _is_of_a_zone(ahead: timedelta) -> bool:
    quarters = round(ahead / QUARTER)
    return quarters != 0 and abs(ahead - quarters * QUARTER) < NEARLY


async def _is_between(store: Subject, low: timedelta, high: timedelta) -> bool:
    return not await _removes(store, low) and await _removes(store, high)


async def _removes(store: Subject, later: timedelta) -> bool:
    """Answer whether a session of now is removed by a cutoff that is so much later."""
    store.stand.history.restart()
    session = await store.create()
    await store.delete_before(datetime.now(UTC) + later)
    return not await store.exists(session)
