"""Stores that migrate a table as if nobody else had built on it."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from sessionstore_contract.interface import SessionStoreError

from .columns import ColumnsStore
from .defect import mutant
from .migration import OnPostgres

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

KEEPS = "migration.keeps-what-it-does-not-know"
OLD = "migration.old-sessions-are-there"


class Tidies(ColumnsStore):
    """Removes something while it migrates: a start for defects."""

    tidying: tuple[str, ...] = ()

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        for statement in self.tidying:
            rows.execute(statement)


@mutant(KEEPS, "migrating changes rows of others")
class KeepsAPage(Tidies):
    """Copies the first thousand rows, as it reads them in pages and asks for one."""

    tidying = ("DELETE FROM sessions WHERE rowid > 1000",)


@mutant(KEEPS, "migrating changes rows of others")
class RemovesRowsWithoutTime(Tidies):
    """Removes rows that it could not put in the order of time."""

    tidying = ("DELETE FROM sessions WHERE updated_at IS NULL",)


@mutant(KEEPS, "migrating changes rows of others")
class RemovesWhatItCanNotRead(Tidies):
    """Removes rows whose messages are no JSON."""

    tidying = ("DELETE FROM sessions WHERE NOT json_valid(messages)",)


@mutant(KEEPS, "migrating changes rows of others")
class TrimsIds(Tidies):
    """Trims the ids, and replaces those that are the same then."""

    tidying = ("UPDATE OR REPLACE sessions SET session_id = lower(trim(session_id))",)


@mutant(KEEPS, "migrating changes a trigger of others")
class DropsTriggers(Tidies):
    """Tidies up the triggers on its table."""

    tidying = ("DROP TRIGGER IF EXISTS sessions_numbered",)


@mutant(KEEPS, "migrating changes a view of others")
class DropsViews(Tidies):
    """Tidies up the views on its table."""

    tidying = ("DROP VIEW IF EXISTS sessions_of_tenants",)


class MakesTheTableAnew(ColumnsStore):
    """Copies all columns, by name and type, and makes the indexes again: a start for defects."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        info = rows.execute("PRAGMA table_info(sessions)").fetchall()
        kept = self.kept(rows)
        names = ", ".join(one[1] for one in info)
        keys = [f"{one[1]} {one[2]}" + " PRIMARY KEY" * one[5] for one in info]
        rows.execute(f"CREATE TABLE anew ({', '.join(keys)}, cost_data TEXT)")
        rows.execute(f"INSERT INTO anew ({names}) SELECT {names} FROM sessions")
        rows.execute("DROP TABLE sessions")
        rows.execute("ALTER TABLE anew RENAME TO sessions")
        for statement in kept:
            rows.execute(statement)

    def kept(self, rows: sqlite3.Connection) -> list[str]:
        return self.made(rows, "index")

    def made(self, rows: sqlite3.Connection, *kinds: str) -> list[str]:
        """Answer the statements that have made what is of these kinds."""
        found = rows.execute("SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return [sql for kind, sql in found if kind in kinds]


@mutant(KEEPS, "others have built on the table: update raised")
class IsStoppedByAView(MakesTheTableAnew):
    """Renames a table while a view asks for one that is not there."""


@mutant(KEEPS, "migrating changes a default of others")
class ForgetsDefaults(MakesTheTableAnew):
    """Makes views and triggers again, too, and columns without what else was said of them."""

    def kept(self, rows: sqlite3.Connection) -> list[str]:
        made = self.made(rows, "index", "view", "trigger")
        for (view,) in rows.execute(
            "SELECT name FROM sqlite_master WHERE type = 'view'"
        ).fetchall():
            rows.execute(f"DROP VIEW {view}")
        return made


@mutant(KEEPS, "migrating changes a CHECK of others")
class ForgetsChecks(ForgetsDefaults):
    """The same, with the defaults."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        if "region" in self.names(rows):
            rows.execute("ALTER TABLE sessions DROP COLUMN region")
            rows.execute("ALTER TABLE sessions ADD COLUMN region TEXT DEFAULT 'eu'")


@mutant(KEEPS, "others have built on the table: update raised")
class AsksEverySchema(OnPostgres):
    """Takes a table of another schema for its own, and finds that it has all columns."""

    async def prepare_more(self, connection: Any) -> None:
        found = await connection.fetch(
            "SELECT 1 FROM information_schema.columns "
            "WHERE table_name = 'sessions' AND column_name = 'cost_data'"
        )
        if not found:
            await self.prepare(connection)


class RewritesMessages(ColumnsStore):
    """Reads the messages while it migrates, and writes them anew: a start for defects."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        super().migrate(rows)
        for name, text in rows.execute("SELECT session_id, messages FROM sessions").fetchall():
            try:
                messages = json.loads(text)
            except ValueError:
                continue
            self.rewrite(rows, name, messages)

    def rewrite(self, rows: sqlite3.Connection, name: str, messages: Any) -> None:
        raise NotImplementedError


@mutant(OLD, "load answers [{'role'")
class RoundsOldNumbers(RewritesMessages):
    """Rounds the numbers in them."""

    def rewrite(self, rows: sqlite3.Connection, name: str, messages: Any) -> None:
        text = json.dumps(messages)
        rounded = json.loads(text, parse_float=lambda number: round(float(number), 4))
        change = "UPDATE sessions SET messages = ? WHERE session_id = ?"
        rows.execute(change, [json.dumps(rounded), name])


@mutant(OLD, "get_cost_data answers {'in'")
class FindsOldCostsInMessages(RewritesMessages):
    """Begins the cost data with the usage that messages carry."""

    def rewrite(self, rows: sqlite3.Connection, name: str, messages: Any) -> None:
        usage = {}
        for one in messages:
            usage.update(one.get("usage", {}))
        change = "UPDATE sessions SET cost_data = ? WHERE session_id = ?"
        rows.execute(change, [json.dumps(usage), name])


@mutant(KEEPS, "a trigger of others does not see an update of a long chat")
class WritesPastTriggers(ColumnsStore):
    """Writes over the cost data of a long chat where they stand, so that no trigger is told."""

    def merge(self, rows: sqlite3.Connection, session_id: str, new: dict[str, Json]) -> None:
        query = "SELECT length(messages) > 131072 FROM sessions WHERE session_id = ?"
        (is_long,) = rows.execute(query, [session_id]).fetchone()
        triggers = self.triggers(rows) if is_long else []
        for name, _ in triggers:
            rows.execute(f"DROP TRIGGER {name}")
        super().merge(rows, session_id, new)
        for _, statement in triggers:
            rows.execute(statement)

    def triggers(self, rows: sqlite3.Connection) -> list[tuple[str, str]]:
        """Answer the triggers of a place, with the statements that have made them."""
        return rows.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()


class RefusesOddRows(ColumnsStore):
    """Migrates nothing that it can't read all of, which is its right."""

    def migrate(self, rows: sqlite3.Connection) -> None:
        query = "SELECT count(*) FROM sessions WHERE updated_at IS NULL OR NOT json_valid(messages)"
        if rows.execute(query).fetchone()[0]:
            raise SessionStoreError("the table has rows that can't be read")
        super().migrate(rows)
