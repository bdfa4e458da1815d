"""A correct store on the reference layout, which it migrates, and mutants of migration."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from sessionstore_contract.interface import (
    Json,
    SessionExistsError,
    SessionStoreError,
    StoreClosedError,
)

from .correct import FileStore, RowsStore, encode
from .defect import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = "migration.old-sessions-are-there"
FIRST = {"session_id", "messages", "created_at", "updated_at"}
COLUMNS = (
    "session_id TEXT PRIMARY KEY, messages TEXT, created_at TEXT, updated_at TEXT, cost_data TEXT"
)


class ColumnsStore(RowsStore):
    """One row of SQLite for a session, cost data in a column that older places lack."""

    claims: ClassVar[frozenset[str]] = FileStore.claims | {"migration"}

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        patience = self.wait if wait is None else wait
        with closing(sqlite3.connect(self.place, isolation_level=None, timeout=patience)) as rows:
            rows.execute("PRAGMA synchronous = OFF")
            rows.execute("BEGIN IMMEDIATE")
            try:
                self.prepare(rows)
                yield rows
                rows.execute("COMMIT")
            except BaseException:
                rows.execute("ROLLBACK")
                raise

    def names(self, rows: sqlite3.Connection) -> set[str]:
        return {one[1] for one in rows.execute("PRAGMA table_info(sessions)")}

    def prepare(self, rows: sqlite3.Connection) -> None:
        """Make the table, or add what it lacks; of one of others nothing is changed."""
        rows.execute(f"CREATE TABLE IF NOT EXISTS sessions ({COLUMNS})")
        names = self.names(rows)
        if not names >= FIRST:
            raise SessionStoreError("the table `sessions` is somebody else's")
        if "cost_data" not in names:
            self.migrate(rows)

    def migrate(self, rows: sqlite3.Connection) -> None:
        rows.execute("ALTER TABLE sessions ADD COLUMN cost_data TEXT")

    def word_now(self) -> str:
        return datetime.now(UTC).isoformat(timespec="microseconds")

    def has(self, rows: sqlite3.Connection, session_id: str) -> bool:
        found = rows.execute("SELECT 1 FROM sessions WHERE session_id = ?", [session_id])
        return found.fetchone() is not None

    async def create(self, session_id: str | None = None) -> str:
        name = self.fresh_id() if session_id is None else session_id
        with self.rows() as rows:
            if self.has(rows, name):
                raise SessionExistsError(f"{name!r} exists")
            now = self.word_now()
            rows.execute(
                "INSERT INTO sessions (session_id, messages, created_at, updated_at) "
                "VALUES (?, '[]', ?, ?)",
                [name, now, now],
            )
        return name

    async def load(self, session_id: str) -> list[Json] | None:
        with self.rows() as rows:
            found = rows.execute("SELECT messages FROM sessions WHERE session_id = ?", [session_id])
            row = found.fetchone()
        return None if row is None else json.loads(row[0])

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text, now = encode(messages, list), self.word_now()
        with self.rows() as rows:
            self.put(rows, session_id, text, now)

    def put(self, rows: sqlite3.Connection, session_id: str, text: str, now: str) -> None:
        rows.execute(
            "INSERT INTO sessions (session_id, messages, created_at, updated_at) "
            "VALUES (?, ?, ?, ?) ON CONFLICT (session_id) DO UPDATE "
            "SET messages = excluded.messages, updated_at = excluded.updated_at",
            [session_id, text, now, now],
        )

    def read(self, column: str | None) -> Json:
        """Read the column: NULL, in rows of before it was there, is no cost data."""
        return {} if column is None else json.loads(column)

    def column(self, rows: sqlite3.Connection, session_id: str) -> str | None:
        found = rows.execute("SELECT cost_data FROM sessions WHERE session_id = ?", [session_id])
        row = found.fetchone()
        return None if row is None else row[0]

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.rows() as rows:
            answer: dict[str, Json] = self.read(self.column(rows, session_id))
        return answer

    def merge(self, rows: sqlite3.Connection, session_id: str, new: dict[str, Json]) -> None:
        merged = {**(self.read(self.column(rows, session_id)) or {}), **new}
        rows.execute(
            "UPDATE sessions SET cost_data = ?, updated_at = ? WHERE session_id = ?",
            [json.dumps(merged), self.word_now(), session_id],
        )

    async def delete(self, session_id: str) -> bool:
        with self.rows() as rows:
            gone = rows.execute("DELETE FROM sessions WHERE session_id = ?", [session_id])
            return gone.rowcount == 1

    async def delete_before(self, cutoff: datetime) -> int:
        aware = cutoff.replace(tzinfo=UTC) if cutoff.utcoffset() is None else cutoff
        # Without a fraction where it is a whole second, as `.` comes after `+`: then texts compare
        # as instants do, whether a release has written fractions always or where there are any.
        text = aware.astimezone(UTC).isoformat()
        with self.rows() as rows:
            return rows.execute("DELETE FROM sessions WHERE updated_at < ?", [text]).rowcount


@mutant("messages.save-owns-only-messages", "save changes columns that it does not own")
class SaveReplacesTheRow(ColumnsStore):
    """Carries cost data over an INSERT OR REPLACE, and no column that it does not know."""

    def put(self, rows: sqlite3.Connection, session_id: str, text: str, now: str) -> None:
        rows.execute(
            "INSERT OR REPLACE INTO sessions "
            "(session_id, messages, created_at, updated_at, cost_data) VALUES (?, ?, ?, ?, ?)",
            [session_id, text, now, now, self.column(rows, session_id)],
        )


@mutant("messages.save-owns-only-messages", "save changes columns that it does not own")
class SaveRenewsTheCreationTime(ColumnsStore):
    """Sets created_at in every save."""

    def put(self, rows: sqlite3.Connection, session_id: str, text: str, now: str) -> None:
        super().put(rows, session_id, text, now)
        rows.execute("UPDATE sessions SET created_at = ? WHERE session_id = ?", [now, session_id])


@mutant(
    "cost.null-column-counts-as-empty",
    "NULL cost data reads as null",
    also={OLD: "get_cost_data answers None, not {}"},
)
class ReadsNullAsNull(ColumnsStore):
    """Answers the column as it is where an old row has none; new rows begin with {}."""

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        with self.rows() as rows:
            rows.execute("UPDATE sessions SET cost_data = '{}' WHERE session_id = ?", [name])
        return name

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.rows() as rows:
            column, is_there = self.column(rows, session_id), self.has(rows, session_id)
        is_old = is_there and session_id.startswith("old-")
        return None if column is None and is_old else self.read(column)  # type: ignore[return-value]


@mutant(
    "cost.null-column-counts-as-empty",
    "a session with NULL cost data counts as missing",
    also={OLD: "update answers False, not True"},
)
class TakesNullForMissing(ColumnsStore):
    """Merges in an UPDATE with `WHERE cost_data IS NOT NULL`; new rows begin with {}."""

    def put(self, rows: sqlite3.Connection, session_id: str, text: str, now: str) -> None:
        is_new = not self.has(rows, session_id)
        super().put(rows, session_id, text, now)
        if is_new:
            rows.execute("UPDATE sessions SET cost_data = '{}' WHERE session_id = ?", [session_id])

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        with self.rows() as rows:
            rows.execute("UPDATE sessions SET cost_data = '{}' WHERE session_id = ?", [name])
        return name

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        with self.rows() as rows:
            if cost_data and self.column(rows, session_id) is None:
                return False
        return await super().update(session_id, cost_data=cost_data)


class MergesInSql(TakesNullForMissing):
    """Merges in SQL, where NULL with anything is NULL: a start for defects."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return await ColumnsStore.update(self, session_id, cost_data=cost_data)

    def merge(self, rows: sqlite3.Connection, session_id: str, new: dict[str, Json]) -> None:
        if self.column(rows, session_id) is not None:
            super().merge(rows, session_id, new)


@mutant(
    "cost.null-column-counts-as-empty",
    "an update of NULL cost data is lost",
    also={OLD: "get_cost_data answers {}, not {'turns'"},
)
class LosesUpdatesOfNull(MergesInSql):
    """Answers True for a merge that left the column NULL."""


@mutant(
    "cost.null-column-counts-as-empty",
    "an update of NULL cost data leaves NULL",
    also={OLD: "get_cost_data answers None, not {"},
)
class ReadsNullAfterAnUpdate(MergesInSql):
    """The same, and reads NULL as null once a session was updated."""

    updated: ClassVar[set[str]] = set()

    def merge(self, rows: sqlite3.Connection, session_id: str, new: dict[str, Json]) -> None:
        self.updated.add(session_id)
        super().merge(rows, session_id, new)

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.rows() as rows:
            column, is_there = self.column(rows, session_id), self.has(rows, session_id)
        if column is None and is_there and session_id in self.updated:
            return None  # type: ignore[return-value]
        return self.read(column)  # type: ignore[no-any-return]
