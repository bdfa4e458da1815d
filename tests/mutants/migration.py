"""Stores that lose something, or somebody, on the way from an earlier release."""

from __future__ import annotations

import asyncio
import fcntl
import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from reference_backends.postgres import PostgresSessionStore

from .columns import COLUMNS, FIRST, ColumnsStore
from .correct import FileStore
from .defect import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json

OWN = "session_id, messages, created_at, updated_at"


@mutant(
    "migration.old-sessions-are-there",
    "as the first operation, load does not find an old session",
    also={
        "migration.keeps-what-it-does-not-know": "others have built on the table: update answers"
    },
)
class BeginsAnew(ColumnsStore):
    """Makes the table anew where it is not of the layout."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        rows.execute("DROP TABLE sessions")
        rows.execute(f"CREATE TABLE sessions ({COLUMNS})")


class KnowsWhenItMigrates(ColumnsStore):
    """Remembers whether its last operation has migrated the place: a start for defects."""

    has_migrated = False

    def prepare(self, rows: sqlite3.Connection) -> None:
        self.has_migrated = False
        super().prepare(rows)

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        self.has_migrated = True


@mutant(
    "migration.old-sessions-are-there",
    "as the first operation, update does not find an old session",
)
class MergesBeforeItHasMigrated(KnowsWhenItMigrates):
    """Merges into what the migration has not yet filled in."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        return found and not self.has_migrated


@mutant(
    "migration.old-sessions-are-there",
    "as the first operation, exists does not find an old session",
)
class AsksAnIndexThatIsNotFilledYet(KnowsWhenItMigrates):
    """Answers `exists` from an index that the migration fills later."""

    async def exists(self, session_id: str) -> bool:
        found = await super().exists(session_id)
        return found and not self.has_migrated


@mutant(
    "migration.old-sessions-are-there",
    "as the first operation, delete does not find an old session",
)
class CountsDeletedRowsOfTheWrongTable(KnowsWhenItMigrates):
    """Answers `delete` by the rows of a table that the migration fills later."""

    async def delete(self, session_id: str) -> bool:
        found = await super().delete(session_id)
        return found and not self.has_migrated


@mutant("migration.old-times-stand", "migrating counts as activity")
class DatesOldSessionsAnew(ColumnsStore):
    """Fills the new column in with an UPDATE that dates every row."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        rows.execute("UPDATE sessions SET cost_data = '{}', updated_at = ?", [self.word_now()])


@mutant(
    "migration.old-times-stand",
    "delete_before answers 3, not 2",
    also={"migration.old-sessions-are-there": "delete_before answers 3, not 0"},
)
class ForgetsOldTimes(ColumnsStore):
    """Leaves old sessions without a date, which counts as long ago."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        rows.execute("UPDATE sessions SET updated_at = ''")


@mutant("migration.old-times-stand", "a session that was active after the cutoff is removed")
class SwapsOldTimes(ColumnsStore):
    """Gives each old session the date of another one."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        rows.execute(
            "UPDATE sessions SET updated_at = CASE session_id "
            "WHEN 'old-recent' THEN '2024-01-01' WHEN 'old-session' THEN '2025-02-03' "
            "ELSE updated_at END"
        )


@mutant("migration.old-times-stand", "what was last active at the cutoff itself is removed")
class RemovesWhatIsAtTheCutoff(ColumnsStore):
    """Removes what was last active at the cutoff, or before it."""

    async def delete_before(self, cutoff: datetime) -> int:
        return await super().delete_before(cutoff + timedelta(microseconds=1))


@mutant("migration.old-times-stand", "what was last active at the cutoff itself is removed")
class ComparesOldTimesAsTexts(ColumnsStore):
    """Writes microseconds always, and an earlier release did not: `.` comes after `+`."""

    async def delete_before(self, cutoff: datetime) -> int:
        text = cutoff.astimezone(UTC).isoformat(timespec="microseconds")
        with self.rows() as rows:
            return rows.execute("DELETE FROM sessions WHERE updated_at < ?", [text]).rowcount


@mutant("migration.keeps-what-it-does-not-know", "migrating changes columns of others")
class CopiesIntoANewTable(ColumnsStore):
    """Copies the columns that it knows into a table of the new layout."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        rows.execute("ALTER TABLE sessions RENAME TO before")
        rows.execute(f"CREATE TABLE sessions ({COLUMNS})")
        rows.execute(f"INSERT INTO sessions ({OWN}) SELECT {OWN} FROM before")
        rows.execute("DROP TABLE before")


