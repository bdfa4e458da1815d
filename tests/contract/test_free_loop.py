"""Who waits in the loop at each call is named, whatever else one of the calls has met with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sessionstore_contract import catalogue
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.elsewhere import NoStorage
from tests.mutants.concurrency import WaitsInTheLoopForReads
from tests.mutants.defect import backend

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

(CLAUSE,) = catalogue.select(["concurrency.event-loop-stays-free"])


class CollectsGarbageOnce(WaitsInTheLoopForReads):
    """Computes for long in one call of many, as any process does now and then."""

    loads = 0

    async def load(self, session_id: str) -> list[Json] | None:
        self.loads += 1
        if self.loads == 5:
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass
        return await super().load(session_id)


def test_one_call_that_computes_for_long_acquits_nobody() -> None:
    """What it computed is no measure of the others."""
    made, conditions = backend(CollectsGarbageOnce), Conditions(seed=1, effort=EFFORTS["quick"])
    found = try_clause(CLAUSE, made, NoStorage(), conditions)
    assert str(found.headline).startswith("load blocks the event loop")
