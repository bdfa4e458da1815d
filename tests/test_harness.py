"""Trying one clause: whatever a store does costs that clause its verdict, and nothing else."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import pytest

from reference_backends.memory import MemorySessionStore
from sessionstore_contract import catalogue
from sessionstore_contract.backend import Backend
from sessionstore_contract.clause import Scope, must
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import OWNERS, Conditions, Fuse, try_clause
from sessionstore_contract.history import OPERATIONS
from sessionstore_contract.lending import ONE_FOR_ALL
from sessionstore_contract.storage import StorageUnavailableError
from sessionstore_contract.storage.elsewhere import NoStorage
from sessionstore_contract.verdict import Finding, Verdict

from . import hostile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sessionstore_contract.subject import Subject

CLAIMS = ("persistence", "cost-read", "retention")
SHORT = 0.5


def backend(opener: Callable[..., Any], **rest: Any) -> Backend:
    return Backend(
        opener.__name__, open=opener, storage="none", profile="ephemeral", adding=CLAIMS, **rest
    )


def find(clause_id: str, opener: Callable[..., Any], **rest: Any) -> Finding:
    (clause,) = catalogue.select([clause_id])
    conditions = Conditions(seed=1, effort=EFFORTS["quick"])
    return try_clause(clause, backend(opener, **rest), NoStorage(), conditions)


def test_a_store_that_holds_the_clause_is_told_so() -> None:
    """A right answer is `held`, with no headline and no witness."""
    found = find("cost.merge-is-shallow", MemorySessionStore)

    assert (found.verdict, found.headline, found.witness) == (Verdict.HELD, None, ())


@pytest.mark.parametrize("store", hostile.RAISING)
def test_what_a_judged_call_raises_is_a_violation(store: type[MemorySessionStore]) -> None:
    """Also when it is no Exception, or was meant to end the process."""
    found = find("cost.merge-is-shallow", store)

    assert found.verdict is Verdict.VIOLATED
    assert (found.headline or "").startswith("update raised")


@pytest.mark.parametrize("store", hostile.RAISING)
def test_what_an_earlier_call_raises_is_inconclusive(store: type[MemorySessionStore]) -> None:
    """The clause that owns the step is named."""
    found = find("messages.save-keeps-cost-data", store)

    assert (found.verdict, found.owner) == (Verdict.INCONCLUSIVE, "cost.merge-is-shallow")
    assert "see cost.merge-is-shallow" in (found.reason or "")


@pytest.mark.parametrize("store", hostile.HANGING)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_hanging_call_is_abandoned(
    store: type[MemorySessionStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged it is a violation, and the trial comes back although the store does not."""
    monkeypatch.setattr("sessionstore_contract.trial.GRACE", SHORT)
    found = find("cost.merge-is-shallow", store, timeout=SHORT)

    assert found.verdict is Verdict.VIOLATED
    assert found.hung == ("update",)


def test_a_hanging_property_is_not_made_small() -> None:
    """Shrinking would wait for the time-out again and again."""
    found = find("cost.folds-like-a-dict", hostile.HangsInAwait, timeout=SHORT)

    assert (found.verdict, found.hung) == (Verdict.VIOLATED, ("update",))
    assert found.duration < 20 * SHORT


def test_an_operation_that_hung_twice_is_left_alone() -> None:
    """The run does not wait for it again once a clause has called it a violation."""
    conditions = Conditions(seed=1, effort=EFFORTS["quick"])
    tried = backend(hostile.HangsInAwait, timeout=SHORT)
    hanging = ["cost.merge-is-shallow", "cost.last-write-wins", "cost.null-is-a-value"]
    first, second, third = (
        try_clause(clause, tried, NoStorage(), conditions) for clause in catalogue.select(hanging)
    )

    assert (first.verdict, second.verdict) == (Verdict.VIOLATED, Verdict.VIOLATED)
    assert (third.verdict, third.owner) == (Verdict.INCONCLUSIVE, "cost.merge-is-shallow")
    assert third.duration < SHORT


def test_a_store_that_does_not_open_is_no_verdict() -> None:
    """Opening is the kit's affair and the author's: the clause is faulted."""
    found = find("cost.merge-is-shallow", hostile.FailsToOpen)

    assert found.verdict is Verdict.FAULTED
    assert found.reason == "opening the store raised ConnectionError: nobody answers"


