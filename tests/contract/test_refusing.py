"""Stores that refuse: whatever they are asked, which is no merit, or what they may."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_backends import SQLITE
from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract import Backend
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.interface import SessionStore
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Verdict

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sessionstore_contract.interface import Json

OF_SIGNATURES = {"interface.has-every-operation", "interface.accepts-the-declared-parameters"}
"""What is seen without an answer."""

FULL = "the server takes no more clients"


class RefusingStore(SessionStore):
    """Stands before a server that takes no one."""

    def __init__(self, place: str) -> None:
        pass

    async def create(self, session_id: str | None = None) -> str:
        raise OSError(FULL)

    async def load(self, session_id: str) -> list[Json] | None:
        raise OSError(FULL)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        raise OSError(FULL)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        raise OSError(FULL)

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        raise OSError(FULL)

    async def delete(self, session_id: str) -> bool:
        raise OSError(FULL)

    async def exists(self, session_id: str) -> bool:
        raise OSError(FULL)

    async def delete_before(self, cutoff: datetime) -> int:
        raise OSError(FULL)

    async def close(self) -> None:
        pass


REFUSING = Backend(
    "refusing",
    open=RefusingStore,
    storage="file",
    profile="durable",
    adding=("multi-process", "census"),
    legacy="reference",
)


def test_nothing_holds_but_its_signatures(tmp_path: Path) -> None:
    """It is told that its operations fail, not that the rest is well."""
    storage, conditions = FileStorage(tmp_path), Conditions(1, EFFORTS["quick"])
    findings = [try_clause(clause, REFUSING, storage, conditions) for clause in CLAUSES]
    held = {one.clause.id for one in findings if one.verdict is Verdict.HELD}
    assert held == OF_SIGNATURES


async def open_unless_newer(place: str) -> SqliteSessionStore:
    """Refuse a place with a column that this release does not know."""
    known = {"session_id", "messages", "cost_data", "created_at", "updated_at"}
    with closing(sqlite3.connect(place)) as file:
        columns = {row[1] for row in file.execute("PRAGMA table_info(sessions)")}
    if not columns <= known:
        raise RuntimeError(f"a later release has made {columns - known}")
    return SqliteSessionStore(place)


def test_a_place_of_a_later_release_may_be_refused_at_its_opening(tmp_path: Path) -> None:
    """Before there is a store that could be asked."""
    refusing = replace(SQLITE, open=open_unless_newer, open_bounded=None)
    (clause,) = (one for one in CLAUSES if one.id == "migration.newer-is-not-downgraded")
    found = try_clause(clause, refusing, FileStorage(tmp_path), Conditions(1, EFFORTS["quick"]))
    assert found.verdict is Verdict.HELD