@mutant("migration.keeps-what-it-does-not-know", "migrating changes a table or an index of others")
class DropsWhatItDoesNotKnow(ColumnsStore):
    """Tidies up: tables that are none of its own."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        rows.execute("DROP TABLE IF EXISTS notes")


@mutant(
    "migration.is-idempotent",
    "after a migration that was killed at call",
    adding=("multi-process",),
)
class MarksAfterItHasMigrated(ColumnsStore):
    """Adds the column in one transaction, and notes in the next one that it did."""

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        patience = self.wait if wait is None else wait
        with (
            closing(sqlite3.connect(self.place, isolation_level=None, timeout=patience)) as rows,
            Path(f"{self.place}.lock").open("w") as lock,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)  # which nobody keeps who is killed
            self.migrate_unmarked(rows)
        with super().rows(wait) as rows:
            yield rows

    def migrate_unmarked(self, rows: sqlite3.Connection) -> None:
        if rows.execute("PRAGMA user_version").fetchone()[0]:
            return
        names = [one[1] for one in rows.execute("PRAGMA table_info(sessions)")]
        if set(names) >= FIRST and "cost_data" not in names[:5]:
            rows.execute("ALTER TABLE sessions ADD COLUMN cost_data TEXT")
        rows.execute("PRAGMA user_version = 1")


@mutant("migration.is-idempotent", "load answers [")
class FillsInAtEachOpening(ColumnsStore):
    """Moves old histories into a column of its own, and again at each opening."""

    is_filled_in = False

    def prepare(self, rows: sqlite3.Connection) -> None:
        super().prepare(rows)
        if self.is_filled_in:
            return
        self.is_filled_in = True
        rows.execute(
            "CREATE TABLE IF NOT EXISTS moved AS SELECT session_id, messages FROM sessions"
        )
        rows.execute(
            "UPDATE sessions SET messages = coalesce((SELECT messages FROM moved "
            "WHERE moved.session_id = sessions.session_id), messages)"
        )


@mutant("migration.may-be-concurrent", "instances that migrate at once: ")
class LooksBeforeItLocks(ColumnsStore):
    """Looks which columns there are, and adds the one that is missing some time later."""

    is_prepared = False

    def migrate(self, rows: sqlite3.Connection) -> None:
        """Leave it to `prepared`."""

    async def prepared(self) -> None:
        if self.is_prepared:
            return
        with self.rows() as rows:
            is_lacking = "cost_data" not in self.names(rows)
        await asyncio.sleep(0.001)
        if is_lacking:
            with self.rows() as rows:
                rows.execute("ALTER TABLE sessions ADD COLUMN cost_data TEXT")
        self.is_prepared = True

    async def create(self, session_id: str | None = None) -> str:
        await self.prepared()
        return await super().create(session_id)

    async def load(self, session_id: str) -> list[Json] | None:
        await self.prepared()
        return await super().load(session_id)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        await self.prepared()
        return await super().update(session_id, cost_data=cost_data)

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        await self.prepared()
        return await super().get_cost_data(session_id)


@mutant(
    "migration.under-a-warm-store",
    "the release before does not work any more on a place that was migrated",
)
class DemandsCostData(ColumnsStore):
    """Refuses rows that come without the new column."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        rows.execute(
            "CREATE TRIGGER IF NOT EXISTS demand BEFORE INSERT ON sessions "
            "WHEN new.session_id = 'old-warm' "
            "BEGIN SELECT RAISE(ABORT, 'cost_data is demanded'); END"
        )