def _exit(_: str | None = None) -> NoReturn:
    sys.exit(3)


async def _exit_later(_: str | None = None) -> NoReturn:
    await asyncio.sleep(0)
    raise KeyboardInterrupt


@pytest.mark.parametrize("opener", [_exit, _exit_later])
@pytest.mark.parametrize("clause_id", ["cost.starts-empty", "opening.needs-no-loop"])
def test_an_opener_that_would_end_the_process_fails(
    opener: Callable[..., Any], clause_id: str
) -> None:
    """What it raises is told, and nothing of it reaches the loop or the session of pytest."""
    tried = replace(backend(MemorySessionStore), open=opener)
    (clause,) = catalogue.select([clause_id])
    found = try_clause(clause, tried, NoStorage(), Conditions(seed=1, effort=EFFORTS["quick"]))
    assert found.verdict is Verdict.FAULTED
    assert (found.reason or "").startswith("opening the store raised ")


async def _open_for_ever(_: str | None = None) -> None:
    await asyncio.sleep(3600)


def test_opening_that_hung_twice_is_left_alone() -> None:
    """It is said how long was waited; of a hundred clauses two wait for it."""
    conditions = Conditions(seed=1, effort=EFFORTS["quick"])
    tried = replace(backend(MemorySessionStore), open=_open_for_ever, timeout=SHORT)
    clauses = catalogue.select(["cost"])[:3]
    first, second, third = (
        try_clause(clause, tried, NoStorage(), conditions) for clause in clauses
    )
    assert {one.verdict for one in (first, second, third)} == {Verdict.FAULTED}
    assert (first.reason or "").startswith("opening the store did not end within ")
    assert second.reason == first.reason
    assert third.reason == "opening did not end in 2 clauses, and was not tried again"


def test_opening_is_tried_again_where_it_may_be_of_another_defect() -> None:
    """A worker of a proof has the stores of many, and is told before each clause what hangs."""
    fuse = Fuse()
    fuse.count_opening()
    fuse.count_opening()
    assert fuse.is_opening_left_alone
    fuse.learn(Fuse().state())
    assert not fuse.is_opening_left_alone


def test_a_store_that_does_not_close_is_never_green() -> None:
    """The clause that owns `close` is named; it alone is violated."""
    found = find("cost.merge-is-shallow", hostile.FailsToClose)

    assert (found.verdict, found.owner) == (Verdict.INCONCLUSIVE, "closing.is-idempotent")
    assert find("closing.is-idempotent", hostile.FailsToClose).verdict is Verdict.VIOLATED


def test_a_clause_that_is_not_claimed_is_not_applicable() -> None:
    """The capability that is missing is named."""
    found = find("sharing.writes-are-seen-at-once", MemorySessionStore)

    assert found.verdict is Verdict.NOT_APPLICABLE
    assert found.reason == "needs shared, which is not claimed"


def test_a_storage_that_has_no_place_is_no_verdict() -> None:
    """The storage's own line is the reason."""

    class NoPlace:
        name = "nowhere"

        def fresh(self) -> AbstractContextManager[str]:
            raise StorageUnavailableError("no server answers on 127.0.0.1:1")

        def server(self) -> None: ...

        def close(self) -> None: ...

    found = try_clause(CLAUSES[0], backend(MemorySessionStore), NoPlace(), Conditions(seed=1))

    assert (found.verdict, found.reason) == (Verdict.FAULTED, "no server answers on 127.0.0.1:1")


class Numbered:
    """A storage that remembers its places, and who asked for them."""

    name = "numbered"

    def __init__(self) -> None:
        self.open: list[str] = []
        self.made: list[str] = []
        self.are_apart = True

    @contextmanager
    def fresh(self) -> Iterator[str]:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        place = f"place {len(self.made) if self.are_apart else 0}"
        self.made.append(place)
        self.open.append(place)
        yield place
        self.open.remove(place)

    def server(self) -> None: ...

    def close(self) -> None: ...


class Placed(MemorySessionStore):
    """Remembers where it was opened."""

    opened: ClassVar[list[str]] = []

    def __init__(self, place: str) -> None:
        super().__init__()
        self.opened.append(place)


