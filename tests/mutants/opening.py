"""Stores that work once they are open, and are not opened as it happens."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

from .correct import DictStore
from .defect import mutant
from .first_use import OpenedDict, OpenedFiles

if TYPE_CHECKING:
    from datetime import datetime

    from sessionstore_contract.interface import Json

AT_ONCE = "first operations at once"


@mutant(
    "opening.first-use-may-be-concurrent",
    f"{AT_ONCE}: save raised RuntimeError: another operation is in progress",
)
class RefusesWhileItOpens(OpenedDict):
    """Has a connection that takes one statement at a time, and makes its tables with it."""

    is_open = False
    is_opening = False

    async def open(self) -> None:
        self.check_open()
        if self.is_opening:
            raise RuntimeError("another operation is in progress")
        if not self.is_open:
            self.is_opening = True
            try:
                await asyncio.sleep(0)
                self.is_open = True
            finally:
                self.is_opening = False


@mutant("opening.first-use-may-be-concurrent", f"{AT_ONCE}: what create made is gone")
class OpensAStoreForEachCaller(OpenedDict):
    """Lets everybody who comes while it opens make a database in memory; the last one is kept."""

    is_open = False

    async def open(self) -> None:
        self.check_open()
        if not self.is_open:
            await asyncio.sleep(0)
            await self.connect()
            self.rows, self.is_open = {}, True


@mutant("opening.first-use-may-be-concurrent", f"{AT_ONCE}: what save made is gone")
class ForgetsWhatWasSavedMeanwhile(OpenedDict):
    """Fills its cache from the place at the end of opening, and saves do not wait for that."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        is_first = self.opening is None or not self.opening.done()
        await super().save(session_id, messages)
        if is_first and len(self.rows) > 1:
            del self.rows[session_id]


@mutant(
    "opening.first-use-may-be-concurrent",
    f"{AT_ONCE}: save does not answer in time",
    timeout=3.0,
)
class WakesOneOfThoseWhoWait(OpenedDict):
    """Notifies one waiter when it is open, where all wait."""

    is_open = False
    waiting: asyncio.Future[None] | None = None

    async def open(self) -> None:
        self.check_open()
        if self.is_open:
            return
        if self.waiting is None:
            self.waiting = asyncio.get_running_loop().create_future()
            try:
                await asyncio.sleep(0)
            finally:
                self.is_open = True
        else:
            self.waiting = asyncio.get_running_loop().create_future()
            await self.waiting


@mutant(
    "opening.first-use-opens-once",
    f"{AT_ONCE} leave a thread behind",
    adding=("census",),
)
class StartsAThreadForEachCaller(OpenedDict):
    """Starts a thread for its connection, and remembers the last one that was started."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.started: list[threading.Event] = []
        self.last: threading.Event | None = None

    async def open(self) -> None:
        self.check_open()
        if self.last is None:
            await asyncio.sleep(0)
            self.last = threading.Event()
            self.started.append(self.last)
            threading.Thread(target=self.last.wait, daemon=True).start()

    async def close(self) -> None:
        await super().close()
        if self.last is not None:
            self.last.set()

    def __del__(self) -> None:
        for end in self.started:
            end.set()


@mutant(
    "opening.first-use-opens-once",
    f"{AT_ONCE} leave a file behind",
    adding=("census",),
)
class OpensAFileForEachCaller(OpenedFiles):
    """Opens its journal, and remembers the last descriptor."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.opened: list[int] = []
        self.last: int | None = None

    async def open(self) -> None:
        if self.last is None and not self.is_closed:
            await asyncio.sleep(0)
            self.folder.mkdir(exist_ok=True)
            self.last = os.open(self.folder / "journal", os.O_RDWR | os.O_CREAT)
            self.opened.append(self.last)

    async def close(self) -> None:
        if self.last is not None and not self.is_closed:
            os.close(self.last)
            self.opened.remove(self.last)
        await super().close()

    def __del__(self) -> None:
        for descriptor in self.opened:
            os.close(descriptor)


