"""The table of the PostgreSQL store: found as it is, made when missing, migrated when old."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sessionstore_contract.interface import SessionStoreError

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

TEXT, TIMESTAMPTZ, VARCHAR, JSONB = 25, 1184, 1043, 3802
"""The numbers that types which come with PostgreSQL have in every release."""

OURS = {
    "session_id": {TEXT, VARCHAR},
    "messages": {JSONB},
    "created_at": {TIMESTAMPTZ},
    "updated_at": {TIMESTAMPTZ},
}
"""Columns and their types in every release; `cost_data` was added later."""

MAX_NAME_BYTES = 63

_COLUMNS = """
SELECT attname AS column, atttypid AS type FROM pg_attribute WHERE attrelid = to_regclass($1)::oid
"""
"""One round trip to one catalogue, without a cast: every instance that is opened makes it, and a
new connection has to look up whatever the query names.

A table without columns has those of the system, and whatever was dropped has no type.
`to_regclass` finds a table that was made since the query began, of which the query sees nothing:
it is missing or whole.
"""


class Layout:
    """One table, by its name, in the first schema of the search path that has it."""

    def __init__(self, table: str) -> None:
        if not table or "\x00" in table or len(table.encode()) > MAX_NAME_BYTES:
            raise ValueError(f"a table name has 1 to {MAX_NAME_BYTES} bytes, not {table!r}")
        escaped = table.replace('"', '""')
        self.name = f'"{escaped}"'

    async def prepare(self, connection: Connection) -> None:
        """Make the table, or add what an older release did not have; change nothing otherwise.

        Reads the catalogue first: a current table needs no right but to read and write rows, and
        its preparation waits for nobody and makes nobody wait.

        Raises:
            SessionStoreError: the table of this name is not ours; it was not altered.
        """
        if await self._lacks(connection) is None:
            return
        async with connection.transaction():
            # Held to the end of the transaction, by one instance of any process at a time.
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('session store ' || $1, 0))",
                self.name,
            )
            lacking = await self._lacks(connection)
            if lacking is not None:
                await connection.execute(lacking)

    async def _lacks(self, connection: Connection) -> str | None:
        """Answer the statement that makes the table current, None when it is."""
        rows = await connection.fetch(_COLUMNS, self.name)
        if not rows:
            return (
                f"CREATE TABLE IF NOT EXISTS {self.name} ("
                "session_id TEXT PRIMARY KEY,"
                " messages JSONB NOT NULL,"
                " created_at TIMESTAMPTZ NOT NULL,"
                " updated_at TIMESTAMPTZ NOT NULL,"
                " cost_data JSONB)"
            )
        types: dict[str, int] = {row["column"]: row["type"] for row in rows}
        wrong = [name for name, allowed in OURS.items() if types.get(name) not in allowed]
        if types.get("cost_data", JSONB) != JSONB:
            wrong.append("cost_data")
        if wrong:
            raise SessionStoreError(
                f"the table {self.name} is not a session store's, and stays as it is: "
                f"{', '.join(wrong)} missing or of another type; name another table"
            )
        if "cost_data" in types:
            return None
        return f"ALTER TABLE {self.name} ADD COLUMN IF NOT EXISTS cost_data JSONB"
