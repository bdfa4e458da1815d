"""The PostgreSQL store on a real server: what the contract does not see."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest

from reference_backends import postgres_pool, postgres_spares
from reference_backends.jsonb import encode
from reference_backends.postgres import PostgresSessionStore
from reference_backends.postgres_layout import Layout
from sessionstore_contract.interface import (
    SessionExistsError,
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
    UnstorableValueError,
)
from sessionstore_contract.storage.dsn import Dsn
from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.postgres import PostgresStorage
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import TypeAlias

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

OLD = """
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, messages JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL, theirs TEXT DEFAULT 'x');
INSERT INTO sessions VALUES ('old', '[{"n": 1}]', '2020-01-01Z', '2020-01-01Z', 'kept');
"""


ENDING_ALL_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


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


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresStorage]:
    """Lend a storage on an embedded server."""
    server = EmbeddedServer.join(tmp_path_factory.mktemp("run"))
    opened = PostgresStorage(server.dsn)
    yield opened
    opened.close()
    server.leave()


@pytest.fixture
def place(storage: PostgresStorage) -> Iterator[str]:
    """Lend a fresh place."""
    with storage.fresh() as dsn:
        yield dsn


@pytest.fixture
async def admin(place: str) -> AsyncIterator[Connection]:
    """Lend a connection to the place that is none of the store's."""
    connection = await asyncpg.connect(place)
    yield connection
    await connection.close()


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


async def test_sessions_from_beginning_to_end(place: str) -> None:
    """The operations do what they say, on one session."""
    async with opened(place) as store:
        session = await store.create()
        with pytest.raises(SessionExistsError):
            await store.create(session)
        await store.save(session, [{"role": "user"}])
        assert await store.update(session, cost_data={"a": {"b": 1}, "c": None})
        assert await store.update(session, cost_data={"a": {"d": 2}})
        assert await store.load(session) == [{"role": "user"}]
        assert await store.get_cost_data(session) == {"a": {"d": 2}, "c": None}
        assert await store.delete(session)
        assert not await store.delete(session)
        assert not await store.update(session, cost_data={"a": 1})
        assert await store.load(session) is None
        await store.save(session, [])
        assert await store.get_cost_data(session) == {}


async def test_numbers_keep_their_kind(place: str) -> None:
    """Floats come back as floats and integers exact, where JSONB keeps decimals only."""
    numbers = [
        1e16,
        -1.5e300,
        1.7976931348623157e308,
        5e-324,
        0.1,
        1.0,
        1e22,
        2**53,
        10**25,
        -(10**400),
    ]
    numbers += [random.Random(1).uniform(-1, 1) * 10.0**power for power in range(-300, 300, 7)]
    value = {
        "numbers": numbers,
        "1e+16": ['"1e+16"', "\\", "1e+16", {'a"1e+30': 1e30}],
        "zero": -0.0,
    }
    async with opened(place) as store:
        session = await store.create()
        await store.update(session, cost_data=value)
        read = await store.get_cost_data(session)
    assert read == value
    assert [type(number) for number in read["numbers"]] == [type(number) for number in numbers]
    assert type(read["zero"]) is float
    assert encode("1e+16") == '"1e+16"'


@pytest.mark.parametrize("place_of_it", [0, 999])
async def test_a_float_among_many_messages_stays_one(place: str, place_of_it: int) -> None:
    """Messages without floats are worded in another way than those with one, however deep."""
    messages: list[Any] = [{"role": "user", "content": "hello", "n": n} for n in range(1000)]
    messages[place_of_it] = {"deep": [{"er": [1e16]}]}
    async with opened(place) as store:
        await store.save("s", messages)
        read = await store.load("s")
    assert read == messages
    assert repr(read[place_of_it]) == repr(messages[place_of_it])