FIRST = "as the first operation"


@mutant(
    "opening.any-operation-may-be-first",
    f"{FIRST}: delete_before raised LookupError: no such table",
    also={"retention.counts-what-it-removed": "delete_before raised LookupError: no such table"},
)
class HousekeepingNeedsATable(DictStore):
    """Makes its table where sessions are looked for or written."""

    has_table = False

    async def create(self, session_id: str | None = None) -> str:
        self.has_table = True
        return await super().create(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.has_table = True
        await super().save(session_id, messages)

    async def exists(self, session_id: str) -> bool:
        self.has_table = True
        return await super().exists(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        if not self.has_table:
            raise LookupError("no such table")
        return await super().delete_before(cutoff)


@mutant(
    "opening.any-operation-may-be-first",
    f"{FIRST}: what save made is gone",
    also={"messages.save-creates-a-missing-session": "save of an unknown session is lost"},
)
class MakesItsTableAfterTheFirstSave(DictStore):
    """Makes the table anew when it finds its version missing, at the end of a save."""

    has_version = False

    async def create(self, session_id: str | None = None) -> str:
        self.has_version = True
        return await super().create(session_id)

    async def exists(self, session_id: str) -> bool:
        self.has_version = True
        return await super().exists(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        if not self.has_version:
            self.rows, self.has_version = {}, True


@mutant(
    "opening.needs-no-loop",
    "opening where no event loop runs raised RuntimeError: no running event loop",
)
class TakesTheLoopInItsConstructor(DictStore):
    """Makes a future that its first use is to set."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.opened = asyncio.get_running_loop().create_future()


@mutant("opening.needs-no-loop", "create does not answer in time", timeout=3.0)
class WaitsForATaskOfNoLoop(DictStore):
    """Begins to open in its constructor, where it can, and waits for that."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.is_opening = False
        else:
            self.is_opening = True

    async def create(self, session_id: str | None = None) -> str:
        if not self.is_opening:
            await asyncio.Event().wait()
        return await super().create(session_id)


class Bound(DictStore):
    """Knows the loop that uses it first: a correct start for defects."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.loop: asyncio.AbstractEventLoop | None = None

    def is_at_home(self) -> bool:
        """Answer whether the running loop is the one of the first use."""
        running = asyncio.get_running_loop()
        self.loop = self.loop or running
        return self.loop is running

    async def create(self, session_id: str | None = None) -> str:
        self.is_at_home()
        return await super().create(session_id)


@mutant(
    "opening.second-loop",
    "in a second event loop exists does not answer in time",
    timeout=3.0,
)
class AwaitsWhatTheOtherLoopIsTold(Bound):
    """Has a connection whose answers arrive in the loop that made it."""

    async def exists(self, session_id: str) -> bool:
        if not self.is_at_home():
            await asyncio.Event().wait()
        return await super().exists(session_id)


@mutant(
    "opening.second-loop",
    "after use in a second event loop exists raised RuntimeError: Event loop is closed",
)
class TakesItsConnectionAlong(Bound):
    """Pools a connection of whichever loop used it last, and awaits it in every other."""

    is_elsewhere = False

    async def exists(self, session_id: str) -> bool:
        if not self.is_at_home():
            self.is_elsewhere = True
        elif self.is_elsewhere:
            raise RuntimeError("Event loop is closed")
        return await super().exists(session_id)


@mutant(
    "opening.second-loop",
    "after use in a second event loop exists hangs in the first",
    timeout=3.0,
)
class LeavesALockHeldInTheOtherLoop(Bound):
    """Takes a lock in the second loop that nobody there gives back."""

    is_held = False

    async def exists(self, session_id: str) -> bool:
        if not self.is_at_home():
            self.is_held = True
            raise RuntimeError("attached to a different loop")
        if self.is_held:
            await asyncio.Event().wait()
        return await super().exists(session_id)
