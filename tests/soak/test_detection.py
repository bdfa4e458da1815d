"""A race is found every time: each mutant of one, with many seeds, at normal effort.

With `make soak SEEDS=3000` and no miss, one is missed less than once in a thousand runs: the bound
is 95 % sure when 3,000 of 3,000 are found (the rule of three).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import NORMAL
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Verdict

from ..mutants.defect import backend
from ..mutants.shared import can_be_shared, shared
from ..places import in_memory
from ..test_mutants import MUTANTS, storage_of, the_defect
from .test_soak import FIRST, SEEDS

if TYPE_CHECKING:
    from sessionstore_contract import Backend
    from sessionstore_contract.clause import Clause
    from sessionstore_contract.storage import Storage

RACING = ("cancellation", "concurrency", "failure")
COUNTING = "cancellation.leaks-nothing"
"""What is left behind is counted, and waited for: nothing is drawn there."""
BY_ID = {clause.id: clause for clause in CLAUSES}


def is_missed(clause: Clause, made: Backend, storage: Storage, seed: int) -> bool:
    finding = try_clause(clause, made, storage, Conditions(seed=seed, effort=NORMAL))
    return finding.verdict is not Verdict.VIOLATED


def missed(store: Any) -> list[int]:
    """Answer the seeds with which the clause that is meant for a mutant does not name it."""
    clause, made = BY_ID[the_defect(store).caught_by], backend(store)
    seeds = range(FIRST, FIRST + SEEDS)
    if clause.missing(made.capabilities) is not None and can_be_shared(store):
        behind_doors = shared(store)
        return [one for one in seeds if is_missed(clause, behind_doors, FileStorage(), one)]
    with storage_of(made) as storage:
        return [one for one in seeds if is_missed(clause, made, storage, one)]


@pytest.mark.soak
@pytest.mark.parametrize(
    "store",
    [
        one
        for one in MUTANTS
        if the_defect(one).caught_by.startswith(RACING) and the_defect(one).caught_by != COUNTING
    ],
    ids=lambda store: store.__name__,
)
def test_a_race_is_found_with_every_seed(store: Any) -> None:
    """Whatever the draw, and whichever call came first."""
    with in_memory():
        assert missed(store) == []