def on_three_places(storage: Any, opener: Callable[..., Any] = Placed, *, asks: int = 2) -> Finding:
    """Try a clause that is lent three places, and asks for some more than the first."""
    Placed.opened.clear()
    seen: list[list[str]] = []

    async def procedure(store: Subject) -> None:
        for _ in range(asks):
            fresh = await store.on_fresh_place()
            await fresh.another()
        seen.append(list(getattr(storage, "open", [])))

    clause = must(
        "opening.tried", "It is.", because="", remedy="", scope=Scope.ANY, places=lambda _: 3
    )(procedure)
    tried = Backend("placed", open=opener, storage=storage, profile="ephemeral")
    found = try_clause(clause, tried, storage, Conditions(seed=1))
    if isinstance(storage, Numbered) and storage.are_apart:
        assert seen in ([], [["place 0", "place 1", "place 2"]])
        assert storage.open == []
    return found


def test_a_clause_is_lent_the_places_that_it_asks_for() -> None:
    """All are made before the trial begins, and gone at its end; instances are opened on theirs."""
    found = on_three_places(Numbered())

    assert (found.verdict, found.reason) == (Verdict.HELD, None)
    assert Placed.opened == [f"place {number}" for number in (0, 1, 1, 2, 2)]


def test_to_open_again_is_fresh_where_there_are_no_places() -> None:
    """Storage `none` has as many as are asked for."""
    found = on_three_places(NoStorage(), MemorySessionStore)

    assert (found.verdict, found.reason) == (Verdict.HELD, None)


def test_one_place_for_all_is_used_for_all_and_told() -> None:
    """The remark stands beside the verdict: nothing fresh was seen."""
    storage = Numbered()
    storage.are_apart = False
    found = on_three_places(storage)

    assert (found.verdict, found.reason) == (Verdict.HELD, ONE_FOR_ALL)
    assert set(Placed.opened) == {"place 0"}


def test_to_ask_for_more_places_than_were_lent_is_the_kits_fault() -> None:
    """No store is blamed for it."""
    found = on_three_places(Numbered(), asks=3)

    assert found.verdict is Verdict.FAULTED
    assert "the clause asks for more than its 3 places" in (found.reason or "")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_owner_of_an_operation_judges_that_it_works(operation: str) -> None:
    """A store in which one operation always raises is violated under the clause that owns it."""

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    store = type("Broken", (MemorySessionStore,), {operation: broken})
    found = find(OWNERS[operation], store)

    assert found.verdict is Verdict.VIOLATED
    assert operation in (found.headline or "")
    assert found.judged == operation


def test_a_trial_works_while_a_loop_is_running() -> None:
    """Each clause has a loop and a thread of its own."""

    async def inside() -> Finding:
        return find("cost.merge-is-shallow", MemorySessionStore)

    assert asyncio.run(inside()).verdict is Verdict.HELD


def test_the_same_seed_draws_the_same_values() -> None:
    """A failing property shows the same counterexample again."""

    class LosesLists(MemorySessionStore):
        async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
            kept = {k: v for k, v in (cost_data or {}).items() if not isinstance(v, list)}
            return await super().update(session_id, cost_data=kept)

    first, second = (find("cost.folds-like-a-dict", LosesLists) for _ in range(2))

    assert first.verdict is Verdict.VIOLATED
    assert (first.demanded, first.answered) == (second.demanded, second.answered)
    assert len(first.witness) <= 4, "the counterexample was made small"


def test_what_was_decided_stands_although_the_tear_down_does_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A `close` that blocks its loop hides no violation that was found before."""
    monkeypatch.setattr("sessionstore_contract.trial.GRACE", SHORT)
    released = threading.Event()

    class ForgetfulStore(MemorySessionStore):
        async def save(self, session_id: str, messages: list[Any]) -> None:
            await super().save(session_id, [])

        async def close(self) -> None:
            released.wait(60)

    try:
        found = find("messages.save-then-load", ForgetfulStore, timeout=SHORT)
    finally:
        released.set()

    assert (found.verdict, found.headline) == (Verdict.VIOLATED, "save stores nothing")
