"""No clause accuses a store of what it has to be told: its clock, its limits, how much at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from sessionstore_contract.contract import CLAUSES, cancellation
from sessionstore_contract.contract.procedures import activity
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, provided, try_clause
from sessionstore_contract.storage.selection import PostgresChoice
from sessionstore_contract.verdict import Finding, Verdict

from ..designs.variants import (
    FinishesLaterStore,
    FullStore,
    ImpatientStore,
    LimitedStore,
    OneConnectionStore,
    WrongClockStore,
)
from ..mutants.defect import backend
from ..places import in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_TIME = (
    "retention.goes-by-last-activity",
    "retention.compares-instants",
    "retention.naive-cutoff-never-means-local",
    "retention.survivors-are-whole",
    "cost.update-without-fields-writes-nothing",
)
BY_SIZE = (
    "messages.long-histories",
    "cost.many-keys-and-large-values",
    "durability.reopening-finds-everything",
    "growth.update-does-not-pay-for-messages",
)
AT_ONCE = ("concurrency.disjoint-updates-all-survive", "cancellation.leaves-the-store-usable")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Spare the long gap, which is for stores that keep whole seconds, and the disk."""
    monkeypatch.setattr(activity, "GAPS", (0.02,))
    with in_memory():
        yield


def tried(
    store: type[Any], clauses: tuple[str, ...], effort: str = "quick", timeout: float = 10.0
) -> list[Finding]:
    made = replace(backend(store), timeout=timeout)
    conditions = Conditions(seed=1, effort=EFFORTS[effort])
    wanted = [clause for clause in CLAUSES if clause.id in clauses]
    with provided(made, PostgresChoice("embedded", "")) as storage:
        return [try_clause(clause, made, storage, conditions) for clause in wanted]


class SecondsAhead(WrongClockStore):
    ahead: ClassVar[timedelta] = timedelta(seconds=4)


class HoursBehind(WrongClockStore):
    ahead: ClassVar[timedelta] = -timedelta(hours=11, minutes=5)


@pytest.mark.parametrize("store", [WrongClockStore, SecondsAhead, HoursBehind])
def test_the_clock_of_a_server_may_go_wrong(store: type[WrongClockStore]) -> None:
    """The store is judged by it, and how far off it is stands beside the verdict."""
    findings = tried(store, BY_TIME)
    assert {one.clause.id: one.verdict for one in findings} == dict.fromkeys(BY_TIME, Verdict.HELD)
    (told,) = [one.reason for one in findings if one.clause.id == BY_TIME[0]]
    assert "the clock of the store is" in str(told)


class AnHourAhead(WrongClockStore):
    ahead: ClassVar[timedelta] = timedelta(hours=1)


def test_the_time_of_a_zone_is_no_clock_that_goes_wrong() -> None:
    """It is an hour off to the second: a local time that is taken for UTC."""
    (finding,) = tried(AnHourAhead, BY_TIME[:1])
    assert finding.headline == "delete_before keeps idle sessions"


def test_what_is_longer_than_normal_asks_for_may_be_refused() -> None:
    """At a thorough effort as well: nothing is cut."""
    findings = tried(LimitedStore, BY_SIZE, "thorough")
    assert {one.clause.id: one.verdict for one in findings} == dict.fromkeys(BY_SIZE, Verdict.HELD)
    assert "save refuses a value of 5,000,000 characters or members" in str(findings[0].reason)


class TooLimited(LimitedStore):
    most: ClassVar[int] = 60_000


def test_what_quick_asks_for_is_not_refused() -> None:
    """A limit below 64 KiB is told, as MySQL's TEXT has it."""
    (finding,) = tried(TooLimited, BY_SIZE[:1])
    assert finding.headline is not None
    assert finding.headline.startswith("save raised UnstorableValueError")


def test_a_full_store_may_refuse() -> None:
    """More than are asked for at once by a clause that is about that."""
    findings = tried(FullStore, AT_ONCE)
    assert {one.clause.id: one.verdict for one in findings} == dict.fromkeys(AT_ONCE, Verdict.HELD)
    assert all("at once are too many for it" in str(one.reason) for one in findings)


class StuckAndFullStore(FullStore):
    """Refuses what is too much, and loses sight of one that was there before."""

    is_stuck: ClassVar[bool] = False

    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        if cost_data == {"key 3": 3} and not StuckAndFullStore.is_stuck:
            StuckAndFullStore.is_stuck = True
            await asyncio.sleep(3600)
        return await super().update(session_id, cost_data=cost_data)


def test_one_that_hangs_is_seen_beside_those_that_are_refused() -> None:
    """Nor is it taken for one that was acknowledged, and is gone."""
    (finding,) = tried(StuckAndFullStore, AT_ONCE[:1], timeout=1.0)
    assert finding.headline == "updates at once: update does not answer in time"


def test_the_last_of_many_may_take_longer_than_a_call() -> None:
    """As long as all of them take one after the other, with the store's one connection."""
    (finding,) = tried(OneConnectionStore, AT_ONCE[:1], timeout=1.5)
    assert (finding.verdict, finding.reason) == (Verdict.HELD, None)


@pytest.mark.parametrize("clause", [AT_ONCE[0], "opening.first-use-may-be-concurrent"])
def test_who_waits_for_his_turn_may_give_up(clause: str) -> None:
    """A bound for the wait is fair; that the store is slow is said, and is no violation."""
    (finding,) = tried(ImpatientStore, (clause,))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "the store is slow" in str(finding.reason)
    assert "open it with longer time-outs" in str(finding.reason)


class FartherStore(OneConnectionStore):
    seconds: ClassVar[float] = 0.05


def test_first_operations_at_once_do_not_hang_where_the_store_is_slow() -> None:
    """How slow it is nobody knew before them; nor are they left alone in what is tried later."""
    (finding,) = tried(FartherStore, ("opening.first-use-may-be-concurrent",), timeout=1.2)
    assert (finding.verdict, finding.hung) == (Verdict.INCONCLUSIVE, ())
    assert "Backend(timeout=...)" in str(finding.reason)


def test_a_slow_store_is_closed_while_many_calls_are_under_way() -> None:
    """None of them hangs, and nor does a close that waits for them."""
    (finding,) = tried(FartherStore, ("closing.is-bounded",), timeout=1.2)
    assert (finding.verdict, finding.reason) == (Verdict.HELD, None)


def test_what_is_done_while_one_looks_is_done_once_one_looks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long the first look takes: what falls into it is no half of an effect."""
    monkeypatch.setattr(cancellation, "SETTLED", 0)
    (finding,) = tried(FinishesLaterStore, ("cancellation.is-all-or-nothing",))
    assert finding.verdict is Verdict.HELD
