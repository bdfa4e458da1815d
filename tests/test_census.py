"""What is counted of a store, and what is told of one that leaves something behind."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from reference_backends.http import HttpSessionStore
from reference_backends.memory import MemorySessionStore
from reference_backends.postgres import PostgresSessionStore
from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract import catalogue, census
from sessionstore_contract.backend import Backend
from sessionstore_contract.census import KIT, count, threads
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.second_loop import in_second_loop
from sessionstore_contract.storage.elsewhere import NamedPlace, NoStorage
from sessionstore_contract.storage.platform import PlatformStorage
from sessionstore_contract.storage.postgres import PostgresStorage
from sessionstore_contract.verdict import Finding, Verdict

from .mutants import closing
from .test_subject import Echo, subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sessionstore_contract.interface import SessionStore
    from sessionstore_contract.storage import Storage

CLOSING = "closing.leaves-nothing-behind"
OPENING = "opening.first-use-opens-once"


@pytest.fixture(scope="module")
def platforms() -> Iterator[PlatformStorage]:
    storage = PlatformStorage()
    yield storage
    storage.close()


def find(clause_id: str, opener: Any, storage: Storage, *, timeout: float = 10.0) -> Finding:
    (clause,) = catalogue.select([clause_id])
    backend = Backend("it", open=opener, storage=storage, adding=("census",), timeout=timeout)
    return try_clause(clause, backend, storage, Conditions(seed=1, effort=EFFORTS["quick"]))


# What is counted ----------------------------------------------------------------------------------


async def test_threads_are_counted_but_for_those_of_the_kit() -> None:
    """A thread counts for as long as it runs."""
    before = (await count(None, None))["thread"]
    end = threading.Event()
    for name in ("a store's", f"{KIT} services"):
        threading.Thread(target=end.wait, name=name, daemon=True).start()
    assert (await count(None, None))["thread"] == before + 1
    assert "a store's" in threads()
    end.set()


async def test_the_thread_of_a_second_loop_is_none_of_a_stores() -> None:
    """The kit's own thread does not show, nor the loop's while it lasts."""
    seen: list[list[str]] = []

    class Looking(Echo):
        async def exists(self, session_id: str) -> bool:
            seen.append(threads())
            return True

    before = threads()
    await in_second_loop(subject(Looking()).exists("a"))
    assert [set(names) - set(before) for names in seen] == [set()]


async def test_tasks_are_counted() -> None:
    """A task counts until it is done."""
    before = (await count(None, None))["task"]
    task = asyncio.create_task(asyncio.sleep(3600))
    assert (await count(None, None))["task"] == before + 1
    task.cancel()


def processes() -> int:
    return asyncio.run(count(None, None))["process"]


def test_processes_are_counted_until_they_were_waited_for() -> None:
    """Those that this process has started, whether they still run or not."""
    before = processes()
    with subprocess.Popen(["sleep", "60"]) as program:
        assert processes() == before + 1
        program.kill()
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        assert processes() == before + 1
    assert processes() == before


@pytest.mark.parametrize("has_lists", [False, True])
def test_processes_are_counted_on_every_kernel(
    has_lists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the list of children that each thread has, or, where there is none, by their parents."""
    for pid, parent in (("3", os.getpid()), ("4", os.getpid()), ("5", 1)):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "stat").write_text(f"{pid} (a ) 7) S {parent} 0 0")
    (tmp_path / "6").mkdir()  # ended since
    for thread, children in (("1", "3 "), ("2", "4 9 ")):
        (tmp_path / "self/task" / thread).mkdir(parents=True)
        if has_lists:
            (tmp_path / "self/task" / thread / "children").write_text(children)
    monkeypatch.setattr(census, "PROCESSES", tmp_path)
    assert processes() == (3 if has_lists else 2)


async def test_files_of_the_place_are_counted(tmp_path: Path) -> None:
    """Those in the folder of the place and below, and no others."""
    place = tmp_path / "here" / "sessions.db"
    (place.parent / "deep").mkdir(parents=True)
    assert (await count(str(place), None))["file"] == 0
    with place.open("w"), (place.parent / "deep" / "one").open("w"), (tmp_path / "not").open("w"):
        assert (await count(str(place), None))["file"] == 2
    assert (await count(str(place), None))["file"] == 0


async def test_sockets_are_counted_where_the_place_is_no_path() -> None:
    """A socket counts for as long as it is open."""
    before = (await count("http://127.0.0.1:1", None))["socket"]
    with socket.socket():
        assert (await count("http://127.0.0.1:1", None))["socket"] == before + 1


async def test_what_the_storage_can_not_tell_is_left_out() -> None:
    """A count that is not known is no count of 0."""
    assert "connection" not in await count("http://127.0.0.1:1", lambda _: None)
    assert (await count("http://127.0.0.1:1", lambda _: 3))["connection"] == 3


# What is found ------------------------------------------------------------------------------------


