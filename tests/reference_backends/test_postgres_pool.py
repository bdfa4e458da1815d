"""The connections of the PostgreSQL store: opened, lent, lost and closed."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import asyncpg
import pytest

from reference_backends import postgres_pool, postgres_spares
from reference_backends.postgres import PostgresSessionStore
from sessionstore_contract.interface import (
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
)
from sessionstore_contract.storage.dsn import Dsn
from tests.waiting import until

from .postgres_places import Line, are_left, connections, opened, until_someone_waits

if TYPE_CHECKING:
    from .postgres_places import Connection

ENDING_ALL_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


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


async def test_a_connection_that_may_only_read_is_given_up(place: str, admin: Connection) -> None:
    """After a failover it leads to a standby for as long as it lives; a new one does not."""
    async with opened(place) as store:
        await store.create("s")
        async with store._pool.connection() as connection:
            await connection.execute("SET default_transaction_read_only = on")
        with pytest.raises(StoreUnavailableError, match="25006") as said:
            await store.save("s", [{}])
        assert said.value.is_retry_safe
        await store.save("s", [{}])
        assert await connections(admin) == 1


async def test_a_server_that_is_full_serves_those_who_wait(place: str, admin: Connection) -> None:
    """Where no further connection is to be had, the ones that are open are shared."""
    role = f"crowded_{uuid4().hex}"
    await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT 2")
    await admin.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    try:
        async with opened(str(replace(Dsn.parse(place), user=role, password="x"))) as store:
            history = [{"content": "x" * 20_000}] * 20
            await asyncio.gather(*(store.save(f"s{n}", history) for n in range(100)))
            assert 1 <= await connections(admin) <= 2
    finally:
        await admin.execute(f"DROP OWNED BY {role}")
        await admin.execute(f"DROP ROLE {role}")
