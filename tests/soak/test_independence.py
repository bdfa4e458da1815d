"""A verdict does not hang on the order, the zone, the clock, or what was left on the place.

Each is shown twice: the contract does not, and a clause made here that does is seen by the lane.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.clause import must
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.expect import expect
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.verdict import Verdict

from ..designs.hashes import HashStore
from ..designs.variants import WholeSecondsStore
from ..mutants.correct import DictStore, RowsStore
from ..mutants.defect import backend
from .lots import ZONES, Lot, Yard, accusations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sessionstore_contract.clause import Clause
    from sessionstore_contract.history import Step
    from sessionstore_contract.subject import Subject

USED = Lot(seed=1, zone="UTC", neighbours=0, is_on_used_place=True)
FRESH = replace(USED, is_on_used_place=False)
STORES = [HashStore, pytest.param(RowsStore, marks=pytest.mark.soak)]
TIMED = [clause for clause in CLAUSES if clause.area == "retention"]


def accused(yard: Yard, lot: Lot, clauses: Sequence[Clause] = CLAUSES) -> list[str]:
    return accusations(lot, yard.try_clauses(clauses, lot), yard.backend.name)


# the order, and what was left ---------------------------------------------------------------------


@must("test.needs-a-free-id", "Says what it needs.", because="It is a test.", remedy="None.")
async def needs_a_free_id(store: Subject) -> None:
    await expect(store.create("left")).to_succeed()


@must("test.needs-to-be-first", "Says what it needs.", because="It is a test.", remedy="None.")
async def needs_to_be_first(store: Subject) -> None:
    await expect(store.exists("left")).to_be(False)


@pytest.mark.slow
@pytest.mark.parametrize("store", STORES)
def test_a_clause_holds_again_on_the_place_that_it_has_used(store: type, tmp_path: Path) -> None:
    """Tried twice with one seed, nothing between: what the first left does not matter."""
    with Yard(backend(store), str(tmp_path)) as yard:
        for clause in CLAUSES:
            assert accused(yard, USED, [clause]) + accused(yard, USED, [clause]) == []


def test_what_was_left_is_seen(tmp_path: Path) -> None:
    """A clause with an id of its own is accused the second time, and not on fresh places."""
    with Yard(backend(HashStore), str(tmp_path)) as yard:
        assert accused(yard, USED, [needs_a_free_id]) == []
        assert "create raised SessionExistsError" in accused(yard, USED, [needs_a_free_id])[0]
        assert accused(yard, FRESH, [needs_a_free_id]) == []


@pytest.mark.slow
@pytest.mark.parametrize("store", STORES)
def test_the_contract_holds_backwards(store: type, tmp_path: Path) -> None:
    """No clause needs another before it."""
    with Yard(backend(store), str(tmp_path)) as yard:
        assert accused(yard, USED, CLAUSES[::-1]) == []


def test_an_order_that_matters_is_seen(tmp_path: Path) -> None:
    """Of two clauses of which one needs to be first, some order accuses it and some does not."""
    found = set()
    for seed in range(1, 20, 2):
        with Yard(backend(HashStore), str(tmp_path)) as yard:
            lot = replace(USED, seed=seed)
            drawn = lot.order([needs_a_free_id, needs_to_be_first])
            found.add(bool(accused(yard, lot, drawn)))
    assert found == {True, False}


# a run that was stopped ---------------------------------------------------------------------------


class StoppedError(Exception):
    """The run is over, in the middle of a clause."""


def stopping_at(number: int, *, said: str = "") -> Conditions:
    """Stop before a call: the one of that number, or the first whose words contain this."""

    def on_begin(step: Step) -> None:
        if said in step.call() if said else step.number == number:
            raise StoppedError

    return Conditions(1, EFFORTS["quick"], on_begin=on_begin)


@pytest.mark.slow
def test_a_run_that_was_stopped_leaves_nothing_that_matters(tmp_path: Path) -> None:
    """The same clause with the same seed holds on the place of the run that was stopped."""
    with Yard(backend(HashStore), str(tmp_path)) as yard:
        for clause in (one for one in CLAUSES if one.old_place is None):
            for number in (2, 5, 11):
                try_clause(clause, yard.backend, yard.used, stopping_at(number))
            assert accused(yard, USED, [clause]) == []


@pytest.mark.parametrize("operation", ["load('..')", "delete('/')", "exists(' ')", "load('*')"])
def test_ids_that_are_the_same_in_each_run_may_be_taken(operation: str, tmp_path: Path) -> None:
    """A run that was stopped after it had made a session under one leaves it there."""
    chosen = [one for one in CLAUSES if one.area in {"identifiers", "isolation"}]
    stopped = 0
    with Yard(backend(HashStore), str(tmp_path)) as yard:
        for clause in chosen:
            conditions = stopping_at(0, said=operation)
            finding = try_clause(clause, yard.backend, yard.used, conditions)
            stopped += finding.verdict is Verdict.FAULTED
        assert stopped
        assert accused(yard, USED, chosen) == []


# the zone -----------------------------------------------------------------------------------------


@must("test.takes-local-for-utc", "Is wrong.", because="It is a test.", remedy="None.")
async def takes_local_for_utc(store: Subject) -> None:
    session = await store.create()
    cutoff = datetime.now().replace(tzinfo=UTC) - timedelta(hours=1)  # noqa: DTZ005
    await store.delete_before(cutoff)
    await expect(store.exists(session)).to_be(True)


@pytest.mark.parametrize("zone", ZONES)
def test_the_contract_holds_in_every_zone(zone: str, tmp_path: Path) -> None:
    """Of all that is about time, nothing goes by the process's TZ."""
    with Yard(backend(RowsStore), str(tmp_path)) as yard:
        assert accused(yard, replace(USED, zone=zone), TIMED) == []


