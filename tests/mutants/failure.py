"""Stores in which a failed operation goes on to have effects."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sessionstore_contract.interface import SessionExistsError

from .correct import RowsStore, encode
from .defect import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json


class Holding(RowsStore):
    """Can leave a transaction open after an error, until it is used again: a start for defects."""

    held: sqlite3.Connection | None = None

    def hold(self) -> sqlite3.Connection:
        self.held = sqlite3.connect(self.place, isolation_level=None)
        self.held.execute("BEGIN IMMEDIATE")
        return self.held

    def let_go(self, end: str = "ROLLBACK") -> None:
        held, self.held = self.held, None
        if held is not None:
            held.execute(end)
            held.close()

    @contextmanager
    def rows(self, wait: float | None = 0.05) -> Iterator[sqlite3.Connection]:
        self.let_go()
        with super().rows(wait) as rows:
            yield rows

    async def close(self) -> None:
        self.let_go()
        await super().close()


@mutant(
    "failure.leaves-no-transaction-open",
    "save of another instance raised OperationalError: database is locked after a create that "
    "raised",
    also={"concurrency.one-create-wins": "load raised OperationalError: database is locked"},
)
class ATakenIdKeepsTheLock(Holding):
    """Leaves its transaction open when the id is taken, until it saves."""

    async def create(self, session_id: str | None = None) -> str:
        try:
            return await super().create(session_id)
        except SessionExistsError:
            self.hold()
            raise


class Pooling(RowsStore):
    """Has some connections, of which it can lose one: a start for defects."""

    left = 15

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        if not self.left:
            raise TimeoutError("no connection is left")
        with super().rows(wait) as rows:
            yield rows


@mutant(
    "failure.leaves-no-transaction-open",
    "exists raised TimeoutError: no connection is left after many calls of create in vain",
)
class ATakenIdKeepsAConnection(Pooling):
    """Gives a connection back after an insert that works."""

    left = 50

    async def create(self, session_id: str | None = None) -> str:
        try:
            return await super().create(session_id)
        except SessionExistsError:
            self.left -= 1
            raise


@mutant(
    "failure.leaves-no-transaction-open",
    "exists raised TimeoutError: no connection is left after many calls of load in vain",
)
class AnEarlyReturnKeepsAConnection(Pooling):
    """Answers None before the line that gives the connection back."""

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        self.left -= messages is None
        return messages


@mutant(
    "failure.raised-means-not-stored-later",
    "a later operation commits a save that raised",
    also={
        "failure.leaves-no-transaction-open": (
            "save of another instance raised OperationalError: database is locked after a save "
            "that raised"
        )
    },
)
class CommitsTheFailedSave(Holding):
    """Empties the history, fails to fill it, and commits with the next save."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.let_go("COMMIT")
        try:
            encode(messages, list)
        except Exception:
            self.hold().execute("UPDATE sessions SET messages = '[]' WHERE id = ?", [session_id])
            raise
        await super().save(session_id, messages)


@mutant(
    "failure.raised-means-not-stored-later",
    "a later operation commits an update that raised",
    also={
        "failure.leaves-no-transaction-open": (
            "save of another instance raised OperationalError: database is locked after an update "
            "that raised"
        )
    },
)
class CommitsTheFailedUpdate(Holding):
    """Empties the figures, fails to fill them in, and commits with the next save."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.let_go("COMMIT")
        await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        try:
            encode(cost_data or {}, dict)
        except Exception:
            self.let_go()
            self.hold().execute("DELETE FROM costs WHERE id = ?", [session_id])
            raise
        return await super().update(session_id, cost_data=cost_data)
