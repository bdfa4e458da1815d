"""Stores that can't be closed as often, as early or as late as it happens."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
import weakref
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from reference_backends.http_connection import Connection
from sessionstore_contract.interface import StoreClosedError

from .correct import DictStore, FileStore, NothingStore, RowsStore, encode
from .defect import mutant
from .first_use import OpenedDict
from .platform_stores import PlatformStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json


@mutant("closing.is-idempotent", "close raised RuntimeError: closed already")
class ClosesOnce(DictStore):
    """Raises at the second close."""

    async def close(self) -> None:
        if self.is_closed:
            raise RuntimeError("closed already")
        await super().close()


@mutant("closing.is-idempotent", "close raised AttributeError")
class ClosesWhatWasNotOpened(DictStore):
    """Closes a connection that the first use would have made."""

    async def exists(self, session_id: str) -> bool:
        self.connection = object()
        return await super().exists(session_id)

    async def close(self) -> None:
        if not self.is_closed and not self.rows:
            self.connection.__hash__()
        await super().close()


@mutant("closing.is-idempotent", "close at once: close raised RuntimeError: closing already")
class ClosesOneAfterTheOther(NothingStore):
    """Can't be closed while it closes."""

    is_closing = False

    async def close(self) -> None:
        if self.is_closing:
            raise RuntimeError("closing already")
        self.is_closing = True
        await asyncio.sleep(0)
        self.is_closing = False


@mutant("closing.is-idempotent", "close does not answer in time", timeout=3.0)
class WaitsForItselfAtTheSecondClose(NothingStore):
    """Takes a lock that it never gives back."""

    def __init__(self, place: str | None = None) -> None:
        self.lock = asyncio.Lock()

    async def close(self) -> None:
        await self.lock.acquire()


@mutant(
    "closing.is-idempotent",
    "close does not answer in time",
    also={"closing.is-bounded": "close does not answer in time after operations"},
    timeout=3.0,
)
class WaitsForAWriterWithoutEnd(NothingStore):
    """Has a task from the first save on, which waits for more to write, and waits for its end."""

    writer: asyncio.Task[Any] | None = None

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        self.writer = self.writer or asyncio.create_task(asyncio.Event().wait())

    async def close(self) -> None:
        if self.writer is not None:
            await self.writer


@mutant(
    "closing.is-idempotent",
    "after a close that was cancelled at its await point 1: close does not answer in time",
    timeout=3.0,
)
class KeepsTheLockOfClosing(FileStore):
    """Gives back a lock where nothing came between."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.closing = asyncio.Lock()

    async def close(self) -> None:
        await self.closing.acquire()
        await asyncio.sleep(0)
        await super().close()
        self.closing.release()


class Engine(RowsStore):
    """Has one engine for all instances on a place: a start for defects."""

    users: ClassVar[Counter[str]] = Counter()

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.users[place] += 1

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        if self.users[self.place] <= 0:
            raise StoreClosedError("the engine is closed")
        with super().rows(wait) as rows:
            yield rows


@mutant("closing.is-idempotent", "closing an instance closes another")
class ClosesTheEngine(Engine):
    """Closes what others use."""

    async def close(self) -> None:
        self.users[self.place] = 0
        await super().close()


@mutant("closing.is-idempotent", "closing an instance twice closes another")
class CountsItselfTwice(Engine):
    """Counts the users of the engine down at every close."""

    async def close(self) -> None:
        self.users[self.place] -= 1
        await super().close()


class Counting(OpenedDict):
    """Counts the operations under way, each of which takes some turns: a start for defects."""

    under_way = 0

    async def open(self) -> None:
        self.check_open()
        self.under_way += 1
        try:
            for _ in range(10):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1


@mutant(
    "closing.is-bounded", "close does not answer in time with operations under way", timeout=3.0
)
class WaitsForANoticeThatNobodyGives(Counting):
    """Waits until nothing is under way, of which it is told by nobody."""

    async def close(self) -> None:
        await super().close()
        if self.under_way:
            await asyncio.Event().wait()


@mutant("closing.is-bounded", "close raised RuntimeError: operations in progress with operations")
class RefusesToCloseWhileBusy(Counting):
    """Can't be closed while anything is under way."""

    async def close(self) -> None:
        if self.under_way:
            raise RuntimeError("operations in progress")
        await super().close()


@mutant("closing.is-bounded", "create hangs when the store is closed meanwhile", timeout=3.0)
class EndsItsWorkerBeforeTheWork(Counting):
    """Ends what would answer those who wait."""

    async def open(self) -> None:
        await super().open()
        if self.is_closed:
            await asyncio.Event().wait()


@mutant(
    "closing.is-bounded",
    "save is answered when the store is closed meanwhile, and is lost",
)
class DropsWhatIsUnderWay(FileStore):
    """Has saves that find the store closed end quietly."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = encode(messages, list)
        session_id.encode()
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        await asyncio.sleep(0.001)
        with suppress(StoreClosedError):
            await super().save(session_id, json.loads(text))


@mutant("closing.is-bounded", "load answers what is not so when the store is closed meanwhile")
class TakesClosedForMissing(RowsStore):
    """Answers that a session is missing when it can't look."""

    async def load(self, session_id: str) -> list[Json] | None:
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        await asyncio.sleep(0.001)
        try:
            return await super().load(session_id)
        except StoreClosedError:
            return None


