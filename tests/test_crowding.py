"""A server with no connection left is no verdict on the store that asked for one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reference_backends.memory import MemorySessionStore
from sessionstore_contract import catalogue
from sessionstore_contract.backend import Backend
from sessionstore_contract.crowding import REASON, was_refused_a_connection
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.history import Step
from sessionstore_contract.storage.elsewhere import NoStorage
from sessionstore_contract.verdict import Finding, Verdict


class RefusedError(Exception):
    sqlstate = "53300"


def wrapped() -> Exception:
    error = RuntimeError("the store can't be reached")
    error.__cause__ = RefusedError("sorry")
    return error


REFUSALS = {
    "sqlstate": RefusedError("zu viele Verbindungen"),
    "wrapped": wrapped(),
    "text": Exception("sorry, too many clients already"),
    "of a role": Exception('too many connections for role "lim"'),
    "of a database": Exception('too many connections for database "chats"'),
    "mysql": Exception(1040, "Too many connections"),
}


class CrowdedStore(MemorySessionStore):
    """Finds no connection left in every load."""

    async def load(self, session_id: str) -> Any:
        raise RefusedError("sorry, too many clients already")


class SlowStartStore(MemorySessionStore):
    """Its first use fails for all but the first who is there alone."""

    is_open = False
    under_way = 0

    async def create(self, session_id: str | None = None) -> str:
        if not self.is_open:
            type(self).under_way += 1
            if type(self).under_way > 1:
                raise RuntimeError("the table is being made")
            await asyncio.sleep(0)
        self.is_open = True
        return await super().create(session_id)


def find(clause_id: str, store: type[MemorySessionStore]) -> Finding:
    (clause,) = catalogue.select([clause_id])
    backend = Backend(
        "one",
        open=store,
        storage="none",
        profile="ephemeral",
        adding=("persistence", "cost-read", "retention"),
    )
    return try_clause(clause, backend, NoStorage(), Conditions(seed=1, effort=EFFORTS["quick"]))


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_connection_is_recognised(name: str) -> None:
    """By the server's own code, also beneath what the store raises; by its text, else."""
    step = Step(1, 1, "load", ("id",), {}, is_expected=True, began=1, began_at=0.0)

    step.error = REFUSALS[name]
    assert was_refused_a_connection([step])
    step.error = RuntimeError("deadlock detected")
    assert not was_refused_a_connection([step])


@pytest.mark.parametrize(
    "clause_id", ["lifecycle.missing-is-not-empty", "cost.update-keeps-messages"]
)
def test_a_refused_connection_is_not_the_stores_fault(clause_id: str) -> None:
    """Whether its answer was judged or led to the judged one."""
    found = find(clause_id, CrowdedStore)

    assert (found.verdict, found.reason, found.headline) == (Verdict.FAULTED, REASON, None)


def test_ids_are_judged_of_a_store_whose_first_use_fails_for_many() -> None:
    """That defect is named by another clause, and hides none."""
    found = find("lifecycle.fresh-ids-are-unguessable", SlowStartStore)

    assert found.verdict is Verdict.HELD
