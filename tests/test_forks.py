"""Operations in processes of their own, which are really killed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends import open_sqlite
from sessionstore_contract.forks import FirstUser, Forks, KilledError
from sessionstore_contract.worker import UnnamedOpenerError
from tests.opened_elsewhere import Shelf, Writing, fail_to_open
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AGES = 60


class Stuck:
    """Does not come back."""

    def __init__(self, place: str) -> None:
        self.place = place

    async def exists(self, session_id: str) -> bool:
        sys.stdout.write("noise that is no answer\n")
        await asyncio.sleep(AGES if session_id == "stuck" else 0)
        return True

    async def load(self, session_id: str) -> None:
        os._exit(3)

    async def close(self) -> None:
        """Nothing is held."""


class Siblings:
    """Knows how many processes are there that were forked as it was, when it is opened."""

    def __init__(self, place: str) -> None:
        self.count = len(forked_from(os.getppid()))

    async def create(self, session_id: str) -> int:
        return self.count

    async def close(self) -> None:
        """Nothing is held."""


class Looking:
    """Looks whether its folder is there, and makes it when it was not."""

    def __init__(self, place: str) -> None:
        self.folder = Path(place)

    async def create(self, session_id: str) -> str:
        if self.folder.exists():
            return "was there"
        os.mkdir(self.folder)  # noqa: PTH102 - as stores do
        return "made"

    async def close(self) -> None:
        """Nothing is held."""


class Talking(Looking):
    """Makes more calls than are counted for others, and those with a name of its own alone."""

    async def create(self, session_id: str) -> str:
        for number in range(600 if session_id == "long" else 1):
            os.mkdir(self.folder / f"{session_id} {number}")  # noqa: PTH102 - as stores do
        return "made"


class Locking(Looking):
    """Does that under a lock, which the others wait for."""

    async def create(self, session_id: str) -> str:
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return await super().create(session_id)


@asynccontextmanager
async def started(opener: Any = Shelf) -> AsyncIterator[Forks]:
    """A process that is forked, which is gone at the end."""
    async with asyncio.timeout(AGES):
        forks = await Forks.start(opener)
        try:
            yield forks
        finally:
            await forks.end()


def forked_from(parent: int) -> set[int]:
    """Answer the processes that were forked from one, and have not ended."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, above = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # ended since it was listed
        if int(above) == parent and state != "Z":
            found.add(int(folder.name))
    return found


async def test_each_operation_is_the_first_of_a_process() -> None:
    """Answers come from processes that are all different, and none of them this one."""
    async with started() as forks:
        user = FirstUser(forks, "here")
        answers = await asyncio.gather(*(user.create("a") for _ in range(3)))
    assert [answer[:2] for answer in answers] == [["here", "a"]] * 3
    assert len({answer[3] for answer in answers} | {os.getpid()}) == 4


async def test_processes_wait_for_each_other_before_they_open_their_store() -> None:
    """One after the other each would be done before the next; the last one comes much later."""
    async with started(Siblings) as forks:
        user = FirstUser(forks, "here")
        user.together = 3
        for _ in range(2):
            early = [asyncio.ensure_future(user.create("a")) for _ in range(2)]
            await asyncio.sleep(0.05)
            # Whoever opens first sees all of them; it may be gone when the last one does.
            assert max(await asyncio.gather(user.create("a"), *early)) == 3
        user.together = 1
        assert await user.create("a") == 1


