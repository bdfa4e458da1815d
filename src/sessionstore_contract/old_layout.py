"""Places as an earlier release left them: the reference layout, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

SESSION = "old-session"
"""The id of the session that is there."""

MESSAGES = [{"role": "user", "content": "from before"}]
CREATED = datetime(2024, 3, 1, 12, 30, tzinfo=UTC)
FOREIGN = {"tenant": "acme", "serial": 7}
"""Columns that somebody else added, and what they hold."""

COLUMNS = {
    "sqlite": "session_id TEXT PRIMARY KEY, messages TEXT, created_at TEXT, updated_at TEXT",
    "postgres": "session_id TEXT PRIMARY KEY, messages JSONB, created_at TIMESTAMPTZ, "
    "updated_at TIMESTAMPTZ",
}
COST_DATA = {"sqlite": "cost_data TEXT", "postgres": "cost_data JSONB"}


async def fill(place: str, *, has_cost_data: bool) -> None:
    """Make the table with one session, and columns of somebody else's.

    Without `has_cost_data` it is the layout before cost data; with it the column is there and
    NULL.
    """
    kind = _kind(place)
    columns = COLUMNS[kind] + (f", {COST_DATA[kind]}" if has_cost_data else "")
    table = f"CREATE TABLE sessions ({columns}, tenant TEXT, serial INTEGER)"
    row = (SESSION, json.dumps(MESSAGES), *FOREIGN.values())
    if kind == "sqlite":
        time = CREATED.isoformat()
        with closing(sqlite3.connect(place)) as database, database:
            database.execute(table)
            database.execute(
                "INSERT INTO sessions (session_id, messages, tenant, serial, created_at, "
                "updated_at) VALUES (?, ?, ?, ?, ?, ?)",
                (*row, time, time),
            )
        return
    connection = await _connect(place)
    try:
        await connection.execute(table)
        await connection.execute(
            "INSERT INTO sessions (session_id, messages, tenant, serial, created_at, updated_at) "
            "VALUES ($1, $2, $3, $4, $5, $5)",
            *row,
            CREATED,
        )
    finally:
        await connection.close()


async def look(place: str) -> dict[str, Any] | None:
    """Read the foreign columns and the creation time of the old session, not through a store."""
    columns = "tenant, serial, created_at"
    if _kind(place) == "sqlite":
        with closing(sqlite3.connect(place)) as database:
            found = database.execute(
                f"SELECT {columns} FROM sessions WHERE session_id = ?",  # noqa: S608 - our own names
                (SESSION,),
            ).fetchone()
        created = datetime.fromisoformat(found[2]) if found and found[2] else None
    else:
        connection = await _connect(place)
        try:
            found = await connection.fetchrow(
                f"SELECT {columns} FROM sessions WHERE session_id = $1",  # noqa: S608 - our own names
                SESSION,
            )
        finally:
            await connection.close()
        created = found[2] if found else None
    if found is None:
        return None
    when = None if created is None else created.astimezone(UTC).isoformat()
    return {"tenant": found[0], "serial": found[1], "created_at": when}


def untouched() -> dict[str, Any]:
    """Answer what `look` answers while nobody has changed the row."""
    return {**FOREIGN, "created_at": CREATED.isoformat()}


def _kind(place: str) -> str:
    return "postgres" if place.startswith(("postgres://", "postgresql://")) else "sqlite"


async def _connect(dsn: str) -> Any:
    import asyncpg  # noqa: PLC0415 - an extra

    return await asyncpg.connect(dsn)
