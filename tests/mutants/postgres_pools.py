"""Stores on PostgreSQL with a pool as asyncpg has it, with and without time-outs."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

TABLE = """
CREATE TABLE IF NOT EXISTS chats (
    id TEXT PRIMARY KEY, messages JSONB NOT NULL DEFAULT '[]', costs JSONB NOT NULL DEFAULT '{}'
)
"""


class Pooled:
    """Opens a pool at first use; each operation is a statement."""

    claims: ClassVar[frozenset[str]] = frozenset(
        {"persistence", "cost-read", "shared", "durable", "faults"}
    )
    settings: ClassVar[dict[str, float]] = {"timeout": 1.0, "command_timeout": 1.0}
    table: ClassVar[str] = TABLE

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._opening = asyncio.Lock()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def _opened(self) -> asyncpg.Pool[asyncpg.Record]:
        async with self._opening:
            if self._pool is None:
                settings: dict[str, Any] = dict(self.settings)
                pool = await asyncpg.create_pool(self._dsn, min_size=0, **settings)
                try:
                    await pool.execute(self.table)
                except BaseException:
                    pool.terminate()
                    raise
                self._pool = pool
            return self._pool

    async def _value(self, statement: str, *arguments: str) -> Any:
        pool = await self._opened()
        return await pool.fetchval(statement, *arguments)

    async def create(self, session_id: str | None = None) -> str:
        made = session_id or secrets.token_hex(16)
        await self._value("INSERT INTO chats (id) VALUES ($1)", made)
        return made

    async def load(self, session_id: str) -> list[Json] | None:
        found = await self._value("SELECT messages FROM chats WHERE id = $1", session_id)
        return None if found is None else json.loads(found)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await self._value(
            "INSERT INTO chats (id, messages) VALUES ($1, $2)"
            " ON CONFLICT (id) DO UPDATE SET messages = excluded.messages",
            session_id,
            json.dumps(messages),
        )

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await self._value(
            "UPDATE chats SET costs = costs || $2::jsonb WHERE id = $1 RETURNING 1",
            session_id,
            json.dumps(cost_data or {}),
        )
        return found is not None

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        found = await self._value("SELECT costs FROM chats WHERE id = $1", session_id)
        costs: dict[str, Json] = json.loads(found or "{}")
        return costs

    async def delete(self, session_id: str) -> bool:
        statement = "DELETE FROM chats WHERE id = $1 RETURNING 1"
        return await self._value(statement, session_id) is not None

    async def exists(self, session_id: str) -> bool:
        return await self._value("SELECT 1 FROM chats WHERE id = $1", session_id) is not None

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()


class PooledInTransactions(Pooled):
    """Merges in a transaction of several statements, whose answers can be lost one by one."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        pool = await self._opened()
        async with pool.acquire() as connection, connection.transaction():
            old = await connection.fetchval(
                "SELECT costs FROM chats WHERE id = $1 FOR UPDATE", session_id
            )
            if old is None:
                return False
            merged = {**json.loads(old), **(cost_data or {})}
            await connection.execute(
                "UPDATE chats SET costs = $2 WHERE id = $1", session_id, json.dumps(merged)
            )
            return True


class PooledForEver(Pooled):
    """Has the pool that asyncpg makes when nothing is said of time."""

    settings: ClassVar[dict[str, float]] = {}