async def test_processes_keep_in_step(tmp_path: Path) -> None:
    """None makes its next call before the others have come to theirs: all look before one makes."""
    async with started(Looking) as forks:
        met = []
        for number in range(3):
            user = FirstUser(forks, str(tmp_path / str(number)))
            user.together = 3
            calls = [user.create("a") for _ in range(3)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert answers.count("made") == 1
            met.append("was there" not in answers)
    # On a busy machine one of them may come later than the others wait.
    assert any(met)


async def test_processes_do_not_wait_for_those_that_wait_for_them(tmp_path: Path) -> None:
    """Whoever holds the lock misses the others for a moment, and goes on alone."""
    async with started(Locking) as forks:
        user = FirstUser(forks, str(tmp_path / "made"))
        user.together = 4
        answers = await asyncio.gather(*(user.create("a") for _ in range(4)))
    assert sorted(answers) == ["made", *3 * ["was there"]]


async def test_one_process_may_make_any_number_of_calls(tmp_path: Path) -> None:
    """The others have ended long before, and are waited for no more."""
    async with started(Talking) as forks:
        user = FirstUser(forks, str(tmp_path))
        user.together = 3
        answers = await asyncio.gather(*(user.create(one) for one in ("long", "a", "b")))
    assert answers == ["made"] * 3


async def test_processes_do_not_wait_for_one_that_never_comes() -> None:
    """Who was not to be called again is not forked; the others go on, and later ones meet anew."""
    async with started(Siblings) as forks:
        user = FirstUser(forks, "here")
        user.together = 3
        for count in (2, 3):
            answers = await asyncio.gather(*(user.create("a") for _ in range(count)))
            assert max(answers) == count


async def test_a_process_is_killed_at_each_of_its_calls(tmp_path: Path) -> None:
    """Before the n-th call by which it reaches beyond itself; where there are fewer it ends."""
    async with started(open_sqlite) as forks:
        user = FirstUser(forks, str(tmp_path / "count.db"), is_counted=True)
        assert await user.create("a") == "a"
        calls = user.calls
        assert calls > 5
        for point in (1, calls // 2, calls):
            killed = FirstUser(forks, str(tmp_path / f"{point}.db"))
            killed.kill_at = point
            with pytest.raises(KilledError, match=f"killed before its call {point}"):
                await killed.create("a")
        user.kill_at = 1000
        assert await user.exists("a") is True


async def test_writing_to_a_file_is_a_call(tmp_path: Path) -> None:
    """Before it the file is there and empty; what is kept in memory or printed is none."""
    path = tmp_path / "written"
    async with started(Writing) as forks:
        user = FirstUser(forks, str(path), is_counted=True)
        await user.create("a")
        assert user.calls == 1
        user.kill_at = 1
        with pytest.raises(KilledError):
            await user.create("b")
    assert path.read_text("utf-8") == ""


async def test_what_was_imported_once_is_there_the_next_time(tmp_path: Path) -> None:
    """The process that is forked imports it before the first operation."""
    for _ in range(2):
        async with started(open_sqlite) as forks:
            before = set(forks._modules)
            await FirstUser(forks, str(tmp_path / "there.db")).exists("a")
            after = set(forks._modules)
    assert before == after


async def test_what_a_store_raises_is_raised_here() -> None:
    """Also by its opener; the process goes on to be forked."""
    async with started() as forks:
        user = FirstUser(forks, "here")
        with pytest.raises(TypeError):
            await user.load()
        assert (await user.load("a")) is None
    async with started(fail_to_open) as forks:
        with pytest.raises(ValueError, match="nothing at here"):
            await FirstUser(forks, "here").load("a")


async def test_a_process_that_ends_by_itself_is_told() -> None:
    """It was not killed by the kit, and says nothing."""
    async with started(Stuck) as forks:
        user = FirstUser(forks, "here")
        assert await user.exists("a") is True
        with pytest.raises(RuntimeError, match="has ended"):
            await user.load("a")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
async def test_nothing_is_left_of_a_process_that_hangs() -> None:
    """A call that is given up is killed, and so is one that is under way at the end."""
    async with started(Stuck) as forks:
        origin, user = forks._process.pid, FirstUser(forks, "here")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(user.exists("stuck"), 0.3)
        assert await user.exists("a") is True
        await until(lambda: not forked_from(origin))
        task = asyncio.ensure_future(user.exists("stuck"))
        await until(lambda: bool(forked_from(origin)))
        left = forked_from(origin)
    with pytest.raises(RuntimeError, match="has ended"):
        await task
    await until(lambda: not any(Path(f"/proc/{one}").exists() for one in left))


async def test_an_opener_without_a_name_is_refused() -> None:
    """A lambda can't be found by another process."""
    with pytest.raises(UnnamedOpenerError):
        await Forks.start(lambda place: Shelf(f"{place}"))


async def test_an_operation_that_is_none_is_no_attribute() -> None:
    """So that nobody takes it for an async context manager."""
    async with started() as forks:
        assert not hasattr(FirstUser(forks, "here"), "__aenter__")
