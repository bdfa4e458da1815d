"""SQLite by its driver alone: each operation is one statement, on the disk when it returns."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import Any

import aiosqlite

_TABLE = """
    CREATE TABLE IF NOT EXISTS sessions (
        session_id TEXT PRIMARY KEY,
        messages TEXT,
        created_at TEXT,
        updated_at TEXT,
        cost_data TEXT
    )
"""
# Without numbers such as ?1: the first releases of Python 3.12 take them for names, and warn.
_CREATE = "INSERT INTO sessions VALUES (?, '[]', ?, ?, '{}')"
_SAVE = """
    INSERT INTO sessions VALUES (?, ?, ?, ?, '{}')
    ON CONFLICT (session_id) DO UPDATE
    SET messages = excluded.messages, updated_at = excluded.updated_at
"""
_UPDATE = """
    UPDATE sessions SET cost_data = merged(cost_data, ?), updated_at = ? WHERE session_id = ?
"""


class BareSqlite:
    """A connection for writing and one for reading, as the store under measure may have them."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def open(self) -> None:
        """Connect, and make the table."""
        self._writing = await aiosqlite.connect(self._path, isolation_level=None)
        await self._writing.execute("PRAGMA journal_mode = WAL")
        await self._writing.execute("PRAGMA synchronous = FULL")
        await self._writing.execute(_TABLE)
        await self._writing.create_function("merged", 2, _merged)
        self._reading = await aiosqlite.connect(self._path, isolation_level=None)

    async def create(self, session_id: str) -> None:
        now = _now()
        await self._writing.execute_fetchall(_CREATE, (session_id, now, now))

    async def save(self, session_id: str, messages: list[Any]) -> None:
        text, now = json.dumps(messages), _now()
        await self._writing.execute_fetchall(_SAVE, (session_id, text, now, now))

    async def load(self, session_id: str) -> Any:
        return json.loads(await self._value("messages", session_id))

    async def update(self, session_id: str, *, cost_data: dict[str, Any]) -> None:
        await self._writing.execute_fetchall(_UPDATE, (json.dumps(cost_data), _now(), session_id))

    async def get_cost_data(self, session_id: str) -> Any:
        return json.loads(await self._value("cost_data", session_id))

    async def exists(self, session_id: str) -> bool:
        return bool(await self._value("1", session_id))

    async def close(self) -> None:
        await self._reading.close()
        await self._writing.close()

    async def _value(self, column: str, session_id: str) -> Any:
        sql = f"SELECT {column} FROM sessions WHERE session_id = ?"  # noqa: S608 - of three of ours
        return next(iter(await self._reading.execute_fetchall(sql, (session_id,))))[0]


def _now() -> str:
    # To the microsecond, as stores have it: with SQLite's milliseconds two writes could be the same
    # row, which is not written at all.
    return datetime.now(UTC).isoformat()


def _merged(stored: str, changes: str) -> str:
    return json.dumps(json.loads(stored) | json.loads(changes))


VERSION = f"SQLite {sqlite3.sqlite_version} by aiosqlite"