@mutant(
    "closing.leaves-nothing-behind",
    "close leaves a thread behind",
    adding=("census",),
)
class LeavesAThread(DictStore):
    """Starts a thread at first use, and does not end it."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.end: threading.Event | None = None

    async def exists(self, session_id: str) -> bool:
        if self.end is None and not self.is_closed:
            self.end = threading.Event()
            threading.Thread(target=self.end.wait, daemon=True).start()
        return await super().exists(session_id)

    def __del__(self) -> None:
        if self.end is not None:
            self.end.set()


@mutant(
    "closing.leaves-nothing-behind",
    "close leaves a process behind",
    adding=("census",),
)
class LeavesItsProcess(DictStore):
    """Starts a program at first use, and does not end it."""

    program: subprocess.Popen[bytes] | None = None

    async def exists(self, session_id: str) -> bool:
        if self.program is None and not self.is_closed:
            self.program = self.started()
            # Not `__del__`: where both are in a cycle the program may go first, and warns then.
            weakref.finalize(self, _end, self.program)
        return await super().exists(session_id)

    def started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "60"])


def _end(program: subprocess.Popen[bytes]) -> None:
    program.kill()
    program.wait()


@mutant(
    "closing.leaves-nothing-behind",
    "close leaves a process behind",
    adding=("census",),
)
class NeverWaitsForItsChild(DictStore):
    """Forks, and does not ask how the child has ended."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.children: list[int] = []

    async def create(self, session_id: str | None = None) -> str:
        self.fork()
        return await super().create(session_id)

    def fork(self) -> None:
        self.children.append(os.posix_spawn("/bin/true", ["true"], {}))

    def __del__(self) -> None:
        for child in self.children:
            os.waitpid(child, 0)


@mutant(
    "closing.leaves-nothing-behind",
    "close leaves a task behind",
    adding=("census",),
)
class LeavesATask(DictStore):
    """Begins its housekeeping at first use, and goes on with it."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.housekeeping: asyncio.Task[None] | None = None

    async def exists(self, session_id: str) -> bool:
        if self.housekeeping is None and not self.is_closed:
            self.housekeeping = asyncio.create_task(asyncio.sleep(3600))
        return await super().exists(session_id)


@mutant(
    "closing.leaves-nothing-behind",
    "close leaves a file behind",
    adding=("census",),
)
class LeavesAFile(FileStore):
    """Opens a second descriptor for reading, and closes the first."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.reading: int | None = None

    async def load(self, session_id: str) -> list[Json] | None:
        if self.reading is None and not self.is_closed:
            self.folder.mkdir(exist_ok=True)
            self.reading = os.open(self.folder / "journal", os.O_RDONLY | os.O_CREAT)
        return await super().load(session_id)

    def __del__(self) -> None:
        if self.reading is not None:
            os.close(self.reading)


class LeftToTheServer(Connection):
    """Refuses what comes later, and leaves it to the server to close what is idle."""

    async def _end(self) -> None:
        pass


@mutant(
    "closing.leaves-nothing-behind",
    "close leaves a connection and a socket behind",
    adding=("census",),
)
class LeavesItsConnections(PlatformStore):
    """Closes nothing: a server that drops idle connections soon makes up for it."""

    connection_kind = LeftToTheServer


@mutant("closing.closed-stays-closed", "create works in a store that was closed before its first")
class OpensAgain(DictStore):
    """Opens itself when it is used, whatever was before."""

    def check_open(self) -> None:
        self.is_closed = False


@mutant("closing.closed-stays-closed", "load works in a store that was closed")
class AnswersFromItsCache(DictStore):
    """Does not ask whether it is closed before it looks into its cache."""

    async def load(self, session_id: str) -> list[Json] | None:
        if session_id in self.rows:
            self.is_closed, was_closed = False, self.is_closed
            found = await super().load(session_id)
            self.is_closed = was_closed
            return found
        return await super().load(session_id)


@mutant(
    "closing.closed-stays-closed", "create hangs in a store that was closed before", timeout=3.0
)
class WaitsForWhatIsClosed(DictStore):
    """Waits for a connection of a pool that has none any more."""

    async def create(self, session_id: str | None = None) -> str:
        if self.is_closed:
            await asyncio.Event().wait()
        return await super().create(session_id)


@mutant(
    "closing.forgotten-close-lets-the-process-end",
    "a process that does not close its store does not end",
    timeout=3.0,
)
class KeepsTheProcess(DictStore):
    """Has a thread that is no daemon where the main thread starts it, and ends it in close."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.end: threading.Event | None = None

    async def create(self, session_id: str | None = None) -> str:
        if self.end is None and not self.is_closed:
            self.end = threading.Event()
            threading.Thread(target=self.end.wait).start()
        return await super().create(session_id)

    async def close(self) -> None:
        await super().close()
        if self.end is not None:
            self.end.set()