@mutant("migration.under-a-warm-store", "load answers None, not [")
class LoadsWhatIsInItsIndex(ColumnsStore):
    """Looks into a table of ids that it fills when it migrates, and with each write of its own."""

    def prepare(self, rows: sqlite3.Connection) -> None:
        super().prepare(rows)
        rows.execute("CREATE TABLE IF NOT EXISTS known (session_id TEXT PRIMARY KEY)")

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        rows.execute("CREATE TABLE IF NOT EXISTS known (session_id TEXT PRIMARY KEY)")
        rows.execute("INSERT OR IGNORE INTO known SELECT session_id FROM sessions")

    def know(self, rows: sqlite3.Connection, session_id: str) -> None:
        rows.execute("INSERT OR IGNORE INTO known VALUES (?)", [session_id])

    def put(self, rows: sqlite3.Connection, session_id: str, text: str, now: str) -> None:
        super().put(rows, session_id, text, now)
        self.know(rows, session_id)

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        with self.rows() as rows:
            self.know(rows, name)
        return name

    async def load(self, session_id: str) -> list[Json] | None:
        with self.rows() as rows:
            found = rows.execute("SELECT 1 FROM known WHERE session_id = ?", [session_id])
            is_known = found.fetchone() is not None
        return await super().load(session_id) if is_known else None


@mutant("migration.under-a-warm-store", "when another has added a column: ")
class ChecksTheWidth(ColumnsStore):
    """Selects every column, and expects as many as there were at its first use."""

    width: int | None = None

    async def load(self, session_id: str) -> list[Json] | None:
        with self.rows() as rows:
            width = len(self.names(rows))
        self.width = self.width or width
        if width != self.width:
            raise RuntimeError("cached plan must not change result type")
        return await super().load(session_id)


@mutant(
    "migration.under-a-warm-store",
    "when another has added a column: a store that is open: save raised OperationalError: table ",
    also={"migration.newer-is-not-downgraded": "save raised IntegrityError: NOT NULL constraint"},
)
class InsertsByPosition(ColumnsStore):
    """Names no columns in its INSERT, and counts on those that it found at its first use."""

    width: int | None = None

    def put(self, rows: sqlite3.Connection, session_id: str, text: str, now: str) -> None:
        self.width = self.width or len(self.names(rows))
        places = ", ".join("?" * self.width)
        rows.execute(
            f"INSERT INTO sessions VALUES ({places}) ON CONFLICT (session_id) DO UPDATE "
            "SET messages = excluded.messages, updated_at = excluded.updated_at",
            [session_id, text, now, now, *[None] * (self.width - 4)],
        )


