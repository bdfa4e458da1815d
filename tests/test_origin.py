"""Processes that are forked from one that is ready: to a store each is like a new one."""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import origin, worker
from sessionstore_contract.interruption import Interruption
from sessionstore_contract.worker import RemoteStore
from tests.opened_elsewhere import Looking
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="who is whose parent is read in /proc"
)

AGES = 60
"""Seconds after which a test that waits has failed."""


@pytest.fixture(autouse=True)
def fresh_origin() -> Iterator[None]:
    """None is there before a test, and none after it."""
    origin.close()
    yield
    origin.close()


@pytest.fixture
async def two() -> AsyncIterator[list[RemoteStore]]:
    """Two stores in processes of their own."""
    async with asyncio.timeout(AGES):
        stores = [await RemoteStore.open(Looking, "here") for _ in range(2)]
        yield stores
        for store in stores:
            await store.end()


def is_there(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def parent_of(process: int) -> int:
    status = Path(f"/proc/{process}/stat").read_text()
    return int(status.rpartition(")")[2].split()[1])


async def test_one_origin_is_forked_for_all(two: list[RemoteStore]) -> None:
    """It is a child of this process, and what it is forked to is not."""
    first, second = (parent_of(store.pid) for store in two)
    assert first == second != os.getpid()
    assert parent_of(first) == os.getpid()


async def test_each_imports_the_store_for_itself(two: list[RemoteStore]) -> None:
    """What a module draws as it is imported is drawn by each process, as by two new ones."""
    drawn = [await store.load("drawn at import") for store in two]
    assert drawn[0] != drawn[1]


async def test_it_looks_like_a_new_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment, the folder and the signals are those of now, and nothing of ours is open."""
    async with asyncio.timeout(AGES):
        before = await RemoteStore.open(Looking, "here")
        monkeypatch.setenv("SHELF", "new")
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        monkeypatch.chdir(tmp_path)
        after = await RemoteStore.open(Looking, "here")

        assert await before.load("SHELF") is None
        assert await after.load("SHELF") == "new"
        assert await after.load("offset") == -19_800
        assert await after.load("folder") == str(tmp_path)
        assert await after.load("descriptors") == await before.load("descriptors")
        for store in (before, after):
            await store.end()


async def test_a_killed_one_is_told_how_it_ended(two: list[RemoteStore]) -> None:
    """Whoever killed it; the other goes on."""
    first, second = two
    os.kill(first.pid, signal.SIGKILL)
    await first.killed()
    with pytest.raises(RuntimeError, match="has ended"):
        await first.load("SHELF")
    assert await second.load("SHELF") is None
    assert first._process.returncode == -signal.SIGKILL


async def test_none_outlives_the_origin(two: list[RemoteStore]) -> None:
    """Closing it kills what is left, and the next process has another."""
    origin.close()
    for store in two:
        await store.killed()
        assert not is_there(store.pid)
    again = await RemoteStore.open(Looking, "here")
    assert await again.load("SHELF") is None
    await again.end()


@pytest.mark.parametrize("has_handles", [True, False])
async def test_one_that_was_killed_is_replaced(
    monkeypatch: pytest.MonkeyPatch, has_handles: bool
) -> None:
    """Nothing of it stays open here, and what was forked from it does not live on."""
    if not has_handles:
        monkeypatch.delattr(os, "pidfd_open")
    async with asyncio.timeout(AGES):
        first = await RemoteStore.open(Looking, "here")
        killed, control = origin._origin._process, origin._origin._control
        assert killed is not None
        assert control is not None
        killed.kill()
        await first.killed()
        killed.wait()
        await until(lambda: not is_there(first.pid))
        second = await RemoteStore.open(Looking, "here")
        assert await second.load("SHELF") is None
        for store in (first, second):
            await store.end()
    assert control.fileno() == -1


async def test_a_new_interpreter_where_it_has_to_be() -> None:
    """With an environment of its own, or to start anew."""
    async with asyncio.timeout(AGES):
        stores = [
            await RemoteStore.open(Looking, "here", {"SHELF": "own"}),
            await RemoteStore.open(Looking, "here", anew=True),
        ]
        assert [parent_of(store.pid) for store in stores] == [os.getpid()] * 2
        assert await stores[0].load("SHELF") == "own"
        for store in stores:
            await store.end()


async def test_what_has_threads_is_not_forked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A driver that starts one as it is imported: its locks would be held for ever in a fork."""
    (tmp_path / "aiomysql.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("aiomysql")

    async with asyncio.timeout(AGES):
        store = await RemoteStore.open(Looking, "here")
        assert parent_of(store.pid) == os.getpid()
        await store.end()
    assert threading.active_count() > 1
    del sys.modules["aiomysql"]


async def test_a_large_environment_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a socket holds until somebody reads."""
    for number in range(10):
        monkeypatch.setenv(f"LARGE_{number}", "x" * 100_000)
    async with asyncio.timeout(AGES):
        store = await RemoteStore.open(Looking, "here")
        assert await store.load("LARGE_9") == "x" * 100_000
        await store.end()


@pytest.mark.parametrize("opens", [origin.start, RemoteStore.open], ids=["process", "store"])
async def test_a_start_that_is_cancelled_leaves_nothing_behind(opens: Any) -> None:
    """At whichever point: no socket, no process, and no task that somebody would have to end."""
    arguments = (worker.__name__,) if opens is origin.start else (Looking, "here")
    gc.collect()
    gc.disable()  # what it would close has been left behind
    try:
        async with asyncio.timeout(AGES):
            first = await RemoteStore.open(Looking, "here")  # the origin is there from now on
            home = parent_of(first.pid)
            before = open_sockets()
            for point in itertools.count(1):
                interruption = Interruption(point, "waiting")
                with suppress(asyncio.CancelledError):
                    made = await interruption.of(opens(*arguments))
                if not interruption.is_made:
                    break
                left = (open_sockets() - before, children_of(home))
                for _ in range(500):
                    if left == (0, [first.pid]):
                        break
                    await asyncio.sleep(0.01)
                    left = (open_sockets() - before, children_of(home))
                assert left == (0, [first.pid]), point
            assert point > 2
            if isinstance(made, RemoteStore):
                await made.end()
            else:
                made.kill()
                await made.wait()
                made.stdin.close()
            await first.end()
    finally:
        gc.enable()


def open_sockets() -> int:
    """How many sockets this process has open."""
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile, as the listing itself is
            found += str(one.readlink()).startswith("socket:")
    return found


def children_of(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(one) for one in text.split()]
