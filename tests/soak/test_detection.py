"""A race is found at normal effort, but for once in a thousand runs at the most.

A run at normal effort is five rounds that are drawn independently of each other. So one round is
tried with many seeds, as few as are needed to be 95 % sure that five in a row find nothing less
than once in a thousand runs: eleven seeds when all of them find the defect, more when some do not.
What is cancelled at each await in turn is not drawn: there a whole run is tried, with as many seeds
as the soak has.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import NORMAL, Effort
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Verdict

from ..mutants.defect import backend
from ..mutants.shared import can_be_shared, shared
from ..places import in_memory
from ..test_mutants import MUTANTS, storage_of, the_defect
from .test_soak import FIRST, SEEDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

RACING = ("cancellation", "concurrency", "failure")
DRAWN = "concurrency"
COUNTING = "cancellation.leaks-nothing"
"""What is left behind is counted, and waited for: nothing is drawn there."""
BY_ID = {clause.id: clause for clause in CLAUSES}

TAKING_TURNS = {"concurrency.save-and-update-keep-both": 2}
"""Rounds in which a clause does in turn what one of them alone does not find."""
MISSED_AT_MOST = 0.001
DOUBT = 0.05
SINGLE = range(FIRST, FIRST + 400)
"""Whoever needs more is found in fewer than four of five rounds."""


def least_chance(found: int, tried: int) -> float:
    """Answer the chance of one trial to find it that `DOUBT` leaves at the least.

    By Clopper and Pearson: with a smaller one, as many would be found less often than that.
    """
    low, high = 0.0, 1.0
    for _ in range(40):
        chance = (low + high) / 2
        as_many = sum(
            math.comb(tried, count) * chance**count * (1 - chance) ** (tried - count)
            for count in range(found, tried + 1)
        )
        low, high = (chance, high) if as_many < DOUBT else (low, chance)
    return low


def test_eleven_of_eleven_are_enough() -> None:
    """And ten are not; of those that are found in nine of ten rounds some twenty more are tried."""
    bound = MISSED_AT_MOST ** (1 / NORMAL.rounds)
    assert 1 - least_chance(11, 11) < bound < 1 - least_chance(10, 10)
    assert 1 - least_chance(27, 30) < bound < 1 - least_chance(9, 10)
    assert least_chance(0, 100) == 0.0


def finding(store: Any, effort: Effort) -> Callable[[Iterable[int]], Iterator[bool]]:
    """Answer what tells of each seed whether the clause meant for a mutant names it."""
    clause, made = BY_ID[the_defect(store).caught_by], backend(store)

    def is_found(seeds: Iterable[int]) -> Iterator[bool]:
        if clause.missing(made.capabilities) is not None and can_be_shared(store):
            behind_doors = shared(store)
            for seed in seeds:
                found = try_clause(clause, behind_doors, FileStorage(), Conditions(seed, effort))
                yield _names(found)
            return
        with storage_of(made) as storage:
            for seed in seeds:
                yield _names(try_clause(clause, made, storage, Conditions(seed, effort)))

    return is_found


def _names(found: Any) -> bool:
    return bool(found.verdict is Verdict.VIOLATED)


def of(*areas: str) -> list[Any]:
    """List the mutants whose clause is in one of the areas."""
    return [
        one
        for one in MUTANTS
        if the_defect(one).caught_by.startswith(areas) and the_defect(one).caught_by != COUNTING
    ]


def name(store: Any) -> str:
    return str(store.__name__)


@pytest.mark.soak
@pytest.mark.parametrize("store", of(DRAWN), ids=name)
def test_a_race_is_missed_less_than_once_in_a_thousand_runs(
    store: Any, record_property: Callable[[str, object], None]
) -> None:
    """Whatever the draw, and whichever call came first."""
    rounds = TAKING_TURNS.get(the_defect(store).caught_by, 1)
    found, tried, missed = 0, 0, 1.0
    with in_memory():
        for is_found in finding(store, replace(NORMAL, rounds=rounds))(SINGLE):
            found, tried = found + is_found, tried + 1
            missed = (1 - least_chance(found, tried)) ** (NORMAL.rounds // rounds)
            if missed <= MISSED_AT_MOST:
                break
    record_property("soak-tried", tried)
    record_property("soak-found", found)
    assert missed <= MISSED_AT_MOST, f"{found} of {tried} with {rounds} rounds found it"


@pytest.mark.soak
@pytest.mark.parametrize("store", of(*(one for one in RACING if one != DRAWN)), ids=name)
def test_what_is_not_drawn_is_found_with_every_seed(store: Any) -> None:
    """At each await in turn: the seed decides nothing."""
    with in_memory():
        found = list(finding(store, NORMAL)(range(FIRST, FIRST + SEEDS)))
    assert all(found), [FIRST + place for place, one in enumerate(found) if not one]
