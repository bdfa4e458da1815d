from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends.sqlite import SqliteSessionStore
from reference_backends.sqlite_in_place import LONG, find, replace
from sessionstore_contract.interface import SessionStoreError
from tests.reference_backends.sqlite_places import run_sql, trace

if TYPE_CHECKING:
    from pathlib import Path

HISTORY = [{"role": "user", "content": "x" * 1000}] * (2 * LONG // 1000)
"""Long, and more than what an update may write."""

COLUMNS = """
    session_id TEXT PRIMARY KEY, messages TEXT, created_at TEXT, updated_at TEXT, cost_data TEXT
"""


def logged(path: Path) -> int:
    """Answer the bytes in the log, after it was emptied."""
    log = path.with_name(path.name + "-wal")
    return log.stat().st_size if log.exists() else 0


def empty_the_log(path: Path) -> None:
    run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert logged(path) == 0


def cost_text(path: Path) -> str:
    ((text,),) = run_sql(path, "SELECT cost_data FROM sessions WHERE session_id = 'a'")
    assert isinstance(text, str)
    return text


def assert_sound(path: Path) -> None:
    assert run_sql(path, "PRAGMA integrity_check") == [("ok",)]


class WithoutBlobs:
    """A connection of a driver that has no `blobopen`, such as `pysqlite3`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.execute = database.execute


def test_a_driver_without_blobs_writes_the_row_anew() -> None:
    """Whoever puts another one in the place of Python's own has a newer SQLite, not more."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as plain:
        plain.execute(f"CREATE TABLE sessions ({COLUMNS})")
        plain.execute("INSERT INTO sessions (session_id, messages) VALUES ('a', '[]')")
        database: Any = WithoutBlobs(plain)
        found = find(database, "a")
        assert found is not None
        replace(database, "a", found, "{}", long=1)
        assert plain.execute("SELECT cost_data FROM sessions").fetchall() == [("{}",)]


def test_updates_leave_nothing_in_memory() -> None:
    """Python keeps something of each blob that was opened, until its connection is closed."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute(f"CREATE TABLE sessions ({COLUMNS})")
        database.execute("INSERT INTO sessions (session_id, messages) VALUES ('a', '[]')")
        held = []
        for _ in range(4):
            for turn in range(1_500):
                found = find(database, "a")
                assert found is not None
                replace(database, "a", found, f'{{"turn_count":{turn}}}', long=LONG)
            gc.collect()
            held.append(sys.getallocatedblocks())
        assert held[-1] - held[0] < 1_500


async def test_an_update_does_not_write_a_long_history_anew(
    path: Path, store: SqliteSessionStore
) -> None:
    """From the second on an update writes a page or two, however many messages there are."""
    await store.save("a", HISTORY)
    await store.update("a", cost_data={"turn_count": 8})
    empty_the_log(path)
    statements = trace(store)
    for turn in range(9, 13):
        await store.update("a", cost_data={"turn_count": turn})
    assert 0 < logged(path) < LONG // 2
    assert not [statement for statement in statements if statement.startswith("UPDATE")]
    assert await store.get_cost_data("a") == {"turn_count": 12}
    assert await store.load("a") == HISTORY
    assert_sound(path)


@pytest.mark.parametrize("size", [64, 1024])
async def test_there_is_room_to_grow_at_every_length(store: SqliteSessionStore, size: int) -> None:
    """Also where the text would fill what it is rounded up to."""
    await store.save("a", HISTORY)
    text = "x" * (size - len('{"text":""}'))
    await store.update("a", cost_data={"text": text})
    statements = trace(store)
    await store.update("a", cost_data={"text": text + "x" * (size // 8)})
    assert not [statement for statement in statements if statement.startswith("UPDATE")]


async def test_others_read_what_was_written_over(path: Path, store: SqliteSessionStore) -> None:
    """It is JSON in the same column, and the time of the session is that of the update."""
    await store.save("a", HISTORY)
    for turn in range(3):
        ((before,),) = run_sql(path, "SELECT updated_at FROM sessions")
        await store.update("a", cost_data={"turn_count": turn})
        ((after,),) = run_sql(path, "SELECT updated_at FROM sessions")
        assert json.loads(cost_text(path)) == {"turn_count": turn}
        assert after > before
        assert len(after) == len(before)


async def test_cost_data_of_a_short_history_is_followed_by_nothing(
    path: Path, store: SqliteSessionStore
) -> None:
    """Room is made only where it spares something."""
    await store.create("a")
    await store.update("a", cost_data={"turn_count": 1})
    assert cost_text(path) == '{"turn_count":1}'


async def test_cost_data_may_grow_and_shrink(path: Path, store: SqliteSessionStore) -> None:
    """Each state is read as it was merged, and what has shrunk does not keep its room for ever."""
    await store.save("a", HISTORY)
    expected: dict[str, Any] = {}
    for size in (0, 1, 15, 16, 40, 63, 64, 65, 100, 1000, 998, 100_000, 99_999, 3, 0, 40):
        for name in ("a", "b"):
            await store.update("a", cost_data={name: "é" * size})
            expected[name] = "é" * size
            assert await store.get_cost_data("a") == expected
            assert json.loads(cost_text(path)) == expected
    assert len(cost_text(path)) < 2000
    assert_sound(path)


async def test_updates_at_once_are_merged(path: Path, store: SqliteSessionStore) -> None:
    """A group is one transaction: each sees what the one before has written over."""
    await store.save("a", HISTORY)
    await store.update("a", cost_data={str(number): 10 for number in range(20)})
    await asyncio.gather(
        *(store.update("a", cost_data={str(number): number}) for number in range(20)),
        *(store.update("a", cost_data={f"new {number}": number}) for number in range(20)),
    )
    assert await store.get_cost_data("a") == {
        **{str(number): number for number in range(20)},
        **{f"new {number}": number for number in range(20)},
    }
    assert_sound(path)


async def test_what_was_written_over_can_be_undone(path: Path, store: SqliteSessionStore) -> None:
    """A transaction that is rolled back leaves what was there."""
    await store.save("a", HISTORY)
    await store.update("a", cost_data={"turn_count": 1})
    assert store._connections is not None
    before = cost_text(path)

    def fail_after_an_update(database: Any) -> None:
        database.execute("UPDATE sessions SET created_at = 'x'")
        with database.blobopen("sessions", "cost_data", 1) as cost_data:
            cost_data.write(b" " * len(before))
        raise RuntimeError("on purpose")

    writes = (
        store._write(fail_after_an_update),
        store.update("a", cost_data={"other": 2}),
        store._write(fail_after_an_update),
    )
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [RuntimeError, bool, RuntimeError]
    assert await store.get_cost_data("a") == {"turn_count": 1, "other": 2}
    assert run_sql(path, "SELECT count(*) FROM sessions WHERE created_at = 'x'") == [(0,)]


ADDED = {
    "a trigger": (
        f"""
        CREATE TABLE sessions ({COLUMNS});
        CREATE TABLE seen (turn_count INTEGER);
        CREATE TRIGGER noting AFTER UPDATE OF cost_data ON sessions BEGIN
            INSERT INTO seen VALUES (json_extract(new.cost_data, '$.turn_count'));
        END
        """,
        "SELECT max(turn_count) FROM seen",
    ),
    "an index": (
        f"""
        CREATE TABLE Sessions ({COLUMNS});
        CREATE INDEX by_turns ON sessions (json_extract(cost_data, '$.turn_count'))
        """,
        """
        SELECT max(json_extract(cost_data, '$.turn_count')) FROM sessions INDEXED BY by_turns
        WHERE json_extract(cost_data, '$.turn_count') = 5
        """,
    ),
    "a partial index": (
        f"""
        CREATE TABLE sessions ({COLUMNS});
        CREATE INDEX fifth ON sessions (created_at)
        WHERE json_extract(cost_data, '$.turn_count') = 5
        """,
        """
        SELECT DISTINCT 5 FROM sessions INDEXED BY fifth
        WHERE json_extract(cost_data, '$.turn_count') = 5
        """,
    ),
    "a computed column": (
        f"""
        CREATE TABLE sessions ({COLUMNS}, turn_count INTEGER
            GENERATED ALWAYS AS (json_extract(cost_data, '$.turn_count')) STORED)
        """,
        "SELECT turn_count FROM sessions WHERE session_id = 'a'",
    ),
    "no number": (f"CREATE TABLE sessions ({COLUMNS}) WITHOUT ROWID", "SELECT 5"),
    "a column that hides the number": (
        f"CREATE TABLE sessions ({COLUMNS}, RowId INTEGER DEFAULT 1)",
        "SELECT 5",
    ),
    "a text that hides the number": (
        f"CREATE TABLE sessions ({COLUMNS}, rowid TEXT DEFAULT 'first')",
        "SELECT 5",
    ),
}
"""What somebody has made of the database, and a query that answers 5 if it knows of the fifth."""


@pytest.mark.parametrize(("sql", "query"), ADDED.values(), ids=ADDED)
async def test_what_others_have_added_learns_of_an_update(
    path: Path, store: SqliteSessionStore, sql: str, query: str
) -> None:
    """Nothing of somebody's is passed over: not a trigger, an index nor a computed column."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(sql)
    for name in ("b", "a", "c"):
        await store.save(name, HISTORY)
    for turn in range(1, 6):
        for name in ("c", "b", "a"):
            await store.update(name, cost_data={"turn_count": turn, "name": name})
    assert run_sql(path, query) == [(5,)]
    for name in ("a", "b", "c"):
        assert await store.get_cost_data(name) == {"turn_count": 5, "name": name}
    assert await store.load("a") == HISTORY
    assert_sound(path)


SPACED = """'{"turn_count":1}' || printf('%48s', '')"""
NOW = "'2020-01-01T00:00:00.000000+00:00'"


@pytest.mark.parametrize(
    "check", ["length(cost_data) < 20", "json_extract(cost_data, '$.turn_count') < 13"]
)
async def test_a_check_of_somebody_s_is_asked(
    path: Path, store: SqliteSessionStore, check: str
) -> None:
    """Spaces are not held against the text, and what is refused is told."""
    run_sql(path, f"CREATE TABLE sessions ({COLUMNS}, Check ({check}))")
    await store.save("a", HISTORY)
    for turn in range(8, 13):
        await store.update("a", cost_data={"turn_count": turn})
    with pytest.raises(SessionStoreError, match="CHECK constraint failed"):
        await store.update("a", cost_data={"turn_count": 10**9})
    assert await store.get_cost_data("a") == {"turn_count": 12}


STORED = {
    "NULL": ("NULL", NOW),
    "cost data as bytes": (f"CAST({SPACED} AS BLOB)", NOW),
    "cost data of another length": ("""'{"turn_count":1}' || printf('%47s', '')""", NOW),
    "a time as bytes": (SPACED, f"CAST({NOW} AS BLOB)"),
    "a time of another length": (SPACED, "'2020-01-01'"),
}


@pytest.mark.parametrize(("stored", "moment"), STORED.values(), ids=STORED)
async def test_what_others_have_stored_is_replaced(
    path: Path, store: SqliteSessionStore, stored: str, moment: str
) -> None:
    """Cost data of another kind, and a time of another one, come to be the store's own."""
    await store.save("a", HISTORY)
    run_sql(path, f"UPDATE sessions SET cost_data = {stored}, updated_at = {moment}")
    for turn in range(2, 5):
        await store.update("a", cost_data={"turn_count": turn})
        assert json.loads(cost_text(path)) == {"turn_count": turn}
    ((kind, then),) = run_sql(path, "SELECT typeof(cost_data), updated_at FROM sessions")
    assert kind == "text"
    assert isinstance(then, str)
    assert len(then) == len(NOW) - 2


async def test_characters_of_two_bytes_are_not_written_over(
    path: Path, store: SqliteSessionStore
) -> None:
    """Not where the lengths happen to be those of the store's own either."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"PRAGMA encoding = 'UTF-16le'; CREATE TABLE sessions ({COLUMNS})")
    await store.save("a", HISTORY)
    text = '{"turn_count":1}'.ljust(32)
    run_sql(path, "UPDATE sessions SET cost_data = ?, updated_at = '2020-01-01T00:00'", text)
    await store.update("a", cost_data={"turn_count": 2})
    assert json.loads(cost_text(path)) == {"turn_count": 2}


async def test_times_of_two_bytes_a_character_are_times(
    path: Path, store: SqliteSessionStore
) -> None:
    """Nothing would ever be too old there."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"PRAGMA encoding = 'UTF-16be'; CREATE TABLE sessions ({COLUMNS})")
    await store.create("old")
    run_sql(path, "UPDATE sessions SET updated_at = '2020-01-01T00:00:00'")
    await store.create("new")
    assert await store.delete_before(datetime(2021, 1, 1, tzinfo=UTC)) == 1
    assert await store.exists("new")


@pytest.mark.parametrize("messages", ["NULL", "5", "x'5b5d'"])
async def test_messages_of_any_kind_are_no_hindrance(
    path: Path, store: SqliteSessionStore, messages: str
) -> None:
    """How long they are is asked of what can tell it."""
    await store.create("a")
    run_sql(path, f"UPDATE sessions SET messages = {messages}")
    assert await store.update("a", cost_data={"turn_count": 1})
    assert await store.get_cost_data("a") == {"turn_count": 1}
