"""A first operation while another process writes: it is to wait as any later one does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import foreign_locks
from ...expect import violated
from ...tables import is_database_file
from .obstacles import FILE, aside

if TYPE_CHECKING:
    from ...history import Call
    from ...subject import Subject

HELD = 0.3
"""Seconds that the other process takes, at the most: a transaction on a slow disk."""

WHEN = "while another process is about to write"


async def expect_first_use_waits(store: Subject, what: str) -> None:
    """Demand it of a store of SQLite, whose switch to WAL does not wait where anything else does.

    `store` has used its place. Who waits for nobody at a later operation either, or as long at the
    first one, is left to others.
    """
    if not is_database_file(Path(store.place or "")):
        return
    async with aside(store) as folder:
        place = folder / FILE
        store.stand.history.restart()
        async with foreign_locks.about_to_write(place, HELD):
            began = time.monotonic()
            said = await _first_use(store, place)
            waited = time.monotonic() - began
        if said is None or 2 * waited >= await _waits_later(store, place):
            return
    violated(f"{what}: {said}", demanded="an answer, when the other is done", answered=said)


async def _first_use(store: Subject, place: Path) -> str | None:
    """Answer how a first operation failed."""
    opened = await store.stand.open_or_hear_why(str(place))
    if isinstance(opened, Exception):
        return str(opened)
    step = await opened.create().perform(is_expected=True)
    step.beside = WHEN
    await opened.close().perform(is_expected=False)
    return None if step.outcome == "answered" else f"create {step.answered()}"


async def _waits_later(store: Subject, place: Path) -> float:
    """Answer for how many seconds a later operation has waited, and was answered in the end."""
    used = await store.stand.open_or_hear_why(str(place))
    # One that has a lock of its own around all of it may refuse a file that the kit has made.
    if isinstance(used, Exception) or await _fails(used.create()):
        return 0.0
    async with foreign_locks.about_to_write(place, HELD):
        step = await used.create().perform(is_expected=False)
        step.beside = WHEN
    return float(step.waited) if step.outcome == "answered" else 0.0


async def _fails(call: Call[Any]) -> bool:
    step = await call.perform(is_expected=False)
    return step.outcome != "answered"