def test_a_zone_that_matters_is_seen(tmp_path: Path) -> None:
    """A clause that takes local time for UTC accuses in the Pacific alone."""
    with Yard(backend(RowsStore), str(tmp_path)) as yard:
        assert accused(yard, USED, [takes_local_for_utc]) == []
        there = replace(USED, zone="Pacific/Kiritimati")
        assert "exists answers False" in accused(yard, there, [takes_local_for_utc])[0]


# the clock ----------------------------------------------------------------------------------------


@must("test.needs-a-fine-clock", "Is wrong.", because="It is a test.", remedy="None.")
async def needs_a_fine_clock(store: Subject) -> None:
    # Again and again: a second that ends between the cutoff and the save acquits one of them.
    for _ in range(20):
        session = await store.create()
        cutoff = datetime.now(UTC)
        await store.save(session, [])
        await store.delete_before(cutoff)
        await expect(store.exists(session)).to_be(True)


@pytest.mark.slow
def test_the_contract_holds_with_a_clock_of_whole_seconds(tmp_path: Path) -> None:
    """Of all that is about time, nothing needs a finer one."""
    with Yard(backend(WholeSecondsStore), str(tmp_path)) as yard:
        assert accused(yard, USED, TIMED) == []


class WholeSecondsAsWritten(RowsStore):
    """Keeps whole seconds, and compares cutoffs as they are given."""

    def now(self) -> float:
        return float(int(super().now()))


def test_a_resolution_that_matters_is_seen(tmp_path: Path) -> None:
    """A clause that lets no time pass accuses the store with the coarse clock alone."""
    with Yard(backend(DictStore), str(tmp_path)) as yard:
        assert accused(yard, FRESH, [needs_a_fine_clock]) == []
    with Yard(backend(WholeSecondsAsWritten), str(tmp_path)) as yard:
        assert "exists answers False" in accused(yard, USED, [needs_a_fine_clock])[0]
