from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends import sqlite_queue
from reference_backends.sqlite import SqliteSessionStore
from reference_backends.sqlite_queue import MAX_GROUP
from sessionstore_contract.interface import (
    SessionExistsError,
    SessionStoreError,
    StoreUnavailableError,
)
from tests.reference_backends.sqlite_places import (
    locked_by_another_process,
    run_sql,
    start_python,
    trace,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteSessionStore]:
    store = SqliteSessionStore(path)
    await store.create("a")
    yield store
    await store.close()


async def rest(store: SqliteSessionStore) -> None:
    """Let the thread end: one that waits takes the first write of a round by itself at times."""
    assert store._connections is not None
    await store._connections.writer.finish()


@pytest.mark.parametrize("instances", [1, 4])
async def test_updates_at_once_all_stand(path: Path, instances: int) -> None:
    """Fifty updates of different keys, on one store and on several, lose nothing."""
    stores = [SqliteSessionStore(path) for _ in range(instances)]
    await stores[0].create("a")
    updating = (stores[n % instances].update("a", cost_data={str(n): n}) for n in range(50))
    assert await asyncio.gather(*updating) == [True] * 50
    for store in stores:
        assert await store.get_cost_data("a") == {str(n): n for n in range(50)}
    await asyncio.gather(*(store.close() for store in stores))


MANY_UPDATES = """
import asyncio, sys
from reference_backends.sqlite import SqliteSessionStore

async def main():
    store = SqliteSessionStore(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(10):
        await asyncio.gather(
            *(store.update("a", cost_data={f"{sys.argv[2]} {n} {m}": 1}) for m in range(5))
        )
    await store.close()

asyncio.run(main())
"""


async def test_updates_of_several_processes_all_stand(
    store: SqliteSessionStore, path: Path
) -> None:
    """Three processes update different keys at once, and none is lost or told of a lock."""
    processes = [start_python(MANY_UPDATES, str(path), str(n)) for n in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in processes] == [""] * 3
    assert len(await store.get_cost_data("a")) == 150


async def test_writes_at_once_are_one_transaction(store: SqliteSessionStore) -> None:
    """Fifty updates at once are one commit, and more than a group's worth are two."""
    statements = trace(store)
    await rest(store)
    await asyncio.gather(*(store.update("a", cost_data={str(n): n}) for n in range(50)))
    assert statements.count("COMMIT") == statements.count("BEGIN IMMEDIATE") == 1
    await rest(store)
    await asyncio.gather(*(store.create() for _ in range(MAX_GROUP + 1)))
    assert statements.count("COMMIT") == 3


