"""No clause of faults accuses a store that does it right, whatever its design."""

from __future__ import annotations

from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from reference_backends.platform import create_app
from sessionstore_contract import Backend
from sessionstore_contract.clause import Level
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.contract.procedures import network, outages
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, provided, try_clause
from sessionstore_contract.storage.platform import PlatformStorage
from sessionstore_contract.storage.selection import PostgresChoice
from sessionstore_contract.verdict import Finding, Verdict

from ..mutants.defect import backend
from ..mutants.faults import TakesAMissingRouteForAMissingSession
from ..mutants.networks import (
    CORRECT,
    ConnectsForEachOperation,
    DistantStore,
    HearsLateStore,
    Remembering,
    RetryingStore,
    WaitingStore,
    WaryStore,
)
from ..mutants.postgres_pools import Pooled, PooledForEver, PooledInTransactions

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sessionstore_contract.clause import Clause

    from ..mutants.platform_stores import PlatformStore

AT_ONCE = "concurrency.sessions-do-not-block-each-other"

QUICK = (RetryingStore, ConnectsForEachOperation, WaryStore, Remembering)
"""The others do nothing that one of these, or a mutant with another defect, does not do."""

TRIED = [one for one in CLAUSES if one.area == "faults" or one.id == AT_ONCE]


@pytest.mark.parametrize(
    "store",
    [store if store in QUICK else pytest.param(store, marks=pytest.mark.soak) for store in CORRECT],
    ids=lambda store: store.__name__,
)
def test_a_correct_store_is_not_accused(store: type[PlatformStore]) -> None:
    """Retries, time-outs of its own, one connection or none, a breaker, a memory: all may be."""
    findings = tried(backend(store), TRIED)
    wrong = {
        one.clause.id: one.headline or one.reason
        for one in findings
        if one.verdict is not Verdict.HELD and one.clause.level is Level.MUST
    }
    assert wrong == {}
    assert Verdict.VIOLATED not in {one.verdict for one in findings}


def tried(made: Backend, clauses: list[Clause]) -> list[Finding]:
    conditions = Conditions(seed=1, effort=EFFORTS["quick"])
    with TemporaryDirectory() as run, provided(made, PostgresChoice("embedded", run)) as storage:
        return [try_clause(clause, made, storage, conditions) for clause in clauses]


def pooled(store: type[Pooled], *, timeout: float = 10.0) -> Backend:
    return Backend(
        store.__name__,
        open=store,
        storage="postgres",
        profile="ephemeral",
        adding=store.claims,
        timeout=timeout,
    )


BINDING = [one for one in TRIED if one.level is Level.MUST]


@pytest.mark.parametrize(
    "store",
    [pytest.param(Pooled, marks=pytest.mark.soak), PooledInTransactions],
    ids=lambda one: one.__name__,
)
def test_a_pool_with_time_outs_is_not_accused(store: type[Pooled]) -> None:
    """The one that asyncpg has holds every MUST: it forgets connections that have ended."""
    findings = tried(pooled(store), BINDING)
    assert {one.clause.id: one.verdict for one in findings} == {
        one.id: Verdict.HELD for one in BINDING
    }


def test_a_pool_without_time_outs_is_named() -> None:
    """Nothing is wrong with it but that it waits for ever for a PostgreSQL that has hung."""
    bounded = replace(
        pooled(PooledForEver, timeout=3.0), open_bounded=lambda place, _: PooledForEver(place)
    )
    clauses = [one for one in BINDING if one.id in {BOUNDED, "faults.a-failed-read-raises"}]
    findings = tried(bounded, clauses)
    assert {one.clause.id: one.headline for one in findings} == {
        "faults.a-failed-read-raises": None,
        BOUNDED: "load does not come back from a server that says nothing",
    }


def test_a_bound_that_is_not_known_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be longer than anybody wants to wait: no verdict, and the way out."""
    monkeypatch.setattr(outages, "LONGEST_SILENCE", 1.0)
    (finding,) = tried(
        pooled(PooledForEver, timeout=3.0), [one for one in BINDING if one.id == BOUNDED]
    )
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "within 1 s" in str(finding.reason)
    assert "open_bounded" in str(finding.reason)


def test_a_bound_is_long_enough_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is far from its server is not asked to be quicker than it can be."""
    monkeypatch.setattr(network, "BOUND", 0.1)
    clauses = [one for one in BINDING if one.id in {BOUNDED, "faults.restart-is-survived"}]
    findings = tried(backend(DistantStore), clauses)
    assert [(one.verdict, one.headline) for one in findings] == [(Verdict.HELD, None)] * 2


def test_a_store_may_wait_for_its_server_at_its_first_use() -> None:
    """For longer than the kit does: it is told to give up sooner, where the backend says how."""
    (clause,) = (one for one in CLAUSES if one.id == "opening.failed-first-use-can-be-retried")
    patient = replace(backend(WaitingStore), timeout=2.5)
    (held,) = tried(patient, [clause])
    (undecided,) = tried(replace(patient, open_bounded=None), [clause])
    assert (held.verdict, held.reason) == (Verdict.HELD, None)
    assert undecided.verdict is Verdict.INCONCLUSIVE
    assert "by Backend(open_bounded=...) it gives up sooner" in str(undecided.reason)


def test_the_end_of_a_connection_may_be_heard_of_late() -> None:
    """It is under way as long as an answer is: minutes would have passed before the next call."""
    dropped = [one for one in BINDING if one.id == "faults.dropped-connections-recover"]
    (finding,) = tried(backend(HearsLateStore), dropped)
    assert (finding.verdict, finding.headline) == (Verdict.HELD, None)


BOUNDED = "faults.operations-are-bounded"


def indistinct(app: ASGIApp) -> ASGIApp:
    """Word every 404 alike, as services do that leave it to the status."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        is_missing = False

        async def reworded(message: Message) -> None:
            nonlocal is_missing
            if message["type"] == "http.response.start":
                is_missing = message["status"] == 404
                if is_missing:
                    message = {**message, "headers": [(b"content-length", b"2")]}
            elif is_missing:
                message = {**message, "body": b"no"}
            await send(message)

        await app(scope, receive, reworded)

    return served


class IndistinctPlatforms(PlatformStorage):
    """Serves platforms whose 404 says nothing but 404."""

    def __init__(self) -> None:
        super().__init__()
        self._make_app = lambda: indistinct(create_app())


def test_a_store_may_go_by_the_status_where_there_is_nothing_else() -> None:
    """Its service does not tell a missing session from a missing route, so nor can the store."""
    (clause,) = (one for one in CLAUSES if one.id == "faults.answers-are-checked")
    storage = IndistinctPlatforms()
    made = replace(backend(TakesAMissingRouteForAMissingSession), storage=storage)
    try:
        finding = try_clause(clause, made, storage, Conditions(seed=1, effort=EFFORTS["quick"]))
    finally:
        storage.close()
    assert finding.verdict is Verdict.HELD, finding.headline or finding.reason
    assert "no 404 was tried" in str(finding.reason)
