"""Sessions whose last activity lies for certain before an instant, whatever the store's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from ...expect import NothingFound, Violation
from .beginning import make_sure
from .clock import OURS, by_its_own_clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...subject import Subject

GAPS = (0.04, 3.0)
"""Seconds between before and after. Stores that keep whole seconds are right only with the second;
the others are not made to wait for it: a store is accused by the long gap alone."""

SHORT = [{"role": "user", "content": "before"}]
LONG = [{"role": "user", "content": "before" * 25_000}]
"""More than 128 KiB, beside which a store may write in another way."""


async def in_a_later_instant(
    store: Subject, trial: Callable[..., Awaitable[None]], *, sessions: int = 1, long: int = 0
) -> None:
    """Run the trial with sessions that were last active before a cutoff, which lies before now.

    The trial takes the store, that many sessions (with a message and cost data) and the cutoff;
    the first ones, as many as are to be `long`, have a long message.
    """
    *short, longest = GAPS
    for gap in short:
        try:
            await _within(gap, store, trial, sessions, long, OURS)
        except (Violation, NothingFound):
            store.stand.history.restart()
        else:
            return
    await by_its_own_clock(store, partial(_within, longest, store, trial, sessions, long))


async def _within(  # noqa: PLR0917
    gap: float,
    store: Subject,
    trial: Callable[..., Awaitable[None]],
    sessions: int,
    long: int,
    ahead: timedelta,
) -> None:
    """Run the trial once, with so many seconds between before and after, by that clock."""
    before = [await store.create() for _ in range(sessions)]
    for number, session in enumerate(before):
        await store.save(session, LONG if number < long else SHORT)
        await store.update(session, cost_data={"before": 1})
        await make_sure(store.exists(session), answer=True)
    await asyncio.sleep(gap / 2)
    cutoff = datetime.now(UTC) + ahead
    await asyncio.sleep(gap / 2)
    await trial(store, *before, cutoff)