async def test_who_writes_again_at_once_meets_the_thread_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked once, for the first; and whoever closes does not wait for it."""
    monkeypatch.setattr(sqlite_queue, "LINGER", 20.0)
    store = SqliteSessionStore(path)
    await store.create("a")
    assert store._connections is not None
    writing = store._connections.writing
    asked, commit = 0, writing.commit

    async def counted() -> None:
        nonlocal asked
        asked += 1
        await commit()

    monkeypatch.setattr(writing, "commit", counted)
    async with asyncio.timeout(10):
        for number in range(3):
            await store.save("a", [{"n": number}])
            assert await store.load("a") == [{"n": number}]
        await store.close()
    assert asked == 0


async def test_an_acknowledged_write_is_committed(store: SqliteSessionStore, path: Path) -> None:
    """At the moment of each answer, another connection sees the write."""

    async def create(name: str) -> None:
        await store.create(name)
        assert run_sql(path, "SELECT 1 FROM sessions WHERE session_id = ?", name)

    await asyncio.gather(*(create(str(n)) for n in range(30)))


async def test_a_reader_sees_groups_whole(store: SqliteSessionStore) -> None:
    """Both keys of each update are seen or neither, while groups are being written."""

    async def write(n: int) -> None:
        await store.update("a", cost_data={"one": n, "two": n})

    writing = asyncio.gather(*(write(n) for n in range(300)))
    while not writing.done():
        cost_data = await store.get_cost_data("a")
        assert cost_data.get("one") == cost_data.get("two")
    await writing


async def test_a_failure_is_its_own_writes_only(store: SqliteSessionStore, path: Path) -> None:
    """In one group, the taken id and the unreadable row raise, and the others are committed."""
    await store.create("bad")
    run_sql(path, "UPDATE sessions SET cost_data = '[' WHERE session_id = 'bad'")
    statements = trace(store)
    await rest(store)
    results = await asyncio.gather(
        store.create("b"),
        store.create("a"),
        store.update("bad", cost_data={"n": 1}),
        store.update("a", cost_data={"n": 1}),
        store.create("b"),
        store.update("missing", cost_data={"n": 1}),
        return_exceptions=True,
    )
    kinds = [type(result) for result in results]
    assert kinds == [str, SessionExistsError, SessionStoreError, bool, SessionExistsError, bool]
    assert statements.count("COMMIT") == 1
    assert await store.get_cost_data("a") == {"n": 1}
    assert run_sql(path, "SELECT cost_data FROM sessions WHERE session_id = 'bad'") == [("[",)]
    run_sql(path, "BEGIN IMMEDIATE")


async def test_a_write_that_fails_half_way_is_undone(store: SqliteSessionStore) -> None:
    """Its first statement is rolled back, and its neighbours in the group are committed."""

    def fail_half_way(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM sessions")
        database.execute("SELECT no_such_function()")

    assert store._opening is not None
    results = await asyncio.gather(
        store.create("b"),
        store._opening.result().writer.write(fail_half_way),
        store.create("c"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [str, sqlite3.OperationalError, str]
    for name in ("a", "b", "c"):
        assert await store.exists(name)


async def test_what_spoils_the_transaction_spoils_one_write(
    store: SqliteSessionStore, path: Path
) -> None:
    """A write at which SQLite rolls back the whole transaction fails alone."""
    await store.create("b")
    run_sql(
        path,
        """
        CREATE TRIGGER refuse BEFORE DELETE ON sessions WHEN old.session_id = 'b'
        BEGIN SELECT RAISE(ROLLBACK, 'b stays'); END
        """,
    )
    results = await asyncio.gather(
        store.update("a", cost_data={"n": 1}),
        store.delete("b"),
        store.create("c"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [bool, SessionStoreError, str]
    assert "b stays" in str(results[1])
    assert await store.get_cost_data("a") == {"n": 1}
    assert await store.exists("b")
    assert await store.exists("c")


async def test_a_group_that_can_not_be_committed_raises_once_for_all(path: Path) -> None:
    """A reader in rollback mode blocks the commit: all raise after one time-out, none is stored."""
    store = SqliteSessionStore(path, lock_timeout=0.05)
    await store.create("a")
    await store.close()
    run_sql(path, "PRAGMA journal_mode = DELETE")
    store = SqliteSessionStore(path, lock_timeout=0.05)
    await store.exists("a")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sessions").fetchall()
        statements = trace(store)
        results = await asyncio.gather(
            *(store.create(str(n)) for n in range(20)), return_exceptions=True
        )
        assert {type(result) for result in results} == {StoreUnavailableError}
        assert statements.count("COMMIT") == 1
        reader.execute("COMMIT")
    assert await store.create("b") == "b"
    assert run_sql(path, "SELECT session_id FROM sessions ORDER BY 1") == [("a",), ("b",)]
    await store.close()


async def cancelled_after(steps: int, work: asyncio.Task[Any]) -> bool:
    """Let the loop go round so many times, cancel, and answer whether it was in time."""
    for _ in range(steps):
        await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait({work})
    return work.cancelled()


async def test_a_cancelled_write_is_whole_or_nothing(store: SqliteSessionStore, path: Path) -> None:
    """Cancelled at any point: settled when it raises, with no lock left and others unharmed."""
    cancelled = 0
    for steps in range(60):
        beside = asyncio.ensure_future(store.update("a", cost_data={"beside": steps}))
        work = asyncio.ensure_future(store.update("a", cost_data={"x": steps, "y": steps}))
        cancelled += await cancelled_after(steps, work)
        settled = run_sql(path, "SELECT cost_data FROM sessions")
        if steps % 2:
            assert await beside is True
            run_sql(path, "BEGIN IMMEDIATE")
        else:
            await cancelled_after(0, beside)
        cost_data = await store.get_cost_data("a")
        assert cost_data.get("x") == cost_data.get("y")
        # Nothing of it came later than the CancelledError.
        assert run_sql(
            path, "SELECT json_extract(?, '$.x') IS ?", settled[0][0], cost_data.get("x")
        ) == [(1,)]
    assert cancelled > 0


async def test_a_storm_of_cancellations_leaves_the_store_usable(
    store: SqliteSessionStore, path: Path
) -> None:
    """Of two hundred operations of every kind most are cancelled; afterwards all is well."""
    work = []
    for n in range(50):
        work += [
            asyncio.ensure_future(store.create(str(n))),
            asyncio.ensure_future(store.save("a", [{"n": n}])),
            asyncio.ensure_future(store.load("a")),
            asyncio.ensure_future(store.delete(str(n))),
        ]
    for n, task in enumerate(work):
        if n % 3:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait(work)
    assert all(task.cancelled() or task.exception() is None for task in work)
    run_sql(path, "BEGIN IMMEDIATE")
    assert await store.update("a", cost_data={"n": 1}) is True


async def test_a_first_use_may_be_cancelled(path: Path) -> None:
    """However far it came, the others that opened with it, and later ones, work."""
    for steps in range(20):
        store = SqliteSessionStore(path.with_suffix(f".{steps}"))
        first = asyncio.ensure_future(store.create("a"))
        second = asyncio.ensure_future(store.create("b"))
        await cancelled_after(steps, first)
        assert await second == "b"
        assert await store.create("c") == "c"
        await store.close()


async def test_a_write_that_waits_for_a_lock_can_be_cancelled_at_once(
    store: SqliteSessionStore, path: Path
) -> None:
    """It is dropped before it began, while the one beside it goes on to wait."""
    with locked_by_another_process(path):
        dropped = asyncio.ensure_future(store.update("a", cost_data={"dropped": 1}))
        kept = asyncio.ensure_future(store.update("a", cost_data={"kept": 1}))
        assert await store.exists("a")
        assert await cancelled_after(3, dropped)
        assert not kept.done()
    assert await kept is True
    assert await store.get_cost_data("a") == {"kept": 1}


async def test_one_create_and_one_delete_win(path: Path) -> None:
    """Of many at once on several stores, exactly one works."""
    stores = [SqliteSessionStore(path) for _ in range(3)]
    creating = (store.create("a") for store in stores for _ in range(5))
    results = await asyncio.gather(*creating, return_exceptions=True)
    assert results.count("a") == 1
    assert sum(isinstance(result, SessionExistsError) for result in results) == 14
    deleting = (store.delete("a") for store in stores for _ in range(5))
    assert (await asyncio.gather(*deleting)).count(True) == 1
    await asyncio.gather(*(store.close() for store in stores))


KILLED = """
import asyncio, sys
from reference_backends.sqlite import SqliteSessionStore

async def main():
    store = SqliteSessionStore(sys.argv[1])
    for n in range(10_000):
        await asyncio.gather(*(store.create(f"{n}.{m}") for m in range(3)))
        print(n, flush=True)

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    """Everything that the killed process had been told of is in the database."""
    with start_python(KILLED, str(path)) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "50\n":
            pass
        process.kill()
        told = 51 + len(process.stdout.read().split("\n")[:-1])
    stored = {row[0] for row in run_sql(path, "SELECT session_id FROM sessions")}
    assert stored >= {f"{n}.{m}" for n in range(told) for m in range(3)}
