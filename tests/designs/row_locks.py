"""Rows of PostgreSQL, locked by whoever reads them to write: SELECT ... FOR UPDATE."""

from __future__ import annotations

import json
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

import psycopg

from sessionstore_contract.interface import (
    Json,
    SessionExistsError,
    SessionStore,
    SessionStoreError,
    StoreClosedError,
)

from ..mutants.correct import FileStore, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

KEPT = 4
LAYOUT = """
SELECT pg_advisory_xact_lock(7);
CREATE TABLE IF NOT EXISTS chats
(id TEXT PRIMARY KEY, messages TEXT NOT NULL, costs TEXT NOT NULL, active TIMESTAMPTZ NOT NULL)
"""


class RowLockStore(SessionStore):
    """Merges in Python while it holds the row; keeps a few connections to be used again."""

    storage: ClassVar[str] = "postgres"
    claims: ClassVar[frozenset[str]] = FileStore.claims

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.idle: list[psycopg.AsyncConnection] = []
        self.is_closed = False

    async def connected(self) -> psycopg.AsyncConnection:
        if self.idle:
            return self.idle.pop()
        connection = await psycopg.AsyncConnection.connect(self.dsn, autocommit=True)
        try:
            async with connection.transaction():
                await connection.execute(LAYOUT)
        except BaseException:
            await connection.close()
            raise
        return connection

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[psycopg.AsyncCursor]:
        """Lend a transaction on a connection that nobody else uses meanwhile."""
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        connection = await self.connected()
        try:
            async with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except psycopg.Error as error:
            # What the transaction has rolled back leaves the connection as it was.
            await self.give_back(connection)
            if isinstance(error, psycopg.errors.UniqueViolation):
                raise
            # Not chained: the details of the driver's quote the row, and what a chat says.
            said = error.diag.message_primary or type(error).__name__
            raise SessionStoreError(said) from None
        except BaseException:
            await connection.close()
            raise
        await self.give_back(connection)

    async def give_back(self, connection: psycopg.AsyncConnection) -> None:
        if self.is_closed or connection.closed or len(self.idle) == KEPT:
            await connection.close()
        else:
            self.idle.append(connection)

    async def create(self, session_id: str | None = None) -> str:
        name = secrets.token_hex(16) if session_id is None else session_id
        sql = "INSERT INTO chats VALUES (%s, '[]', '{}', clock_timestamp())"
        try:
            async with self.rows() as rows:
                await rows.execute(sql, [name])
        except psycopg.errors.UniqueViolation:
            raise SessionExistsError(f"{name!r} exists") from None
        return name

    async def load(self, session_id: str) -> list[Json] | None:
        async with self.rows() as rows:
            await rows.execute("SELECT messages FROM chats WHERE id = %s", [session_id])
            row = await rows.fetchone()
        return None if row is None else json.loads(row[0])

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = encode(messages, list)
        sql = (
            "INSERT INTO chats VALUES (%s, %s, '{}', clock_timestamp()) ON CONFLICT (id) "
            "DO UPDATE SET messages = excluded.messages, active = clock_timestamp()"
        )
        async with self.rows() as rows:
            await rows.execute(sql, [session_id, text])

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        async with self.rows() as rows:
            await rows.execute("SELECT costs FROM chats WHERE id = %s FOR UPDATE", [session_id])
            row = await rows.fetchone()
            if row is not None and new:
                merged = json.dumps({**json.loads(row[0]), **new})
                sql = "UPDATE chats SET costs = %s, active = clock_timestamp() WHERE id = %s"
                await rows.execute(sql, [merged, session_id])
        return row is not None

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        async with self.rows() as rows:
            await rows.execute("SELECT costs FROM chats WHERE id = %s", [session_id])
            row = await rows.fetchone()
        return {} if row is None else json.loads(row[0])

    async def delete(self, session_id: str) -> bool:
        async with self.rows() as rows:
            await rows.execute("DELETE FROM chats WHERE id = %s", [session_id])
            return rows.rowcount == 1

    async def exists(self, session_id: str) -> bool:
        async with self.rows() as rows:
            await rows.execute("SELECT 1 FROM chats WHERE id = %s", [session_id])
            return await rows.fetchone() is not None

    async def delete_before(self, cutoff: datetime) -> int:
        if cutoff.utcoffset() is None:
            raise ValueError("a cutoff without UTC offset means no instant")
        async with self.rows() as rows:
            await rows.execute("DELETE FROM chats WHERE active < %s", [cutoff])
            return rows.rowcount

    async def close(self) -> None:
        self.is_closed = True
        while self.idle:
            await self.idle.pop().close()