async def test_update_without_fields_writes_nothing(place: str, admin: Connection) -> None:
    """Neither form of an empty update touches the row."""
    async with opened(place) as store:
        await store.create("s")
        before = await admin.fetchrow("SELECT xmin, updated_at FROM sessions")
        assert await store.update("s")
        assert await store.update("s", cost_data={})
        assert not await store.update("missing")
        assert await admin.fetchrow("SELECT xmin, updated_at FROM sessions") == before


async def test_delete_before_is_strict_and_aware(place: str, admin: Connection) -> None:
    """The cutoff itself survives, offsets mean the same instant, and naive cutoffs are refused."""
    instant = datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
    async with opened(place) as store:
        for name in ("before", "at"):
            await store.create(name)
        await admin.execute("UPDATE sessions SET updated_at = $1", instant)
        await admin.execute(
            "UPDATE sessions SET updated_at = $1 WHERE session_id = 'before'",
            instant - timedelta(microseconds=1),
        )
        for wrong in (datetime(2030, 1, 1), "2030-01-01", None):  # noqa: DTZ001
            with pytest.raises(ValueError, match="cutoff"):
                await store.delete_before(wrong)  # type: ignore[arg-type]
        assert await store.delete_before(instant.astimezone(timezone(timedelta(hours=5)))) == 1
        assert await store.exists("at")
        assert await store.delete_before(datetime.min.replace(tzinfo=UTC)) == 0


async def test_activity_is_the_moment_of_writing(place: str, admin: Connection) -> None:
    """A write that waited for another is dated when it was made, not when it was asked for."""
    async with opened(place) as store:
        await store.create("s")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            waiting = [
                asyncio.create_task(store.update("s", cost_data={"a": 1})),
                asyncio.create_task(store.save("s", [])),
            ]
            await until_someone_waits(admin)
            released = await admin.fetchval("SELECT clock_timestamp()")
        await asyncio.gather(*waiting)
        assert await admin.fetchval("SELECT updated_at FROM sessions") > released


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


@pytest.mark.parametrize("stored", ["[]", "1", "null", '"text"'])
async def test_unreadable_cost_data_raises(place: str, admin: Connection, stored: str) -> None:
    """Cost data that is no object raises on reading and on updating, and stays as it is."""
    async with opened(place) as store:
        await store.create("s")
        await admin.execute("UPDATE sessions SET cost_data = $1", stored)
        before = await admin.fetchrow("SELECT cost_data, updated_at FROM sessions")
        with pytest.raises(SessionStoreError, match="no object"):
            await store.get_cost_data("s")
        with pytest.raises(SessionStoreError, match="no object"):
            await store.update("s", cost_data={"a": 1})
        assert await admin.fetchrow("SELECT cost_data, updated_at FROM sessions") == before


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


async def test_first_uses_at_once_open_one_pool(place: str, admin: Connection) -> None:
    """Sixteen first operations share a pool, and after `close` no connection is left."""
    store = PostgresSessionStore(place, pool_size=4)
    await asyncio.gather(*(store.create() for _ in range(16)))
    assert 1 <= await connections(admin) <= 4
    await asyncio.gather(store.close(), store.close())
    await store.close()
    assert await are_left(admin, 0)


async def test_pool_starts_with_one_connection(place: str, admin: Connection) -> None:
    """A store that is used by one caller holds one connection."""
    async with opened(place) as store:
        for _ in range(3):
            await store.create()
        assert await connections(admin) == 1


async def test_a_burst_opens_few_connections(place: str, admin: Connection) -> None:
    """Opening one takes ten times as long as a statement: the others have been served by then."""
    async with opened(place) as store:
        await store.create("one")
        await asyncio.gather(*(store.exists("one") for _ in range(32)))

        assert await connections(admin) < 10


async def test_stuck_connections_let_the_pool_grow(place: str, admin: Connection) -> None:
    """To its size, which is where whoever comes next waits."""
    async with opened(place, pool_size=4) as store:
        for number in range(4):
            await store.create(f"s{number}")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            updates = [
                asyncio.create_task(store.update(f"s{number}", cost_data={"a": 1}))
                for number in range(3)
            ]
            await until_someone_waits(admin, 3)
            assert await store.exists("s3")
        assert await asyncio.gather(*updates) == [True] * 3
        assert await connections(admin) == 4


