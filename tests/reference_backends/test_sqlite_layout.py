from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from reference_backends.sqlite import SqliteSessionStore
from reference_backends.sqlite_layout import instant_text, normal_time, now_text
from sessionstore_contract.interface import SessionStoreError, StoreUnavailableError
from tests.reference_backends.sqlite_places import (
    FIRST_LAYOUT,
    fill_first_layout,
    locked_by_another_process,
    run_sql,
    start_python,
)

if TYPE_CHECKING:
    from pathlib import Path

OLD_TIME = "2024-01-02T03:04:05"
COLUMNS = ["session_id", "messages", "created_at", "updated_at", "cost_data"]


def column_names(path: Path) -> list[str]:
    return [row[0] for row in run_sql(path, "SELECT name FROM pragma_table_info('sessions')")]


async def test_a_new_database_has_the_layout(path: Path) -> None:
    """The table has the five columns, the long one last, and the file is in WAL mode."""
    store = SqliteSessionStore(path)
    assert await store.exists("a") is False
    await store.close()
    assert sorted(column_names(path)) == sorted(COLUMNS)
    assert column_names(path)[-1] == "messages"
    assert run_sql(path, "PRAGMA journal_mode") == [("wal",)]


async def test_an_old_database_is_migrated(path: Path) -> None:
    """The old messages are there, cost data is {} and takes an update, and the old times stand."""
    fill_first_layout(path, a=OLD_TIME, b=OLD_TIME)
    times = "SELECT rowid, session_id, created_at, updated_at FROM sessions"
    before = run_sql(path, times)
    store = SqliteSessionStore(path)
    assert await store.load("a") == [{}]
    assert await store.get_cost_data("a") == {}
    assert run_sql(path, times) == before
    assert await store.update("a", cost_data={"n": 1}) is True
    assert await store.get_cost_data("a") == {"n": 1}
    assert await store.delete_before(datetime(2024, 1, 2, 3, 4, 6, tzinfo=UTC)) == 1
    assert await store.load("b") is None
    await store.close()


async def test_migrating_keeps_what_it_does_not_know(path: Path) -> None:
    """Columns, tables, indexes and rows of others survive."""
    fill_first_layout(path, a=OLD_TIME)
    run_sql(path, "ALTER TABLE sessions ADD COLUMN owner TEXT DEFAULT 'me'")
    run_sql(path, "CREATE INDEX mine ON sessions (owner)")
    run_sql(path, "CREATE TABLE notes AS SELECT 1 AS n")
    store = SqliteSessionStore(path)
    await store.save("a", [])
    await store.save("b", [])
    await store.close()
    assert run_sql(path, "SELECT session_id, owner FROM sessions") == [("a", "me"), ("b", "me")]
    assert run_sql(path, "SELECT n FROM notes") == [(1,)]
    assert run_sql(path, "SELECT name FROM sqlite_master WHERE type = 'index' AND name = 'mine'")


@pytest.mark.parametrize("is_old", [True, False], ids=["old", "new"])
async def test_many_first_uses_at_once(path: Path, is_old: bool) -> None:
    """Sixteen first operations on each of four stores all work, on a fresh and an old file."""
    if is_old:
        fill_first_layout(path, old=OLD_TIME)
    stores = [SqliteSessionStore(path) for _ in range(4)]
    names = await asyncio.gather(*(store.create() for store in stores for _ in range(16)))
    assert all(await asyncio.gather(*(stores[0].exists(name) for name in names)))
    assert await stores[1].load("old") == ([{}] if is_old else None)
    await asyncio.gather(*(store.close() for store in stores))
    assert sorted(column_names(path)) == sorted(COLUMNS)


FIRST_USE = """
import asyncio, sys
from reference_backends.sqlite import SqliteSessionStore

async def main():
    store = SqliteSessionStore(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await store.update("old", cost_data={sys.argv[2]: 1})
    await store.close()

asyncio.run(main())
"""


async def test_processes_that_migrate_at_once_all_work(path: Path) -> None:
    """Four processes start on an old file at the same time, and each one's update stands."""
    fill_first_layout(path, old=OLD_TIME)
    processes = [start_python(FIRST_USE, str(path), str(n)) for n in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in processes] == [""] * 4
    store = SqliteSessionStore(path)
    assert await store.get_cost_data("old") == {str(n): 1 for n in range(4)}
    await store.close()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("mode", ["wal", "delete"])
async def test_a_current_database_is_not_changed(path: Path, mode: str) -> None:
    """Opening and reading leave every byte of the file as it was, and its journal mode."""
    first = SqliteSessionStore(path)
    await first.save("a", [{}])
    await first.close()
    run_sql(path, f"PRAGMA journal_mode = {mode}")
    before = digest(path)
    store = SqliteSessionStore(path)
    assert await store.load("a") == [{}]
    await store.close()
    assert digest(path) == before
    assert run_sql(path, "PRAGMA journal_mode") == [(mode,)]


async def test_a_current_database_opens_beside_a_writer(path: Path) -> None:
    """While another process holds the write lock, a new store reads without waiting."""
    first = SqliteSessionStore(path)
    await first.save("a", [{}])
    with locked_by_another_process(path):
        second = SqliteSessionStore(path, lock_timeout=0)
        assert await second.load("a") == [{}]
        await second.close()
    await first.close()