class LeavesAConnection(PostgresSessionStore):
    """Opens a connection beside the pool, and closes the pool."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.dsn = dsn
        self.opened: list[psycopg.Connection] = []

    async def load(self, session_id: str) -> Any:
        if not self.opened:
            self.opened.append(psycopg.connect(self.dsn))
        return await super().load(session_id)

    def __del__(self) -> None:
        for connection in self.opened:
            connection.close()


class ClosesTheLastOfMany(LeavesAConnection):
    """Connects for everybody who comes before it has, and closes the last connection."""

    has_opened = False

    async def load(self, session_id: str) -> Any:
        return await PostgresSessionStore.load(self, session_id)

    async def exists(self, session_id: str) -> bool:
        if not self.has_opened:
            await asyncio.sleep(0)
            self.opened.append(psycopg.connect(self.dsn))
            self.has_opened = True
        return await super().exists(session_id)

    async def close(self) -> None:
        if self.opened:
            self.opened.pop().close()
        await super().close()


class LeavesASocket(HttpSessionStore):
    """Opens a connection to the platform that it never closes."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.place = urlsplit(url)
        self.beside: socket.socket | None = None

    async def exists(self, session_id: str) -> bool:
        if self.beside is None:
            address = (str(self.place.hostname), self.place.port or 80)
            self.beside = socket.create_connection(address)
        return await super().exists(session_id)

    def __del__(self) -> None:
        if self.beside is not None:
            self.beside.close()


@pytest.mark.parametrize("clause_id", [CLOSING, OPENING])
def test_right_stores_are_not_accused(
    clause_id: str, databases: PostgresStorage, platforms: PlatformStorage
) -> None:
    """With real servers, on which connections are closed a little later."""
    tried: list[tuple[Any, Storage]] = [
        (PostgresSessionStore, databases),
        (HttpSessionStore, platforms),
    ]
    for opener, storage in tried:
        found = find(clause_id, opener, storage)
        assert found.verdict is Verdict.HELD, found


def test_a_connection_that_is_left_is_seen_by_the_server(databases: PostgresStorage) -> None:
    """On PostgreSQL, and as a socket here."""
    found = find(CLOSING, LeavesAConnection, databases, timeout=2.0)
    assert found.headline == "close leaves a connection and a socket behind"
    assert "3 more: connection, 3 more: socket" in (found.answered or "")


def test_connections_of_those_who_came_first_are_seen(databases: PostgresStorage) -> None:
    """One was closed, the others are left; one caller alone leaves none."""
    assert find(CLOSING, ClosesTheLastOfMany, databases, timeout=2.0).verdict is Verdict.HELD

    found = find(OPENING, ClosesTheLastOfMany, databases, timeout=2.0)
    assert found.headline == "first operations at once leave a connection and a socket behind"


def test_a_connection_to_the_platform_that_is_left_is_seen(platforms: PlatformStorage) -> None:
    """The platform counts it, and there are sockets at both ends of it."""
    found = find(CLOSING, LeavesASocket, platforms, timeout=1.0)
    assert found.headline == "close leaves a connection and a socket behind"


def test_first_use_is_not_blamed_for_what_is_always_left() -> None:
    """Where one caller alone leaves it as well, the clause of closing is named."""
    found = find(OPENING, closing.LeavesAThread, NoStorage(), timeout=0.5)

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == (
        "a thread is left behind when the first operation is alone, too: see "
        "closing.leaves-nothing-behind"
    )


class EndsLater(MemorySessionStore):
    """Tells its thread to end, and does not wait until it has."""

    def __init__(self) -> None:
        super().__init__()
        self.end = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self.end.wait()
        threading.Event().wait(0.2)

    async def close(self) -> None:
        self.end.set()
        await super().close()


class StartsOneForAll(MemorySessionStore):
    """Starts a thread that all stores of the process share."""

    started: list[threading.Thread] = []  # noqa: RUF012 - the one thread of them all
    end = threading.Event()

    def __init__(self) -> None:
        super().__init__()
        if not self.started:
            self.started.append(threading.Thread(target=self.end.wait, daemon=True))
            self.started[0].start()


@pytest.mark.parametrize("store", [EndsLater, StartsOneForAll])
@pytest.mark.parametrize("clause_id", [CLOSING, OPENING])
def test_what_goes_later_or_is_made_once_is_no_leak(
    store: type[SessionStore], clause_id: str
) -> None:
    """Accused is what grows with each store and stays."""
    assert find(clause_id, store, NoStorage()).verdict is Verdict.HELD
    if store is StartsOneForAll:
        StartsOneForAll.end.set()


def test_threads_that_come_by_chance_are_no_leak() -> None:
    """Others in the process start some, once; it does not happen in every cycle."""
    chance: list[threading.Event] = []

    class Beside(MemorySessionStore):
        async def close(self) -> None:
            await super().close()
            if len(chance) < 5:
                chance.append(threading.Event())
                threading.Thread(target=chance[-1].wait, daemon=True).start()

    try:
        assert find(CLOSING, Beside, NoStorage(), timeout=0.5).verdict is Verdict.HELD
    finally:
        for end in chance:
            end.set()


def test_a_place_that_is_one_for_all_tells_so(tmp_path: Path) -> None:
    """A clause that asks for fresh places is tried on the one there is, with a remark."""
    storage = NamedPlace(str(tmp_path / "sessions.db"))
    (clause,) = catalogue.select(["opening.any-operation-may-be-first"])
    backend = Backend("named", open=SqliteSessionStore, storage=storage)
    found = try_clause(clause, backend, storage, Conditions(seed=1))

    assert found.verdict is Verdict.HELD
    assert found.reason == (
        "the storage has one place for all: what a fresh one would show was not seen"
    )
