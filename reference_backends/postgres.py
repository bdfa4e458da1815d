"""Keeps sessions in one PostgreSQL table, through asyncpg."""

# ruff: noqa: S608 - the one thing in the SQL that is no constant is the table name, quoted

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from reference_backends import histories, json_text, jsonb, rules
from reference_backends.postgres_errors import RETRIED_AT_ONCE, Translator, is_lost, sqlstate
from reference_backends.postgres_layout import Layout
from reference_backends.postgres_pool import FirstUsePool
from sessionstore_contract.interface import (
    Json,
    Message,
    SessionExistsError,
    SessionStore,
    SessionStoreError,
    StoreClosedError,
)

if TYPE_CHECKING:
    import asyncpg

ATTEMPTS = 3


class PostgresSessionStore(SessionStore):
    """A store on the database of a `postgresql://` DSN; many instances may share it.

    Opened on first use, in the event loop of that use; `close` it in the same loop. The table is
    made or migrated then, in the first schema of the search path.

    `command_timeout` and `acquire_timeout` bound, in seconds, one statement, and the wait for a
    connection, a new one included; `connect_timeout` bounds the making of one. `lock_timeout` is
    the server's bound for waiting on a row or table that somebody else holds; None leaves it to
    the server, for poolers that take no start-up settings. `statement_cache_size=0` is for
    poolers that hand each transaction to another server connection.
    """

    def __init__(
        self,
        dsn: str,
        *,
        table: str = "sessions",
        pool_size: int = 10,
        connect_timeout: float = 5.0,
        command_timeout: float = 20.0,
        lock_timeout: float | None = 10.0,
        acquire_timeout: float = 20.0,
        statement_cache_size: int = 100,
    ) -> None:
        rules.check_positive(
            pool_size=pool_size,
            connect_timeout=connect_timeout,
            command_timeout=command_timeout,
            acquire_timeout=acquire_timeout,
        )
        if statement_cache_size < 0 or not (lock_timeout is None or 0 < lock_timeout <= 2_000_000):
            raise ValueError(
                "statement_cache_size is 0 or more, lock_timeout up to 2,000,000 seconds or None"
            )
        layout = Layout(table)
        self._sql = _Statements(layout.name)
        self._translator = Translator(dsn)
        server_settings = {}
        if lock_timeout is not None:
            server_settings["lock_timeout"] = str(max(1, round(lock_timeout * 1000)))
        self._pool = FirstUsePool(
            dsn,
            layout.prepare,
            acquire_timeout=acquire_timeout,
            max_size=pool_size,
            timeout=connect_timeout,
            command_timeout=command_timeout,
            statement_cache_size=statement_cache_size,
            server_settings=server_settings,
        )

    async def create(self, session_id: str | None = None) -> str:
        """Make a session; one row, or a conflict that changes nothing."""
        created = rules.fresh_id() if session_id is None else rules.check_id(session_id)
        if await self._write(self._sql.create, created, is_repeatable=False) is None:
            raise SessionExistsError(f"session {created!r} exists")
        return created

    async def load(self, session_id: str) -> list[Message] | None:
        row = await self._read(self._sql.load, rules.check_id(session_id))
        if row is None:
            return None
        messages = [] if row[0] is None else await _history(row[0])
        if not isinstance(messages, list):
            raise SessionStoreError(f"the stored messages of {session_id!r} are no list")
        return messages

    async def save(self, session_id: str, messages: list[Message]) -> None:
        rules.check_id(session_id)
        text = await histories.worded(messages, with_floats=jsonb.encode)
        await self._write(self._sql.save, session_id, text)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        rules.check_id(session_id)
        if cost_data is None or not rules.check_cost_data(cost_data):
            return await self.exists(session_id)
        row = await self._write(self._sql.update, session_id, jsonb.encode(cost_data))
        if row is not None and not row[0]:
            raise SessionStoreError(f"the stored cost data of {session_id!r} is no object")
        return row is not None

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        row = await self._read(self._sql.get_cost_data, rules.check_id(session_id))
        cost_data = {} if row is None or row[0] is None else _decoded(row[0])
        if not isinstance(cost_data, dict):
            raise SessionStoreError(f"the stored cost data of {session_id!r} is no object")
        return cost_data

    async def delete(self, session_id: str) -> bool:
        return await self._write(self._sql.delete, rules.check_id(session_id)) is not None

    async def exists(self, session_id: str) -> bool:
        return await self._read(self._sql.exists, rules.check_id(session_id)) is not None

    async def delete_before(self, cutoff: datetime) -> int:
        row = await self._run(self._sql.delete_before, rules.check_cutoff(cutoff))
        return 0 if row is None else int(row[0])

    async def close(self) -> None:
        """Close the connections; operations under way have five seconds to finish."""
        await self._pool.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(table={self._sql.table})"

    async def _read(self, statement: str, session_id: str) -> asyncpg.Record | None:
        return await self._run(statement, session_id, is_read=True)

    async def _write(
        self, statement: str, session_id: str, *values: str, is_repeatable: bool = True
    ) -> asyncpg.Record | None:
        return await self._run(
            statement, session_id, *values, turn=session_id, is_repeatable=is_repeatable
        )

    async def _run(
        self,
        statement: str,
        *arguments: Any,
        turn: str | None = None,
        is_read: bool = False,
        is_repeatable: bool = True,
    ) -> asyncpg.Record | None:
        """Execute one statement, and again when it surely had no effect.

        A write whose connection was lost is not sent again: had it had its effect, it would undo
        what others wrote since.
        """
        for attempt in range(1, ATTEMPTS + 1):
            was_sent = False
            try:
                async with self._pool.connection(turn) as connection:
                    was_sent = True
                    return await connection.fetchrow(statement, *arguments)
            except Exception as error:  # noqa: BLE001 - the driver raises all kinds
                may_retry = sqlstate(error) in RETRIED_AT_ONCE or (is_read and is_lost(error))
                failure = self._translator.translated(
                    error, is_repeatable=is_repeatable or not was_sent
                )
            if not (was_sent and may_retry) or attempt == ATTEMPTS:
                break
        if was_sent and self._pool.is_closed:
            failure = StoreClosedError("the store was closed before the server had answered")
        raise failure


