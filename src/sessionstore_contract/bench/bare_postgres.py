"""PostgreSQL by its driver alone: each operation is one statement on a connection of a pool."""

from __future__ import annotations

import json
from typing import Any

import asyncpg

_TABLE = """
    CREATE TABLE IF NOT EXISTS sessions (
        session_id TEXT PRIMARY KEY,
        messages JSONB NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        updated_at TIMESTAMPTZ NOT NULL,
        cost_data JSONB
    )
"""
_CREATE = "INSERT INTO sessions VALUES ($1, '[]', clock_timestamp(), clock_timestamp(), '{}')"
_SAVE = """
    INSERT INTO sessions VALUES ($1, $2, clock_timestamp(), clock_timestamp(), '{}')
    ON CONFLICT (session_id) DO UPDATE
    SET messages = EXCLUDED.messages, updated_at = clock_timestamp()
"""
_UPDATE = """
    UPDATE sessions SET cost_data = cost_data || $2::jsonb, updated_at = clock_timestamp()
    WHERE session_id = $1 RETURNING 1
"""


BOUND = 20.0
"""Seconds that a statement, and the wait for a connection, may take: stores bound both as well."""


class BarePostgres:
    """A pool of ten connections, which are not reset between uses: that would be a statement."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def open(self) -> None:
        """Connect, and make the table."""
        self._pool: Any = await asyncpg.create_pool(
            self._dsn, min_size=0, max_size=10, reset=_nothing, command_timeout=BOUND
        )
        await self._pool.execute(_TABLE)

    async def create(self, session_id: str) -> None:
        await self._row(_CREATE, session_id)

    async def save(self, session_id: str, messages: list[Any]) -> None:
        await self._row(_SAVE, session_id, json.dumps(messages))

    async def load(self, session_id: str) -> Any:
        row = await self._row("SELECT messages FROM sessions WHERE session_id = $1", session_id)
        return json.loads(row[0])

    async def update(self, session_id: str, *, cost_data: dict[str, Any]) -> None:
        await self._row(_UPDATE, session_id, json.dumps(cost_data))

    async def get_cost_data(self, session_id: str) -> Any:
        row = await self._row("SELECT cost_data FROM sessions WHERE session_id = $1", session_id)
        return json.loads(row[0])

    async def exists(self, session_id: str) -> bool:
        return bool(await self._row("SELECT 1 FROM sessions WHERE session_id = $1", session_id))

    async def close(self) -> None:
        await self._pool.close()

    async def _row(self, sql: str, *arguments: Any) -> Any:
        async with self._pool.acquire(timeout=BOUND) as connection:
            return await connection.fetchrow(sql, *arguments)


async def _nothing(_connection: object) -> None:
    return


VERSION = f"asyncpg {asyncpg.__version__}"
