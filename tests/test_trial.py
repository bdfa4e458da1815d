"""The watcher's clocks: what counts as stuck, and since when."""

from __future__ import annotations

import asyncio
import time

from reference_backends.memory import MemorySessionStore
from sessionstore_contract import Backend
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.trial import GRACE, OpeningFailed, Trial

TIMEOUT = 10.0


def test_a_store_that_is_opened_late_has_time_of_its_own() -> None:
    """Opening is counted from its own beginning, however long the clause has run by then."""
    seen: list[Exception | None] = []

    def opener() -> MemorySessionStore:
        seen.append(trial.stuck())
        trial.phase_began -= 3 * TIMEOUT + GRACE + 1
        seen.append(trial.stuck())
        return MemorySessionStore()

    backend = Backend("late", open=opener, storage="none", profile="ephemeral", timeout=TIMEOUT)
    trial = Trial(
        CLAUSES[0], backend, None, effort=EFFORTS["normal"], seed=1, on_begin=lambda _: None
    )
    trial.phase, trial.phase_began = "procedure", time.monotonic() - 60
    asyncio.run(trial.open())

    assert seen[0] is None
    assert isinstance(seen[1], OpeningFailed)
    assert trial.phase == "procedure"
    assert time.monotonic() - trial.phase_began >= 60