class _Statements:
    """The SQL of each operation: one statement each, so that each happens at one instant.

    The time is `clock_timestamp()`, when the row is written; `now()` would be when the statement
    began, before it waited for others.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self.create = (
            f"INSERT INTO {table} (session_id, messages, created_at, updated_at, cost_data)"
            " VALUES ($1, '[]', clock_timestamp(), clock_timestamp(), '{}')"
            " ON CONFLICT (session_id) DO NOTHING RETURNING 1"
        )
        self.load = f"SELECT messages FROM {table} WHERE session_id = $1"
        self.save = (
            f"INSERT INTO {table} (session_id, messages, created_at, updated_at, cost_data)"
            " VALUES ($1, $2, clock_timestamp(), clock_timestamp(), '{}')"
            " ON CONFLICT (session_id)"
            " DO UPDATE SET messages = EXCLUDED.messages, updated_at = clock_timestamp()"
        )
        # `||` would make a list of cost data that is none of ours; that row stays as it is.
        is_object = "jsonb_typeof(COALESCE(cost_data, '{}')) = 'object'"
        self.update = (
            f"UPDATE {table} SET cost_data = CASE WHEN {is_object}"
            " THEN COALESCE(cost_data, '{}') || $2::jsonb ELSE cost_data END,"
            f" updated_at = CASE WHEN {is_object} THEN clock_timestamp() ELSE updated_at END"
            f" WHERE session_id = $1 RETURNING {is_object}"
        )
        self.get_cost_data = f"SELECT cost_data FROM {table} WHERE session_id = $1"
        self.delete = f"DELETE FROM {table} WHERE session_id = $1 RETURNING 1"
        self.exists = f"SELECT 1 FROM {table} WHERE session_id = $1"
        self.delete_before = (
            f"WITH gone AS (DELETE FROM {table} WHERE updated_at < $1 RETURNING 1)"
            " SELECT count(*) FROM gone"
        )


async def _history(text: str) -> Json:
    try:
        return await histories.read(text)
    except ValueError as error:
        reason = str(error)
    raise SessionStoreError(f"what is stored can't be read: {reason}")


def _decoded(text: str) -> Json:
    try:
        return json_text.decode(text)
    except ValueError as error:
        reason = str(error)
    raise SessionStoreError(f"what is stored can't be read: {reason}")
