"""No clause of faults accuses a store that does it right, whatever its design."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.clause import Level
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.runs import provided
from sessionstore_contract.storage.selection import PostgresChoice
from sessionstore_contract.verdict import Verdict

from .mutants.defect import backend
from .mutants.networks import (
    CORRECT,
    BreakerStore,
    ConnectsForEachOperation,
    Remembering,
    RetryingStore,
)

if TYPE_CHECKING:
    from .mutants.platform_stores import PlatformStore

AT_ONCE = "concurrency.sessions-do-not-block-each-other"

QUICK = (RetryingStore, ConnectsForEachOperation, BreakerStore, Remembering)
"""The others do nothing that one of these, or a mutant with another defect, does not do."""

TRIED = [one for one in CLAUSES if one.area == "faults" or one.id == AT_ONCE]


@pytest.mark.parametrize(
    "store",
    [store if store in QUICK else pytest.param(store, marks=pytest.mark.soak) for store in CORRECT],
    ids=lambda store: store.__name__,
)
def test_a_correct_store_is_not_accused(store: type[PlatformStore]) -> None:
    """Retries, time-outs of its own, one connection or none, a breaker, a memory: all may be."""
    made = backend(store)
    conditions = Conditions(seed=1, effort=EFFORTS["quick"])
    with provided(made, PostgresChoice("embedded", "never used")) as storage:
        findings = [try_clause(clause, made, storage, conditions) for clause in TRIED]
    wrong = {
        one.clause.id: one.headline or one.reason
        for one in findings
        if one.verdict is not Verdict.HELD and one.clause.level is Level.MUST
    }
    assert wrong == {}
    assert Verdict.VIOLATED not in {one.verdict for one in findings}
