# ruff: noqa: ASYNC240 - what a test looks at is small, and on a disk of its own
from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract.interface import (
    InvalidSessionIdError,
    SessionExistsError,
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
    UnstorableValueError,
)
from tests.reference_backends.sqlite_places import (
    FIRST_LAYOUT,
    locked_by_another_process,
    run_sql,
    start_python,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

CALLS: dict[str, Callable[[SqliteSessionStore], Coroutine[Any, Any, Any]]] = {
    "create": lambda store: store.create("new"),
    "load": lambda store: store.load("a"),
    "save": lambda store: store.save("a", []),
    "update": lambda store: store.update("a", cost_data={"n": 1}),
    "get_cost_data": lambda store: store.get_cost_data("a"),
    "delete": lambda store: store.delete("a"),
    "exists": lambda store: store.exists("a"),
    "delete_before": lambda store: store.delete_before(datetime.now(UTC)),
}


async def test_a_session_is_missing_then_empty_then_full(store: SqliteSessionStore) -> None:
    """Missing, empty and full are told apart by every reading operation."""
    assert await store.load("a") is None
    assert await store.exists("a") is False
    assert await store.get_cost_data("a") == {}
    assert await store.create("a") == "a"
    assert await store.load("a") == []
    await store.save("a", [{"role": "user"}])
    assert await store.load("a") == [{"role": "user"}]
    assert await store.delete("a") is True
    assert await store.delete("a") is False
    assert await store.load("a") is None


async def test_create_refuses_a_taken_id(store: SqliteSessionStore) -> None:
    """The session that has the id stays as it was."""
    await store.save("a", [{"n": 1}])
    await store.update("a", cost_data={"n": 1})
    with pytest.raises(SessionExistsError, match="'a'"):
        await store.create("a")
    assert await store.load("a") == [{"n": 1}]
    assert await store.get_cost_data("a") == {"n": 1}


async def test_update_merges_one_level_deep(store: SqliteSessionStore) -> None:
    """A key that is given is replaced whole, the others and the messages stay, None is a value."""
    await store.save("a", [{"n": 1}])
    assert await store.update("a", cost_data={"turns": 1, "usage": {"in": 3, "out": 5}})
    assert await store.update("a", cost_data={"usage": {"in": 9}, "model": None, "a.$": "\u2028"})

    merged = {"turns": 1, "usage": {"in": 9}, "model": None, "a.$": "\u2028"}
    assert await store.get_cost_data("a") == merged
    assert await store.load("a") == [{"n": 1}]


async def test_update_of_a_missing_session_makes_none(store: SqliteSessionStore) -> None:
    """The answer is False, with fields and without, and nothing is there afterwards."""
    assert await store.update("a", cost_data={"turns": 1}) is False
    assert await store.update("a") is False
    assert await store.exists("a") is False


async def test_update_without_fields_writes_nothing(store: SqliteSessionStore, path: Path) -> None:
    """`update(id)` and an empty update leave the row as it was, its times included."""
    await store.create("a")
    before = run_sql(path, "SELECT rowid, * FROM sessions")
    assert await store.update("a") is True
    assert await store.update("a", cost_data={}) is True
    assert run_sql(path, "SELECT rowid, * FROM sessions") == before


async def test_save_touches_what_it_owns(store: SqliteSessionStore, path: Path) -> None:
    """A save keeps the row, its cost data and the columns of others."""
    await store.create("a")
    await store.update("a", cost_data={"n": 1})
    run_sql(path, "ALTER TABLE sessions ADD COLUMN owner TEXT")
    run_sql(path, "UPDATE sessions SET owner = 'me'")
    columns = "SELECT rowid, session_id, created_at, cost_data, owner FROM sessions"
    before = run_sql(path, columns)
    await store.save("a", [{"n": 1}])
    assert run_sql(path, columns) == before


async def test_save_after_delete_starts_without_cost_data(store: SqliteSessionStore) -> None:
    """Nothing of the deleted session comes back."""
    await store.create("a")
    await store.update("a", cost_data={"turns": 1})
    await store.delete("a")
    await store.save("a", [])
    assert await store.get_cost_data("a") == {}


async def test_arguments_are_what_they_were_at_the_call(store: SqliteSessionStore) -> None:
    """A dict or list that is changed while the store writes is written as it was handed over."""
    messages, cost_data = [{"n": 1}], {"n": [1]}
    saving = asyncio.ensure_future(store.save("a", messages))
    await asyncio.sleep(0)
    messages[0]["n"] = 2
    await saving
    updating = asyncio.ensure_future(store.update("a", cost_data=cost_data))
    await asyncio.sleep(0)
    cost_data["n"].append(2)
    await updating
    assert await store.load("a") == [{"n": 1}]
    assert await store.get_cost_data("a") == {"n": [1]}


async def test_refused_arguments_touch_no_file(store: SqliteSessionStore, path: Path) -> None:
    """Ids, values and cutoffs are checked before any I/O."""
    with pytest.raises(InvalidSessionIdError):
        await store.load("")
    with pytest.raises(UnstorableValueError):
        await store.save("a", [{"n": float("nan")}])
    with pytest.raises(UnstorableValueError):
        await store.update("a", cost_data=[])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no UTC offset"):
        await store.delete_before(datetime(2024, 1, 2))  # noqa: DTZ001
    assert not path.exists()


async def test_delete_before_goes_by_the_last_write(store: SqliteSessionStore) -> None:
    """`save` and an effective `update` count, reads and an empty update do not."""
    for name in ("read", "empty", "saved", "updated"):
        await store.create(name)
    cutoff = datetime.now(UTC)
    await store.load("read")
    await store.update("empty", cost_data={})
    await store.save("saved", [])
    await store.update("updated", cost_data={"turns": 1})
    assert await store.delete_before(cutoff) == 2
    assert await store.exists("saved")
    assert await store.exists("updated")
    assert await store.delete_before(datetime.max.replace(tzinfo=UTC)) == 2


@pytest.mark.parametrize("stored", ["{", "[1]", b"\xff", "", "[" * 100_000])
async def test_unreadable_is_not_empty(
    store: SqliteSessionStore, path: Path, stored: str | bytes
) -> None:
    """Cost data and messages that can't be read raise, on `update` as well, and stay."""
    await store.create("a")
    await store.create("b")
    sql = "UPDATE sessions SET cost_data = CAST(? AS TEXT), messages = CAST(? AS TEXT)"
    run_sql(path, sql + " WHERE session_id = 'a'", stored, stored if stored != "[1]" else "{}")
    before = run_sql(path, "SELECT CAST(cost_data AS BLOB) FROM sessions")
    for refused in (store.get_cost_data("a"), store.update("a", cost_data={"n": 1})):
        with pytest.raises(SessionStoreError, match="cost data of session 'a' can't be read"):
            await refused
    with pytest.raises(SessionStoreError, match="messages of session 'a' can't be read"):
        await store.load("a")
    assert run_sql(path, "SELECT CAST(cost_data AS BLOB) FROM sessions") == before
    assert await store.update("b", cost_data={"n": 1}) is True


async def test_null_columns_are_empty(store: SqliteSessionStore, path: Path) -> None:
    """A row whose cost data is NULL reads {} and takes an update."""
    await store.create("a")
    run_sql(path, "UPDATE sessions SET cost_data = NULL, messages = NULL")
    assert await store.get_cost_data("a") == {}
    assert await store.load("a") == []
    assert await store.update("a", cost_data={"n": 1}) is True
    assert await store.get_cost_data("a") == {"n": 1}


async def test_what_an_update_does_not_name_is_written_back(
    store: SqliteSessionStore, path: Path
) -> None:
    """Values of an earlier release that would be refused today survive an update beside them."""
    await store.create("a")
    run_sql(path, """UPDATE sessions SET cost_data = '{"old": [NaN, "\\ud800"]}'""")
    await store.update("a", cost_data={"n": 1})
    cost_data = await store.get_cost_data("a")
    assert repr(cost_data) == repr({"old": [float("nan"), "\ud800"], "n": 1})


async def test_another_store_sees_a_write_at_once(store: SqliteSessionStore, path: Path) -> None:
    """What one store was acknowledged, the next read of another answers; close is no commit."""
    other = SqliteSessionStore(path)
    for turn in range(20):
        await store.save("a", [{"n": turn}])
        assert await other.load("a") == [{"n": turn}]
        await other.update("a", cost_data={"n": turn})
        assert await store.get_cost_data("a") == {"n": turn}
    await other.close()


async def test_reopening_finds_everything(path: Path) -> None:
    """A store on the same file reads what the closed one wrote."""
    first = SqliteSessionStore(path)
    await first.save("a", [{"text": "\U0001f600"}])
    await first.update("a", cost_data={"n": 1.0})
    await first.close()
    second = SqliteSessionStore(os.fspath(path))
    assert await second.load("a") == [{"text": "\U0001f600"}]
    assert repr(await second.get_cost_data("a")) == "{'n': 1.0}"
    await second.close()


async def test_a_relative_path_is_that_of_the_construction(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changing the folder before the first use does not change the file."""
    monkeypatch.chdir(path.parent)
    store = SqliteSessionStore(path.name)
    monkeypatch.chdir("/")
    await store.create("a")
    await store.close()
    assert path.exists()


@pytest.mark.parametrize("place", ["", ":memory:"])
def test_a_place_that_is_no_file_is_refused(place: str) -> None:
    """Two connections would be two databases there."""
    with pytest.raises(ValueError, match="MemorySessionStore"):
        SqliteSessionStore(place)


@pytest.mark.parametrize("timeout", [-1, float("nan"), 1e9])
def test_a_lock_timeout_out_of_range_is_refused(path: Path, timeout: float) -> None:
    """The message names the range and the value."""
    with pytest.raises(ValueError, match="lock_timeout is 0 to 3600 seconds"):
        SqliteSessionStore(path, lock_timeout=timeout)


async def test_a_missing_folder_is_named_and_the_store_works_once_it_is_there(
    tmp_path: Path,
) -> None:
    """A failed first use leaves no thread, and can be tried again on the same object."""
    store = SqliteSessionStore(tmp_path / "later" / "sessions.db")
    threads = threading.active_count()
    with pytest.raises(StoreUnavailableError, match=r"later/sessions\.db: .*folder") as caught:
        await store.create("a")
    assert caught.value.is_retry_safe
    assert threading.active_count() == threads
    (tmp_path / "later").mkdir()
    assert await store.create("a") == "a"
    await store.close()


async def test_a_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    """The message names the path, and the file is as it was."""
    path.write_text("a diary, not a database\n" * 100)
    store = SqliteSessionStore(path)
    with pytest.raises(SessionStoreError, match=r"sessions\.db: it is no SQLite database"):
        await store.load("a")
    await store.close()
    assert path.read_text() == "a diary, not a database\n" * 100


async def test_a_foreign_lock_is_waited_for_then_named(path: Path) -> None:
    """While another process writes, reads answer, writes raise after the time-out, then work."""
    store = SqliteSessionStore(path, lock_timeout=0.05)
    await store.create("a")
    with locked_by_another_process(path):
        assert await store.load("a") == []
        with pytest.raises(StoreUnavailableError, match=r"sessions\.db: another process") as caught:
            await store.update("a", cost_data={"lost": 1})
    assert caught.value.is_retry_safe
    assert await store.update("a", cost_data={"n": 1}) is True
    assert await store.get_cost_data("a") == {"n": 1}
    await store.close()


DISK_IS_FULL = """
import asyncio, resource, signal, sys
from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract.interface import StoreUnavailableError

async def main():
    store = SqliteSessionStore(sys.argv[1])
    await store.save("a", [{"n": 1}])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    results = await asyncio.gather(
        store.update("a", cost_data={"n": 1}),
        store.save("a", [{"text": "x" * 1_000_000}]),
        store.save("b", [{"n": 2}]),
        return_exceptions=True,
    )
    print([type(result).__name__ for result in results])
    print(await store.load("a"), await store.get_cost_data("a"), await store.load("b"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.save("a", [{"text": "x" * 1_000_000}])
    print(len((await store.load("a"))[0]["text"]))
    await store.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is set as Linux sets it")
def test_a_full_disk_fails_the_write_that_is_too_large_alone(path: Path) -> None:
    """The others of its group are committed, and the store works once there is room."""
    with start_python(DISK_IS_FULL, str(path)) as process:
        output, errors = process.communicate()
    assert errors == ""
    assert output.splitlines() == [
        "['bool', 'StoreUnavailableError', 'NoneType']",
        "[{'n': 1}] {'n': 1} [{'n': 2}]",
        "1000000",
    ]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_any_operation_may_be_the_first(
    store: SqliteSessionStore, call: Callable[[SqliteSessionStore], Coroutine[Any, Any, Any]]
) -> None:
    """Every operation works on a fresh file."""
    await call(store)
    assert await store.create("other") == "other"


@pytest.mark.parametrize("is_used", [True, False], ids=["used", "unused"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_closed_stays_closed(
    path: Path,
    call: Callable[[SqliteSessionStore], Coroutine[Any, Any, Any]],
    is_used: bool,
) -> None:
    """Every operation of a closed store raises, and makes no file."""
    store = SqliteSessionStore(path)
    if is_used:
        await store.create("a")
    await store.close()
    await store.close()
    with pytest.raises(StoreClosedError, match=r"sessions\.db"):
        await call(store)
    assert path.exists() is is_used


def census() -> tuple[int, int, int]:
    """Count the threads, open files and tasks."""
    files = list(Path("/proc/self/fd").iterdir())
    return threading.active_count(), len(files), len(asyncio.all_tasks())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files are counted in /proc")
async def test_close_leaves_nothing_behind(path: Path) -> None:
    """After cycles of use and concurrent closing: no thread, file or task more than before."""
    before = census()
    for _ in range(5):
        store = SqliteSessionStore(path)
        await asyncio.gather(*(store.create() for _ in range(5)))
        await asyncio.gather(*(store.close() for _ in range(5)))
    assert census() == before


async def test_operations_under_way_at_close_finish_or_raise(path: Path) -> None:
    """What was acknowledged is stored, what raised is not, during the first use too."""
    for is_used in (True, False):
        store = SqliteSessionStore(path)
        if is_used:
            await store.exists("a")
        names = [f"{is_used}{n}" for n in range(20)]
        creating = [asyncio.ensure_future(store.create(name)) for name in names]
        reading = [asyncio.ensure_future(store.load(name)) for name in names]
        await asyncio.sleep(0)
        await store.close()
        results = await asyncio.gather(*creating, return_exceptions=True)
        for result in [*results, *await asyncio.gather(*reading, return_exceptions=True)]:
            assert not isinstance(result, BaseException) or isinstance(result, StoreClosedError)
        stored = {row[0] for row in run_sql(path, "SELECT session_id FROM sessions")}
        assert stored & set(names) == {name for name in results if isinstance(name, str)}


async def test_a_cancelled_close_can_be_repeated(path: Path) -> None:
    """However far the first one came, the second one completes."""
    threads = threading.active_count()
    for steps in range(6):
        store = SqliteSessionStore(path)
        await store.exists("a")
        first = asyncio.ensure_future(store.close())
        for _ in range(steps):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await store.close()
        assert threading.active_count() == threads


def test_construction_needs_no_loop_and_a_loop_may_end(path: Path) -> None:
    """In a second loop the store raises at once, and can still be closed."""
    threads = threading.active_count()
    store = SqliteSessionStore(path)
    assert not path.exists()
    asyncio.run(store.save("a", [{"n": 1}]))
    with pytest.raises(SessionStoreError, match="belongs to another event loop"):
        asyncio.run(store.load("a"))
    asyncio.run(store.close())
    assert threading.active_count() == threads


CLOSE_IS_FORGOTTEN = """
import asyncio, sys
from reference_backends.sqlite import SqliteSessionStore

store = SqliteSessionStore(sys.argv[1])

async def main():
    await store.save("a", [{"n": 1}])
    asyncio.ensure_future(store.update("a", cost_data={"n": 1}))
    asyncio.ensure_future(store.load("a"))
    await asyncio.sleep(0)

asyncio.run(main())
"""


def test_a_process_that_forgets_close_ends(path: Path) -> None:
    """It ends in good order, with operations under way, and what was acknowledged is there."""
    with start_python(CLOSE_IS_FORGOTTEN, str(path)) as process:
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")
    assert run_sql(path, "SELECT messages FROM sessions") == [('[{"n":1}]',)]


def test_a_loop_that_ends_during_a_write_leaves_the_thread_alive(path: Path) -> None:
    """The write that waits for a lock has ended before the loop does, and close still works."""
    threads = threading.active_count()
    store = SqliteSessionStore(path, lock_timeout=0.2)

    async def begin() -> None:
        await store.exists("a")
        writing = asyncio.ensure_future(store.create("a"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not writing.done()

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute(FIRST_LAYOUT)
        other.execute("ALTER TABLE sessions ADD COLUMN cost_data TEXT")
        other.execute("BEGIN IMMEDIATE")
        asyncio.run(begin())
        other.execute("ROLLBACK")
    asyncio.run(store.close())
    assert threading.active_count() == threads


async def test_a_loop_that_ends_during_the_first_use_leaves_no_thread(path: Path) -> None:
    """Also when the opening waits for a lock: the loop does not end before the thread."""
    threads = threading.active_count()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        store = SqliteSessionStore(path, lock_timeout=0.1)

        async def begin() -> None:
            first = asyncio.ensure_future(store.create("a"))
            for _ in range(3):
                await asyncio.sleep(0)
            assert not first.done()

        await asyncio.to_thread(asyncio.run, begin())
        other.execute("ROLLBACK")
    await store.close()
    # `to_thread` keeps a thread of its own.
    assert threading.active_count() == threads + 1


async def test_the_event_loop_stays_free(path: Path) -> None:
    """While a write waits for a lock held elsewhere, other tasks and reads go on."""
    store = SqliteSessionStore(path)
    await store.create("a")
    with locked_by_another_process(path):
        writing = asyncio.ensure_future(store.update("a", cost_data={"n": 1}))
        for _ in range(50):
            assert await store.exists("a")
        assert not writing.done()
    assert await writing is True
    await store.close()


async def test_a_cutoff_in_the_past_deletes_nothing_new(
    store: SqliteSessionStore,
) -> None:
    """A session that was made after the cutoff stays."""
    await store.create("a")
    assert await store.delete_before(datetime.now(UTC) - timedelta(hours=1)) == 0
