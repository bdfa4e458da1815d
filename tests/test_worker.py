"""A store in a child process: real processes, really killed."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.worker import RemoteStore, UnnamedOpenerError
from tests.opened_elsewhere import Shelf, fail_to_open, open_shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AGES = 60
"""Seconds after which a test that waits has failed."""

PARENT = """
import asyncio, sys
from sessionstore_contract.worker import RemoteStore
from tests.opened_elsewhere import Shelf

async def main():
    store = await RemoteStore.open(Shelf, "here", {})
    print(store.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def opened(
    opener: Any = Shelf, place: str | None = "here", **environment: str
) -> AsyncIterator[RemoteStore]:
    """A store in another process, which is gone at the end."""
    async with asyncio.timeout(AGES):
        store = await RemoteStore.open(opener, place, environment)
        try:
            yield store
        finally:
            await store.end()


async def test_operations_reach_the_store() -> None:
    """Arguments, keywords and answers cross over, and the store remembers."""
    messages = [{"role": "user", "content": "naïve ☃ \ud800 \x00"}, None, 1.0, True]
    async with opened() as store:
        assert await store.load("a") is None
        assert await store.save("a", messages) is None
        answer = await store.load("a")
        assert answer == messages
        assert [type(one) for one in answer] == [dict, type(None), float, bool]
        assert await store.update("a", cost_data={"n": 1}) == ["a", {"n": 1}]


async def test_the_store_is_in_a_process_of_its_own() -> None:
    """Place and environment are those that were asked for; the process is another one."""
    async with opened(SHELF="oak") as store:
        place, session_id, variable, pid = await store.create("a")
    assert (place, session_id, variable, pid) == ("here", "a", "oak", store.pid)
    assert pid != os.getpid()


@pytest.mark.parametrize("opener", [open_shelf, Shelf.connect])
async def test_an_opener_is_found_by_name(opener: Any) -> None:
    """A coroutine function or a class method opens the store there as it does here."""
    async with opened(opener) as store:
        assert (await store.create())[0] == "here"


async def test_a_store_without_a_place() -> None:
    """Where there is no place, the opener is called with nothing."""
    async with opened(place=None) as store:
        assert (await store.create())[0] is None


@pytest.mark.parametrize(
    "cutoff",
    [
        datetime(2000, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(2000, 1, 1),  # noqa: DTZ001 - a naive one stays naive
    ],
    ids=str,
)
async def test_datetimes_cross_over(cutoff: datetime) -> None:
    """A cutoff arrives as the datetime that it is, with its offset or without."""
    async with opened() as store:
        assert await store.delete_before(cutoff) == ["datetime", cutoff.isoformat()]


async def test_exceptions_keep_their_name_and_text() -> None:
    """What the store raises there is raised here under the same name, and is still what it was."""
    async with opened() as store:
        with pytest.raises(ValueError, match=r"^no cost data of a$") as caught:
            await store.get_cost_data("a")
        assert type(caught.value).__name__ == "OddError"
        with pytest.raises(NotImplementedError, match="delete"):
            await store.delete("a")
        with pytest.raises(RuntimeError, match="closed") as ending:
            await store.close()
        assert type(ending.value).__name__ == "SystemExit"
        assert await store.load("a") is None


async def test_a_missing_operation_is_an_error() -> None:
    """Only the operations of the interface are passed on."""
    async with opened() as store:
        with pytest.raises(AttributeError):
            _ = store.rename


async def test_what_a_store_prints_does_not_disturb() -> None:
    """Standard output is not the line on which answers come, also for what writes below Python."""
    async with opened() as store:
        for number in range(3):
            await store.save("a", [number])
            assert await store.load("a") == [number]


async def test_calls_at_once_get_their_own_answers() -> None:
    """Each answer finds its call."""
    async with opened() as store:
        answers = await asyncio.gather(*(store.update(str(n)) for n in range(50)))
    assert answers == [[str(n), None] for n in range(50)]


async def test_a_process_that_was_killed_is_an_error() -> None:
    """Neither the call under way nor a later one hangs."""
    async with opened() as store:
        os.kill(store.pid, signal.SIGSTOP)
        waiting = asyncio.ensure_future(store.load("a"))
        await asyncio.sleep(0)
        os.kill(store.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="the process that held the store has ended"):
            await waiting
        with pytest.raises(RuntimeError, match="the process that held the store has ended"):
            await store.load("a")


async def test_a_store_that_ends_its_process_is_an_error() -> None:
    """os._exit there is an error here."""
    async with opened() as store:
        with pytest.raises(RuntimeError, match="the process that held the store has ended"):
            await store.exists("a")


async def test_ending_the_process_ends_the_calls_under_way() -> None:
    """`end` leaves nobody waiting, and may be called again."""
    async with opened() as store:
        os.kill(store.pid, signal.SIGSTOP)
        waiting = asyncio.ensure_future(store.load("a"))
        await asyncio.sleep(0)
        await store.end()
        with pytest.raises(RuntimeError, match="has ended"):
            await waiting
        await store.end()


async def test_a_call_that_is_given_up_while_it_is_said_leaves_no_complaint() -> None:
    """It has no reader any more; asyncio logs exceptions that nobody has looked at."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
    async with opened() as store:
        os.kill(store.pid, signal.SIGSTOP)
        saving = asyncio.ensure_future(store.save("a", ["x" * 2**20]))
        await asyncio.sleep(0)
        saving.cancel()
        await asyncio.wait({saving})
        await store.end()
        await asyncio.wait({store._listener})
    del store, saving
    gc.collect()
    assert complaints == []


async def test_what_is_no_json_is_refused_here() -> None:
    """A value that can't cross over raises, and leaves the store at work."""
    async with opened() as store:
        with pytest.raises(TypeError, match="not JSON serializable"):
            await store.save("a", [object()])
        assert await store.load("a") is None


async def test_an_opener_that_fails_is_told() -> None:
    """Why the store could not be opened there is raised here, and no process is left."""
    with pytest.raises(ValueError, match="nothing at here") as caught:
        async with opened(fail_to_open):
            raise AssertionError("opened")
    assert type(caught.value).__name__ == "OddError"


@pytest.mark.parametrize(
    "opener", [lambda place: Shelf(place + place), Shelf("a").load], ids=["lambda", "bound method"]
)
async def test_an_opener_without_a_name_is_refused(opener: Any) -> None:
    """What another process can't find is told before one is started, with the way out."""
    with pytest.raises(UnnamedOpenerError, match="name at the top of a module"):
        async with opened(opener):
            raise AssertionError("opened")


async def test_an_opener_in_a_file_that_can_not_be_imported_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is read there instead."""
    path = tmp_path / "my-stores.py"
    path.write_text("class Store:\n    async def load(self, name):\n        return [name]\n")
    spec = importlib.util.spec_from_file_location("loaded_out_of_a_file", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "loaded_out_of_a_file", module)
    spec.loader.exec_module(module)
    async with opened(module.Store, place=None) as store:
        assert await store.load("a") == ["a"]


def test_the_child_ends_when_its_parent_goes() -> None:
    """A parent that is killed leaves no process behind: all that held its output is gone."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        child = int(parent.stdout.readline())
        assert child != parent.pid
        parent.kill()
        # The child writes to the same standard error: its end is the end of both.
        assert parent.communicate(timeout=AGES)[1] == b""


async def test_a_process_dies_right_after_the_answer_that_was_its_last() -> None:
    """What it had answered is heard; what comes later finds nobody."""
    async with opened() as store:
        await store.die_after(2)
        asked = [asyncio.ensure_future(store.update(name, cost_data={})) for name in "abc"]
        await asyncio.wait(asked)
        await store.killed()
        assert [one.exception() is None for one in asked] == [True, True, False]
        with pytest.raises(RuntimeError, match="has ended"):
            await store.load("a")


def wait_until_gone(process: int) -> None:
    while Path(f"/proc/{process}").exists():
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks there for a process")
async def test_what_was_answered_is_heard_though_more_is_asked_of_the_dead() -> None:
    """The answers are still unread then: not to listen would be to judge fewer of them."""
    async with opened() as store:
        await store.die_after(2)
        asked = [asyncio.ensure_future(store.update(name, cost_data={})) for name in "ab"]
        await asyncio.sleep(0)
        wait_until_gone(store.pid)  # nothing is read meanwhile
        asked.append(asyncio.ensure_future(store.update("c", cost_data={})))
        await asyncio.wait(asked)
        await store.killed()
        assert [one.exception() is None for one in asked] == [True, True, False]


async def test_a_failure_is_no_answer_to_die_after() -> None:
    """Only what was acknowledged counts."""
    async with opened() as store:
        await store.die_after(1)
        with pytest.raises(TypeError):
            await store.load()
        assert await store.load("a") is None
        await store.killed()


async def test_a_process_that_is_killed_has_been_heard() -> None:
    """It may have ended by itself before."""
    async with opened() as store:
        await store.save("a", [])
        await store.killed()
        await store.killed()
