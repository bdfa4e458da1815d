"""Places on a real PostgreSQL server, and what is seen of them from outside of the store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from reference_backends.postgres import PostgresSessionStore
from sessionstore_contract.storage.dsn import Dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import TypeAlias

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]


class Line:
    """A line between store and server that can go dead: open, but nothing comes through."""

    def __init__(self, place: str) -> None:
        self.dsn = Dsn.parse(place)
        self.is_dead = False
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def opened(self, port: int = 0) -> AsyncIterator[str]:
        """Answer the place as it is seen through the line."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", port)
        address = ("127.0.0.1", str(server.sockets[0].getsockname()[1]))
        yield str(replace(self.dsn, addresses=(address,)))
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        host, port = self.dsn.addresses[0]
        inner, outer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(self._copy(reader, outer), self._copy(inner, writer))
        except (OSError, asyncio.CancelledError):
            pass  # An end that hangs up, and the end of the test.
        finally:
            writer.close()
            outer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.is_dead:
                writer.write(data)
        writer.close()


@asynccontextmanager
async def opened(place: str, **settings: Any) -> AsyncIterator[PostgresSessionStore]:
    """Open a store and close it."""
    store = PostgresSessionStore(place, **settings)
    try:
        yield store
    finally:
        await store.close()


async def connections(admin: Connection) -> int:
    """Answer how many connections the place has besides the one that asks."""
    count: int = await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return count


async def are_left(admin: Connection, expected: int) -> bool:
    """Wait, bounded, until the server has noticed which connections ended."""
    for _ in range(200):
        if await connections(admin) == expected:
            return True
        await admin.execute("SELECT pg_sleep(0.01)")
    return False


async def columns(admin: Connection, table: str = "sessions") -> list[str]:
    """Answer the columns of the table in their order."""
    rows = await admin.fetch(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1)"
        " AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        table,
    )
    return [row[0] for row in rows]


async def until_someone_waits(admin: Connection, count: int = 1) -> None:
    """Return when so many others wait for a lock."""
    for _ in range(500):
        waiting = await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND clock_timestamp() IS NOT NULL"
        )
        if waiting >= count:
            return
        await admin.execute("SELECT pg_stat_clear_snapshot()")
        await asyncio.sleep(0.01)
    pytest.fail("nobody waits")