@mutant(
    "cost.null-column-counts-as-empty",
    "get_cost_data raised TypeError",
    also={"migration.under-a-warm-store": "get_cost_data raised TypeError"},
)
class FillsInWhatIsThere(ColumnsStore):
    """Fills the new column in for the rows that are there, and has no default for later ones."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        rows.execute("UPDATE sessions SET cost_data = '{}'")

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        with self.rows() as rows:
            self.fill_in(rows, name)
        return name

    def put(self, rows: sqlite3.Connection, session_id: str, text: str, now: str) -> None:
        super().put(rows, session_id, text, now)
        self.fill_in(rows, session_id)

    def fill_in(self, rows: sqlite3.Connection, session_id: str) -> None:
        rows.execute(
            "UPDATE sessions SET cost_data = '{}' WHERE session_id = ? AND cost_data IS NULL",
            [session_id],
        )

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.rows() as rows:
            found = self.column(rows, session_id) if self.has(rows, session_id) else "{}"
        answer: dict[str, Json] = json.loads(found)  # type: ignore[arg-type]  # the defect
        return answer


@mutant(
    "migration.current-means-no-change",
    "opening a place of the current layout alters it",
    also={"migration.newer-is-not-downgraded": "a place of a later release is changed"},
)
class MakesItsIndexAnew(ColumnsStore):
    """Drops and makes its index whenever a place is opened."""

    is_prepared = False

    def prepare(self, rows: sqlite3.Connection) -> None:
        super().prepare(rows)
        if not self.is_prepared:
            self.is_prepared = True
            rows.execute("DROP INDEX IF EXISTS sessions_by_time")
            rows.execute("CREATE INDEX sessions_by_time ON sessions (updated_at)")


class OnPostgres(PostgresSessionStore):
    """The reference store with something done after its own preparing: a start for defects."""

    storage: ClassVar[str] = "postgres"
    claims: ClassVar[frozenset[str]] = FileStore.claims | {"migration"}
    statement: ClassVar[str]

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.prepare, self._pool._prepare = self._pool._prepare, self.prepare_more

    async def prepare_more(self, connection: Any) -> None:
        await self.prepare(connection)
        await connection.execute(self.statement)


@mutant(
    "migration.current-means-no-change",
    "beside a long read transaction: load does not answer in time",
    timeout=2.0,
)
class AddsIfNotExists(OnPostgres):
    """Sends its ALTER TABLE at every opening; PostgreSQL takes the lock before it looks."""

    statement = "ALTER TABLE sessions ADD COLUMN IF NOT EXISTS cost_data JSONB"


@mutant(
    "migration.current-means-no-change",
    "with rights to rows only: load raised SessionStoreError",
)
class CreatesIfNotExists(OnPostgres):
    """Sends its CREATE INDEX at every opening; PostgreSQL asks for the right before it looks."""

    statement = "CREATE INDEX IF NOT EXISTS sessions_pkey ON sessions (updated_at)"


@mutant("migration.foreign-table-stays-as-it-was", "a table of somebody else's is altered")
class AddsToAnyTable(ColumnsStore):
    """Adds whatever its table lacks, whosever it is."""

    def prepare(self, rows: sqlite3.Connection) -> None:
        rows.execute(f"CREATE TABLE IF NOT EXISTS sessions ({COLUMNS})")
        for name in ("session_id", "messages", "created_at", "updated_at", "cost_data"):
            if name not in self.names(rows):
                rows.execute(f"ALTER TABLE sessions ADD COLUMN {name} TEXT")

    async def create(self, session_id: str | None = None) -> str:
        with self.rows() as rows:
            if "token" in self.names(rows):
                raise RuntimeError("NOT NULL constraint failed: sessions.token")
        return await super().create(session_id)


@mutant(
    "migration.foreign-table-stays-as-it-was",
    "create answers on a table of others, and stores nothing",
)
class IgnoresTheForeignTable(ColumnsStore):
    """Swallows what the database says of a table that is not its own."""

    async def create(self, session_id: str | None = None) -> str:
        try:
            return await super().create(session_id)
        except RuntimeError:
            raise
        except Exception as error:
            if "somebody else's" in str(error):
                return session_id or self.fresh_id()
            raise

    async def exists(self, session_id: str) -> bool:
        try:
            return await super().exists(session_id)
        except Exception as error:
            if "somebody else's" in str(error):
                return False
            raise


@mutant("migration.newer-is-not-downgraded", "a place of a later release is changed")
class SetsItsNumber(ColumnsStore):
    """Writes its own number over whatever number the layout has."""

    def prepare(self, rows: sqlite3.Connection) -> None:
        super().prepare(rows)
        if rows.execute("PRAGMA user_version").fetchone()[0] != 1:
            rows.execute("PRAGMA user_version = 1")


@mutant("migration.newer-is-not-downgraded", "a place of a later release is begun anew")
class BeginsAnewOnALaterRelease(ColumnsStore):
    """Makes the table anew where the layout has a number that it does not know."""

    def prepare(self, rows: sqlite3.Connection) -> None:
        if rows.execute("PRAGMA user_version").fetchone()[0] > 1:
            rows.execute("DELETE FROM sessions")
        super().prepare(rows)
