"""The store as the harness sees it."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.effort import NORMAL
from sessionstore_contract.history import OPERATIONS, Call, History, StepFailed
from sessionstore_contract.subject import Subject, at_once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager


class Lent:
    """What a clause is lent, over stores that are made with nothing."""

    def __init__(self, make: Any, capabilities: frozenset[str] = frozenset()) -> None:
        self.make = make
        self.history = History(timeout=30.0)
        self.random = random.Random(1)
        self.effort = NORMAL
        self.capabilities = capabilities
        self.fresh_places = 0

    async def open(self, place: str | None) -> Subject:
        return Subject(self.make(), self, place)

    async def open_on_fresh_place(self) -> Subject:
        self.fresh_places += 1
        return Subject(self.make(), self, f"place {self.fresh_places}")

    async def open_without_loop(self) -> Subject | Exception:
        raise NotImplementedError

    async def open_elsewhere(self, place: str | None, *, anew: bool) -> Subject:
        return Subject(self.make(is_new=anew), self, place)

    async def open_recorded(self) -> tuple[Any, Any]:
        raise NotImplementedError

    async def open_or_hear_why(self, place: str | None = None) -> Any:
        raise NotImplementedError

    async def crash_server(self) -> None:
        raise NotImplementedError

    async def open_on_old_place(self, old_place: Any) -> Any:
        raise NotImplementedError

    async def first_user(self, place: str | None, *, is_counted: bool) -> Any:
        raise NotImplementedError

    async def with_row_rights_only(self) -> str | None:
        raise NotImplementedError

    async def tables(self) -> list[str]:
        raise NotImplementedError

    def refusing(self, table: str) -> AbstractAsyncContextManager[bool]:
        raise NotImplementedError

    async def ends_when_forgotten(self) -> bool:
        raise NotImplementedError

    async def census(self) -> Mapping[str, int]:
        raise NotImplementedError

    async def open_at(self, place: str, *, token: str | None = None) -> Any:
        raise NotImplementedError

    async def open_bounded(self, place: str, seconds: float) -> Any:
        raise NotImplementedError

    async def terminate(self, proxy: Any) -> int:
        raise NotImplementedError

    async def stand_between(self) -> Any:
        raise NotImplementedError

    async def keep_secret(self) -> Any:
        raise NotImplementedError

    def lend(self) -> Any:
        raise NotImplementedError

    def unused_id(self, stem: str) -> str:
        return f"{stem}-{self.random.getrandbits(16):x}"

    async def damage(self, session_id: str) -> None:
        raise NotImplementedError

    async def look_at_old_session(self) -> dict[str, Any] | None:
        raise NotImplementedError

    def note(self, text: str) -> None:
        raise NotImplementedError


class Echo:
    """Answers every operation with what it was asked."""

    def __init__(self, *, is_new: bool = False) -> None:
        self.is_new = is_new

    def __getattr__(self, operation: str) -> Any:
        if operation not in OPERATIONS:
            raise AttributeError(operation)

        async def answer(*arguments: Any, **keywords: Any) -> Any:
            return [operation, *arguments, keywords]

        return answer


class Meeting:
    """Answers nobody before everybody has come."""

    def __init__(self, expected: int) -> None:
        self.barrier = asyncio.Barrier(expected)

    async def exists(self, session_id: str) -> str:
        await self.barrier.wait()
        return session_id


def subject(store: Any) -> Subject:
    return Subject(store, Lent(Echo))


async def test_every_operation_is_asked_as_the_interface_has_it() -> None:
    """Arguments reach the store as they were given; an id that is None is not given at all."""
    store = subject(Echo())
    cutoff = datetime(2000, 1, 1, tzinfo=UTC)
    calls: list[Call[Any]] = [
        store.create(),
        store.create("a"),
        store.load("a"),
        store.save("a", [1]),
        store.update("a", cost_data={}),
        store.update("a"),
        store.get_cost_data("a"),
        store.delete("a"),
        store.exists("a"),
        store.delete_before(cutoff),
        store.close(),
    ]
    assert [await call for call in calls] == [
        ["create", {}],
        ["create", "a", {}],
        ["load", "a", {}],
        ["save", "a", [1], {}],
        ["update", "a", {"cost_data": {}}],
        ["update", "a", {}],
        ["get_cost_data", "a", {}],
        ["delete", "a", {}],
        ["exists", "a", {}],
        ["delete_before", cutoff, {}],
        ["close", {}],
    ]
    assert [step.operation for step in store.stand.history.steps[1:]] == [
        "create",
        *OPERATIONS[1:4],
        *OPERATIONS[3:],
    ]


async def test_a_missing_operation_is_a_failed_step() -> None:
    """A store without the operation fails when it is called, and the history shows it."""
    store = subject(object())
    call = store.exists("a")
    with pytest.raises(StepFailed, match=r"exists\('a'\) raised MissingOperationError"):
        await call


async def test_a_subject_that_was_closed_says_so() -> None:
    """Tear-down closes what the clause did not."""
    store = subject(Echo())
    assert not store.is_closed
    await store.close()
    assert store.is_closed


async def test_more_instances_are_numbered() -> None:
    """Each instance has its number in the shared history."""
    store = subject(Echo())
    another, elsewhere = await store.another(), await store.elsewhere(anew=True)
    assert [one.instance_number for one in (store, another, elsewhere)] == [1, 2, 3]
    assert elsewhere.store.is_new
    assert another.stand.history is store.stand.history


async def test_an_instance_is_opened_where_the_one_is_that_asks() -> None:
    """Beside a store on a fresh place there is another on that place, not on the first one."""
    fresh = await subject(Echo()).on_fresh_place()
    another, elsewhere = await fresh.another(), await fresh.elsewhere()
    assert [one.place for one in (fresh, another, elsewhere)] == ["place 1"] * 3


def test_a_subject_knows_what_is_claimed() -> None:
    """Capabilities are asked by name."""
    store = Subject(Echo(), Lent(Echo, frozenset({"cost-read"})))
    assert store.can("cost-read")
    assert not store.can("shared")


def test_an_unused_id_has_the_stem_asked_for() -> None:
    """The id is the stand's."""
    assert subject(Echo()).unused_id("gone").startswith("gone-")
    assert subject(Echo()).unused_id().startswith("session-")


async def test_at_once_really_overlaps() -> None:
    """Every call is under way before one is answered, and the answers are in the order given."""
    calls = 20
    store = subject(Meeting(calls))
    steps = await at_once(*(store.exists(str(number)) for number in range(calls)))
    assert [step.answer for step in steps] == [str(number) for number in range(calls)]
    last_begin = max(step.began for step in steps)
    assert all(step.ended is not None and step.ended > last_begin for step in steps)


async def test_calls_at_once_overlap_also_when_the_store_never_waits() -> None:
    """All begin before the first one ends, whatever the store does."""
    store = subject(Echo())
    steps = await at_once(*(store.exists("a") for _ in range(5)))
    assert max(step.began for step in steps) < min(step.ended or 0 for step in steps)


async def test_calls_at_once_are_judged_one_by_one() -> None:
    """A call that raises is a step like the others."""
    store = subject(object())
    steps = await at_once(store.exists("a"), store.load("a"))
    assert [step.outcome for step in steps] == ["raised", "raised"]
    assert all(step.is_expected for step in steps)


async def test_no_calls_at_once_are_no_steps() -> None:
    """Nothing to do is nothing done."""
    assert await at_once() == []