async def test_first_use_that_failed_or_was_cancelled(place: str, admin: Connection) -> None:
    """The next use tries again; a cancelled first caller does not take the others with it."""
    async with opened(place) as store:
        await admin.execute("CREATE TABLE sessions (foreign_column int)")
        with pytest.raises(SessionStoreError):
            await store.create()
        await admin.execute("DROP TABLE sessions")
        first, second = (asyncio.create_task(store.create()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await store.exists(await second)


@pytest.mark.parametrize("instances", [1, 4])
async def test_updates_at_once_all_stand(place: str, instances: int) -> None:
    """Fifty updates of different keys are all there, on one instance and on four."""
    stores = [PostgresSessionStore(place, pool_size=5) for _ in range(instances)]
    await stores[0].create("s")
    updates = (stores[n % instances].update("s", cost_data={str(n): n}) for n in range(50))
    assert all(await asyncio.gather(*updates))
    assert await stores[0].get_cost_data("s") == {str(n): n for n in range(50)}
    await asyncio.gather(*(store.close() for store in stores))


@pytest.mark.slow
async def test_storm_of_cancellations_leaks_nothing(place: str, admin: Connection) -> None:
    """Operations cancelled at any moment had their effect or not, and cost no connection."""
    chance = random.Random(7)
    async with opened(place, pool_size=4) as store:
        await store.create("s")
        for _ in range(15):
            tasks = [
                asyncio.create_task(store.update("s", cost_data={"a": n, "b": n}))
                for n in range(10)
            ] + [asyncio.create_task(store.load("s")) for _ in range(5)]
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            wrong = [
                outcome for outcome in outcomes
                if isinstance(outcome, BaseException)
                and not isinstance(outcome, asyncio.CancelledError)
            ]  # fmt: skip
            assert wrong == []
            cost = await store.get_cost_data("s")
            assert cost.get("a") == cost.get("b")
        await asyncio.gather(*(store.exists("s") for _ in range(12)))
        assert await connections(admin) <= 4
    assert await are_left(admin, 0)


async def test_cancelled_while_waiting_for_a_lock(place: str, admin: Connection) -> None:
    """An update cancelled while it waits has no effect later, when the lock is free."""
    async with opened(place) as store:
        await store.create("s")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            update = asyncio.create_task(store.update("s", cost_data={"a": 1}))
            await until_someone_waits(admin)
            update.cancel()
            with pytest.raises(asyncio.CancelledError):
                await update
        assert await store.get_cost_data("s") == {}


async def test_stuck_session_leaves_others_served(place: str, admin: Connection) -> None:
    """More updates of a locked session than the pool has connections hold up that session only."""
    async with opened(place, pool_size=2) as store:
        await store.create("stuck")
        await store.create("other")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions WHERE session_id = 'stuck' FOR UPDATE")
            stuck = [
                asyncio.create_task(store.update("stuck", cost_data={str(n): n})) for n in range(6)
            ]
            await until_someone_waits(admin)
            assert await store.update("other", cost_data={"a": 1})
            assert await store.get_cost_data("stuck") == {}
        assert all(await asyncio.gather(*stuck))


async def test_lock_timeout_is_the_servers(place: str, admin: Connection) -> None:
    """A lock that is not given in time makes the write raise, undone and safe to try again."""
    async with opened(place, lock_timeout=0.05) as store:
        await store.create("s")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            with pytest.raises(StoreUnavailableError, match="55P03") as said:
                await store.save("s", [{}])
        assert said.value.is_retry_safe
        assert await store.load("s") == []


async def test_command_timeout_ends_the_statement(place: str, admin: Connection) -> None:
    """A statement that takes too long raises and has no effect later."""
    async with opened(place, command_timeout=0.2, lock_timeout=None) as store:
        await store.create("s")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            with pytest.raises(StoreUnavailableError, match="too long") as said:
                await store.update("s", cost_data={"a": 1})
        assert said.value.is_retry_safe
        assert await store.get_cost_data("s") == {}


async def test_connections_dropped_by_the_server(place: str, admin: Connection) -> None:
    """After the server ended every idle connection, operations work on the second try."""
    async with opened(place) as store:
        await asyncio.gather(*(store.create(f"s{n}") for n in range(5)))
        for operation in (
            lambda: store.load("s0"),
            lambda: store.update("s0", cost_data={"a": 1}),
            lambda: store.save("s0", []),
        ):
            await admin.execute(ENDING_ALL_OTHERS)
            try:
                await operation()
            except StoreUnavailableError as error:
                assert error.is_retry_safe  # noqa: PT017 - it may work at once, too
                await operation()


async def test_what_was_seen_to_end_is_not_used(place: str, admin: Connection) -> None:
    """A write is not lost to a connection of which it is known that the server has ended it."""
    async with opened(place) as store:
        for number in range(3):
            await store.save("s", [{"n": number}])
            async with store._pool.connection() as lent:
                connection = cast("Any", lent)._con  # what is lent forgets it
            await admin.execute(ENDING_ALL_OTHERS)
            await until(connection.is_closed)
        assert await store.load("s") == [{"n": 2}]


async def test_what_fails_its_trial_is_ended(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the pool would have it back, and lend it to the next one."""
    async with opened(place) as store:
        await store.create("s")
        async with store._pool.connection() as lent:
            connection = cast("Any", lent)._con
        execute = asyncpg.pool.PoolConnectionProxy.execute

        async def fails_there(self: Any, *arguments: Any) -> Any:
            if self._con is connection:
                raise OSError("of no use")
            return await execute(self, *arguments)

        monkeypatch.setattr(asyncpg.pool.PoolConnectionProxy, "execute", fails_there)
        store._pool._is_doubtful = True
        assert await store.exists("s")
        assert connection.is_closed()


async def test_what_nobody_has_used_for_a_while_is_the_pools(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which closes it when it is not used for minutes; until then it serves again."""
    monkeypatch.setattr(postgres_spares, "IDLE", 0.05)
    async with opened(place) as store:
        await store.create("s")
        pool, _ = await store._pool._opened()
        assert pool.get_idle_size() == 0
        await until(lambda: pool.get_idle_size() == 1)
        assert await store.exists("s")
        assert pool.get_size() == 1


async def test_closing_waits_for_nothing_but_what_is_under_way(
    place: str, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what is at rest nor what ends meanwhile keeps it from its end."""
    monkeypatch.setattr(postgres_pool, "CLOSE_TIMEOUT", None)
    monkeypatch.setattr(postgres_spares, "IDLE", 1_000)
    store = PostgresSessionStore(place)
    await asyncio.gather(*(store.create(name) for name in ("s", "t")))
    async with admin.transaction():
        await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
        writing = asyncio.create_task(store.update("s", cost_data={"a": 1}))
        await until_someone_waits(admin)
        assert await store.exists("t")
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await writing
        await closing
    assert await are_left(admin, 0)


async def test_acquiring_is_bounded(place: str, admin: Connection) -> None:
    """When every connection is in use for too long, an operation raises and may be repeated."""
    async with opened(place, pool_size=1, acquire_timeout=0.2) as store:
        await store.create("stuck")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            stuck = asyncio.create_task(store.update("stuck", cost_data={"a": 1}))
            await until_someone_waits(admin)
            with pytest.raises(StoreUnavailableError, match="no connection in time") as said:
                await store.load("stuck")
        assert said.value.is_retry_safe
        assert await stuck


async def test_waiting_for_a_turn_is_bounded(place: str, admin: Connection) -> None:
    """So it is while connections are free: writers of one session come one after the other."""
    async with opened(place, acquire_timeout=0.2) as store:
        await store.create("stuck")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            stuck = asyncio.create_task(store.update("stuck", cost_data={"a": 1}))
            await until_someone_waits(admin)
            async with asyncio.timeout(10):
                with pytest.raises(StoreUnavailableError, match="no connection in time"):
                    await store.update("stuck", cost_data={"b": 1})
            assert await store.exists("stuck")
        assert await stuck


@pytest.mark.parametrize("is_lost", [False, True], ids=["one more", "in the place of a lost one"])
async def test_connecting_is_a_part_of_acquiring(
    place: str, admin: Connection, is_lost: bool
) -> None:
    """However long a connection may take, an operation has no more time than it has."""
    line = Line(place)
    async with line.opened() as dsn:
        store = PostgresSessionStore(
            dsn, acquire_timeout=0.3, connect_timeout=600, command_timeout=600
        )
        await store.create("s")
        line.is_dead = True
        others: list[asyncio.Task[Any]] = []
        if is_lost:
            await admin.execute(ENDING_ALL_OTHERS)
        else:
            others.append(asyncio.create_task(store.load("s")))
        await asyncio.sleep(0.1)  # for what has ended to be heard of, and the other to be stuck
        async with asyncio.timeout(10):
            with pytest.raises(StoreUnavailableError, match="no connection in time"):
                await store.exists("s")
        line.is_dead = False
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await store.close()


async def test_statement_cache_can_be_off(place: str, admin: Connection) -> None:
    """Without the cache no statement stays prepared on the server."""
    async with opened(place, statement_cache_size=0, lock_timeout=None) as store:
        session = await store.create()
        assert await store.update(session, cost_data={"a": 1})
        async with store._pool.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0


async def test_refused_values_reach_no_server() -> None:
    """Ids and values are checked before any connection is made."""
    store = PostgresSessionStore("postgresql://u:p@127.0.0.1:1/d")
    for work in (store.save("s", None), store.save("s", [b""]), store.update("s", cost_data=[])):  # type: ignore[arg-type,list-item]
        with pytest.raises(UnstorableValueError):
            await work
    with pytest.raises(SessionStoreError):
        await store.create("")
    await store.close()


async def test_closed_stays_closed(place: str) -> None:
    """Every operation raises after `close`, also when the store was never used."""
    for is_used in (False, True):
        store = PostgresSessionStore(place)
        if is_used:
            await store.create("s")
        await store.close()
        for work in (store.create(), store.load("s"), store.update("s"), store.exists("s")):
            with pytest.raises(StoreClosedError):
                await work


async def test_close_with_operations_under_way(place: str, admin: Connection) -> None:
    """Operations that run when the store is closed finish, or raise that it was closed."""
    store = PostgresSessionStore(place, pool_size=2)
    await store.create("s")
    tasks = [
        asyncio.create_task(store.update(f"s{n % 3}", cost_data={"a": n})) for n in range(20)
    ] + [asyncio.create_task(store.load("s")) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await store.close()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert not isinstance(outcome, BaseException) or isinstance(outcome, StoreClosedError)
    assert await are_left(admin, 0)


async def test_close_while_opening(place: str, admin: Connection) -> None:
    """A store that is closed while it opens leaves no connection; its callers are told."""
    store = PostgresSessionStore(place)
    first = asyncio.create_task(store.create())
    for _ in range(5):
        await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreClosedError):
        await first
    assert await are_left(admin, 0)


def test_second_event_loop_raises_at_once(place: str) -> None:
    """A store in use by one loop says so in another, and goes on in the first."""
    store = PostgresSessionStore(place)

    async def use_in_two_loops() -> None:
        await store.create("s")
        found: list[BaseException] = []

        def use() -> None:
            try:
                asyncio.run(store.load("s"))
            except SessionStoreError as error:
                found.append(error)

        thread = threading.Thread(target=use)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert "another event loop" in str(found[0])
        assert await store.exists("s")
        await store.close()

    asyncio.run(use_in_two_loops())


def test_failed_first_use_binds_no_loop(place: str) -> None:
    """A first use that failed can be tried again in another loop."""
    store = PostgresSessionStore(place)

    async def fail() -> None:
        connection = await asyncpg.connect(place)
        await connection.execute("CREATE TABLE sessions (foreign_column int)")
        with pytest.raises(SessionStoreError):
            await store.create()
        await connection.execute("DROP TABLE sessions")
        await connection.close()

    async def work() -> None:
        assert await store.create("s") == "s"
        await store.close()

    asyncio.run(fail())
    asyncio.run(work())


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://postgres:s3cret-word@{address}/postgres",
        "postgresql://postgres:s3cret-word@x@{address}/postgres",
        "postgresql://postgres:s3cret-word/x@{address}/postgres",
        "postgresql://postgres@{address}/postgres?password=s3cret-word&sslmode=wrong",
        "postgresql://postgres:s3cret%2Dword@127.0.0.1:1/postgres",
        "s3cret-word",
    ],
)
async def test_password_never_shows(place: str, dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with the DSN or the server, no wording of it shows the password."""
    caplog.set_level(logging.DEBUG)
    host, port = Dsn.parse(place).addresses[0]
    async with opened(dsn.format(address=f"{host}:{port}")) as store:
        with pytest.raises(StoreUnavailableError) as said:
            await store.load("s")
        told = [repr(store), repr(said.value), "".join(traceback.format_exception(said.value))]
    assert said.value.__cause__ is said.value.__context__ is None
    assert "\n" not in str(said.value)
    assert [text for text in (*told, caplog.text) if "s3cret" in text] == []


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None])
@pytest.mark.slow
async def test_server_that_is_none(answer: bytes | None) -> None:
    """A peer that hangs up, talks nonsense or says nothing makes an operation raise in time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer or b"")
        if answer is None:
            await reader.read()  # until the store hangs up
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        dsn = f"postgresql://u:s3cret@127.0.0.1:{port}/d"
        async with opened(dsn, connect_timeout=0.5, acquire_timeout=1) as store:
            with pytest.raises(StoreUnavailableError) as said:
                await store.get_cost_data("s")
            assert said.value.is_retry_safe


@pytest.mark.slow
async def test_server_that_falls_silent(place: str) -> None:
    """When the line goes dead under a warm store, operations and `close` are bounded."""
    line = Line(place)
    async with line.opened() as dsn:
        store = PostgresSessionStore(dsn, command_timeout=0.3, connect_timeout=0.3)
        await store.create("s")
        line.is_dead = True
        for work in (store.update("s", cost_data={"a": 1}), store.load("s")):
            with pytest.raises(StoreUnavailableError) as said:
                await work
            assert said.value.is_retry_safe
        async with asyncio.timeout(10):
            await store.close()


@pytest.mark.slow
def test_forgotten_close_lets_the_process_end(place: str) -> None:
    """A process that never closes its store ends, and its work is there."""
    code = (
        "import asyncio, sys\n"
        "from reference_backends.postgres import PostgresSessionStore\n"
        "asyncio.run(PostgresSessionStore(sys.argv[1]).create('s'))\n"
    )
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code, place], env=environment, check=True, timeout=30)

    async def found() -> bool:
        async with opened(place) as store:
            return await store.exists("s")

    assert asyncio.run(found())


async def test_server_that_was_away(place: str) -> None:
    """A store whose server was not there at first works once it is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    line = Line(place)
    dsn = str(replace(line.dsn, addresses=(("127.0.0.1", str(free)),)))
    async with opened(dsn) as store:
        with pytest.raises(StoreUnavailableError) as said:
            await store.create("s")
        assert said.value.is_retry_safe
        assert said.value.__context__ is None
        async with line.opened(free):
            assert await store.create("s") == "s"
            await store.close()