async def test_a_database_in_another_journal_mode_is_served(path: Path) -> None:
    """Where its owner keeps the file out of WAL mode, everything works, beside readers too."""
    run_sql(path, FIRST_LAYOUT)
    run_sql(path, "ALTER TABLE sessions ADD COLUMN cost_data TEXT")
    store = SqliteSessionStore(path)
    await store.create("a")
    updating = (store.update("a", cost_data={str(n): n}) for n in range(20))
    reading = (store.get_cost_data("a") for _ in range(20))
    await asyncio.gather(*updating, *reading)
    assert await store.get_cost_data("a") == {str(n): n for n in range(20)}
    await store.close()


async def test_a_migration_that_is_held_up_can_be_tried_again(path: Path) -> None:
    """It raises after the time-out with nothing changed, and works once the lock is free."""
    fill_first_layout(path, a=OLD_TIME)
    run_sql(path, "PRAGMA journal_mode = WAL")
    store = SqliteSessionStore(path, lock_timeout=0.05)
    with locked_by_another_process(path):
        with pytest.raises(StoreUnavailableError, match=r"sessions\.db: another process"):
            await store.load("a")
        assert column_names(path) == COLUMNS[:4]
    assert await store.load("a") == [{}]
    await store.close()


async def test_a_warm_store_goes_on_while_another_migrates(path: Path) -> None:
    """A reader of the old layout in the middle of its transaction holds nobody up."""
    fill_first_layout(path, a=OLD_TIME)
    run_sql(path, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(path, isolation_level=None)) as warm:
        warm.execute("BEGIN")
        before = warm.execute("SELECT * FROM sessions").fetchall()
        store = SqliteSessionStore(path)
        assert await store.update("a", cost_data={"n": 1}) is True
        assert warm.execute("SELECT * FROM sessions").fetchall() == before
        warm.execute("COMMIT")
        assert warm.execute("SELECT cost_data FROM sessions").fetchall() == [('{"n":1}',)]
    await store.close()


@pytest.mark.parametrize(
    "foreign",
    [
        "CREATE TABLE sessions (id INTEGER PRIMARY KEY, token TEXT)",
        "CREATE TABLE sessions (session_id TEXT, messages TEXT, created_at TEXT, updated_at TEXT)",
        "CREATE VIEW sessions AS SELECT 1 AS session_id",
    ],
    ids=["columns", "key", "view"],
)
async def test_a_foreign_table_is_refused_and_kept(path: Path, foreign: str) -> None:
    """The message says what was found, and not a byte of the file is changed."""
    run_sql(path, foreign)
    before = digest(path)
    store = SqliteSessionStore(path)
    with pytest.raises(SessionStoreError, match=r"sessions\.db: its table `sessions` has the col"):
        await store.create("a")
    await store.close()
    assert digest(path) == before


CUTOFF = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "is_older"),
    [
        ("2024-01-02T03:04:04", True),
        ("2024-01-02T03:04:05", False),
        ("2024-01-02 03:04:04.999999", True),
        ("2024-01-02 03:04:05", False),
        ("2024-01-02T03:04:04+00:00", True),
        ("2024-01-02T03:04:05.000000+00:00", False),
        ("2024-01-02T08:04:04+05:00", True),
        ("2024-01-02T08:04:05+05:00", False),
        ("2024-01-01T22:04:04-05:00", True),
        ("2024-01-01T22:04:05-05:00", False),
        ("2024-01-02T03:04:04Z", True),
        ("2024-01-02T03:04:05Z", False),
        ("0001-01-01T00:00:00+05:00", True),
        ("9999-12-31T23:59:59-05:00", False),
        ("", False),
        ("yesterday", False),
        ("0", False),
        (None, False),
        (b"\xff", False),
    ],
)
async def test_delete_before_compares_instants(
    path: Path, stored: str | bytes | None, is_older: bool
) -> None:
    """Old rows count by the instant they mean; an unreadable time is no reason to delete."""
    run_sql(path, FIRST_LAYOUT)
    run_sql(path, "INSERT INTO sessions VALUES ('a', '[]', NULL, CAST(? AS TEXT))", stored)
    store = SqliteSessionStore(path)
    for zone in (UTC, timezone(timedelta(hours=-9, minutes=-30))):
        counted = await store.delete_before(CUTOFF.astimezone(zone))
        assert counted == (is_older and zone is UTC)
        assert await store.exists("a") is not is_older
    await store.close()


def test_written_times_have_one_form() -> None:
    """UTC, of one width, in which the order of texts is the order of time."""
    assert instant_text(CUTOFF) == "2024-01-02T03:04:05.000000+00:00"
    assert len(now_text()) == len(instant_text(CUTOFF))
    before, now, after = (
        instant_text(datetime.now(UTC)),
        now_text(),
        instant_text(datetime.now(UTC)),
    )
    assert before <= now <= after
    assert normal_time(now.encode()) == now
    assert normal_time(now_text()[:10].encode()) < now_text()  # type: ignore[operator]


def test_a_cutoff_at_the_end_of_time_has_a_form() -> None:
    """A datetime whose UTC is out of range counts as the end it is next to."""
    east, west = timezone(timedelta(hours=5)), timezone(timedelta(hours=-5))
    assert instant_text(datetime.min.replace(tzinfo=east)) == "0001-01-01T00:00:00.000000+00:00"
    assert instant_text(datetime.max.replace(tzinfo=west)) == "9999-12-31T23:59:59.999999+00:00"
