"""The table of the PostgreSQL store: made, migrated, found, or somebody else's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from reference_backends.postgres import PostgresSessionStore
from reference_backends.postgres_layout import Layout
from sessionstore_contract.interface import (
    SessionStoreError,
)
from sessionstore_contract.storage.dsn import Dsn

from .postgres_places import are_left, columns, opened

if TYPE_CHECKING:
    from .postgres_places import Connection

OLD = """
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, messages JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL, theirs TEXT DEFAULT 'x');
INSERT INTO sessions VALUES ('old', '[{"n": 1}]', '2020-01-01Z', '2020-01-01Z', 'kept');
"""


async def test_old_layout_is_migrated(place: str, admin: Connection) -> None:
    """The column is added; old times, foreign columns and rows stand; NULL takes an update."""
    await admin.execute(OLD)
    async with opened(place) as store:
        assert await store.load("old") == [{"n": 1}]
        assert await store.get_cost_data("old") == {}
        row = await admin.fetchrow("SELECT * FROM sessions")
        assert row is not None
        assert row["updated_at"] == datetime(2020, 1, 1, tzinfo=UTC)
        assert (row["theirs"], row["cost_data"]) == ("kept", None)
        assert await store.update("old", cost_data={"a": 1})
        assert await store.get_cost_data("old") == {"a": 1}
    assert await columns(admin) == [
        "session_id", "messages", "created_at", "updated_at", "theirs", "cost_data",
    ]  # fmt: skip


async def test_old_layout_is_migrated_by_many_at_once(place: str, admin: Connection) -> None:
    """Instances that migrate at once all work, beside one that is warm."""
    await admin.execute(OLD)
    stores = [PostgresSessionStore(place) for _ in range(8)]
    found = await asyncio.gather(*(store.get_cost_data("old") for store in stores))
    assert found == [{}] * 8
    await asyncio.gather(*(store.close() for store in stores))
    assert await are_left(admin, 0)


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE sessions (id int)",
        "CREATE TABLE sessions ()",
        "CREATE TABLE sessions (session_id TEXT, messages TEXT, created_at DATE, updated_at DATE)",
    ],
)
async def test_foreign_table_is_refused(place: str, admin: Connection, table: str) -> None:
    """A table of the name that is not a store's is refused, and not altered."""
    await admin.execute(table)
    before = await columns(admin)
    async with opened(place) as store:
        for _ in range(2):
            with pytest.raises(SessionStoreError, match="not a session store's"):
                await store.load("s")
    assert await columns(admin) == before


@pytest.mark.parametrize(
    "changed",
    [
        "ALTER TABLE sessions ALTER session_id TYPE VARCHAR(255)",
        "ALTER TABLE sessions DROP theirs",
    ],
    ids=["varchar", "dropped column"],
)
async def test_a_table_of_ours_may_have_been_changed(
    place: str, admin: Connection, changed: str
) -> None:
    """Ids of limited length, and columns that were dropped, are no reason to refuse a table."""
    await admin.execute(OLD)
    await admin.execute(changed)
    async with opened(place) as store:
        assert await store.load("old") == [{"n": 1}]


async def test_a_table_made_while_it_is_looked_for_is_not_somebody_elses(
    place: str, admin: Connection
) -> None:
    """Names are looked up as of now, rows as of the beginning of the query."""
    connection: Any = await asyncpg.connect(place)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            await connection.fetchval("SELECT count(*) FROM pg_class")
            async with opened(place) as store:
                await store.create("s")
            assert await admin.fetchval("SELECT to_regclass('sessions')") is not None
            assert await Layout("sessions")._lacks(connection) is not None
        assert await Layout("sessions")._lacks(connection) is None
    finally:
        await connection.close()


async def test_current_layout_needs_row_rights_only(place: str, admin: Connection) -> None:
    """A role that may only read and write rows is served, beside a long reader, at once."""
    async with opened(place) as store:
        await store.create("s")
    await admin.execute("DROP ROLE IF EXISTS clerk")
    await admin.execute("CREATE ROLE clerk LOGIN PASSWORD 'clerk'")
    await admin.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO clerk")
    dsn = Dsn.parse(place)
    own = str(Dsn("clerk", "clerk", dsn.addresses, dsn.database, dsn.parameters))
    async with admin.transaction():
        await admin.execute("LOCK TABLE sessions IN ROW EXCLUSIVE MODE")
        async with opened(own, lock_timeout=1) as store:
            assert await store.update("s", cost_data={"a": 1})
            assert await store.delete("s")


@pytest.mark.parametrize("table", ["My Sessions", 'quo"ted', "select", "ünï", "a.b", "%s$1{}"])
async def test_table_name_is_set(place: str, admin: Connection, table: str) -> None:
    """Any identifier names the table, and nothing else is made."""
    async with opened(place, table=table) as store:
        session = await store.create()
        assert await store.update(session, cost_data={"a": 1})
        assert await store.get_cost_data(session) == {"a": 1}
    made = await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert [row[0] for row in made] == [table]


@pytest.mark.parametrize("table", ["", "x" * 64, "a\x00b"])
def test_table_name_that_can_not_be(table: str) -> None:
    """A name that PostgreSQL would cut or refuse is refused at once."""
    with pytest.raises(ValueError, match="table name"):
        PostgresSessionStore("postgresql://h/d", table=table)


async def test_search_path_is_respected(place: str, admin: Connection) -> None:
    """An old table in a later schema of the path is the one that is migrated and used."""
    await admin.execute(OLD)
    await admin.execute("CREATE SCHEMA first")
    async with opened(place + "?options=-csearch_path%3Dfirst,public") as store:
        assert await store.exists("old")
    assert await columns(admin, "first.sessions") == []
