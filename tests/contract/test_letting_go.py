"""What is kept with a bound, or not by the store, is no memory that each session takes."""

from __future__ import annotations

import asyncio
import logging
import sys
import weakref
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakValueDictionary

import pytest

from sessionstore_contract import catalogue
from sessionstore_contract.contract.procedures import letting_go
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Finding, Verdict
from tests.mutants.correct import DictStore
from tests.mutants.defect import backend
from tests.mutants.growth import (
    KeepsALockForEachSession,
    KeepsTheTasksThatSaved,
    RemembersWhoWasAskedFor,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json

(CLAUSE,) = catalogue.select(["growth.gone-sessions-take-no-memory"])


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a tenth of the sessions: with all of them each mutant is tried."""
    monkeypatch.setattr(letting_go, "LOTS", (50, 150, 250, 350))


def find(store: Any) -> Finding:
    effort = replace(EFFORTS["quick"], name="thorough")
    return try_clause(CLAUSE, backend(store), FileStorage(), Conditions(seed=1, effort=effort))


class LocksWhileTheyAreHeld(DictStore):
    """Has a lock for each session that somebody updates, and no other."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        async with self.locks.setdefault(session_id, asyncio.Lock()):
            return await super().update(session_id, cost_data=cost_data)


class RemembersTheLatest(DictStore):
    """Remembers the four hundred ids that were asked for last, whether they are there or not."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.latest: OrderedDict[str, float] = OrderedDict()

    async def exists(self, session_id: str) -> bool:
        self.latest[session_id] = len(self.latest) / 3
        if len(self.latest) > 400:
            self.latest.popitem(last=False)
        return await super().exists(session_id)

    async def load(self, session_id: str) -> list[Json] | None:
        await self.exists(session_id)
        return await super().load(session_id)


@pytest.mark.parametrize("store", [DictStore, LocksWhileTheyAreHeld, RemembersTheLatest])
def test_a_store_that_lets_go_is_not_accused(store: Any) -> None:
    """Nor one that keeps as much as it has a bound for."""
    found = find(store)
    assert (found.verdict, found.headline) == (Verdict.HELD, None)


def test_it_is_said_what_stays() -> None:
    """The kinds of objects, and how a session was used that left them."""
    found = find(KeepsTheTasksThatSaved)
    assert found.verdict is Verdict.VIOLATED
    assert "350 Task" in str(found.answered)
    assert [line.split("(")[0] for line in found.witness] == [
        "save",
        "update",
        "load",
        "get_cost_data",
        "delete",
    ]


class Logging(DictStore):
    """Tells of each session that it saves."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        logging.getLogger("mystore").warning("saving %s", session_id)
        await super().save(session_id, messages)


class Keeping(logging.Handler):
    """Keeps all that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[None]:
    """Keep all that the store logs."""
    logger, handler = logging.getLogger("mystore"), Keeping()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


@pytest.mark.usefixtures("kept")
def test_records_that_somebody_keeps_are_no_store_s() -> None:
    """As pytest keeps them, for a test that fails."""
    found = find(Logging)
    assert (found.verdict, found.reason) == (
        Verdict.INCONCLUSIVE,
        "somebody keeps each record that is logged",
    )


def test_memory_that_python_does_not_count_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """With PYTHONMALLOC=malloc it counts none."""
    monkeypatch.setattr(sys, "getallocatedblocks", lambda: 0)
    found = find(KeepsALockForEachSession)
    assert (found.verdict, found.reason) == (
        Verdict.INCONCLUSIVE,
        "Python counts its memory with its own allocator alone",
    )


async def test_timers_that_were_cancelled_are_let_go() -> None:
    """A driver makes one for each request, and asyncio drops them late."""
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(3600, int, number) for number in range(90)]
    for timer in timers:
        timer.cancel()
    seen = [weakref.ref(timer) for timer in timers]
    del timers, timer
    await letting_go._drop_cancelled_timers()
    assert [one for one in seen if one() is not None] == []


class LetsGoOfOthersMeanwhile(RemembersWhoWasAskedFor):
    """Lives in a process that lets go of much else, once, while one lot of ids is asked for."""

    in_the_lot_of: ClassVar[int] = 0

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.others = [object() for _ in range(100_000)]

    async def load(self, session_id: str) -> list[Json] | None:
        found = await super().load(session_id)
        if len(self.in_vain) > self.in_the_lot_of:
            self.others.clear()
        return found


@pytest.mark.parametrize("asked_before", [0, 200, 600])
def test_what_others_let_go_of_hides_no_trace(
    asked_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It acquits in one lot, whichever that is, and it takes two."""
    monkeypatch.setattr(letting_go, "LOTS", (200, 400, 600))
    monkeypatch.setattr(LetsGoOfOthersMeanwhile, "in_the_lot_of", asked_before)
    assert find(LetsGoOfOthersMeanwhile).headline == (
        "something of each id that nobody has stays in memory"
    )
