"""Stores that can't be cancelled, or are not what they were afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sessionstore_contract.interface import SessionExistsError
from sessionstore_contract.values import copy

from .correct import DictStore, FileStore, RowsStore, encode, now
from .defect import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json


@mutant("cancellation.is-passed-on", "save swallows its cancellation")
class SwallowsCancellation(DictStore):
    """Catches what is raised while it waits, and goes on."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.001)


@mutant(
    "cancellation.is-passed-on",
    "load turns its cancellation into RuntimeError: the storage failed",
)
class TranslatesCancellation(DictStore):
    """Makes an error of its own out of everything that is raised."""

    async def load(self, session_id: str) -> list[Json] | None:
        try:
            await asyncio.sleep(0.001)
        except BaseException:  # noqa: BLE001 - the defect
            raise RuntimeError("the storage failed") from None
        return await super().load(session_id)


@mutant("cancellation.is-passed-on", "exists does not come back when it is cancelled", timeout=3.0)
class TriesAgainForEver(DictStore):
    """Takes its cancellation for a passing failure, and waits for what never comes."""

    async def exists(self, session_id: str) -> bool:
        try:
            await asyncio.sleep(0)
        except BaseException:  # noqa: BLE001 - the defect
            await asyncio.Event().wait()
        return await super().exists(session_id)


@mutant(
    "cancellation.is-all-or-nothing",
    "save cancelled at its await point 1 has had half of its effect",
)
class SaveEmptiesFirst(DictStore):
    """Empties the history and fills it again; who loads meanwhile waits for that."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.turn = asyncio.Lock()

    async def load(self, session_id: str) -> list[Json] | None:
        async with self.turn:
            return await super().load(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        async with self.turn:
            if row := self.row(session_id):
                row.messages = "[]"
                await asyncio.sleep(0)
            await super().save(session_id, messages)


@mutant(
    "cancellation.is-all-or-nothing",
    "delete cancelled at its await point 1 has had half of its effect",
)
class DeleteEmptiesFirst(DictStore):
    """Empties the session, and removes its row in a second statement."""

    async def delete(self, session_id: str) -> bool:
        if row := self.row(session_id):
            row.messages, row.costs = "[]", "{}"
            await asyncio.sleep(0)
        return await super().delete(session_id)


@mutant(
    "cancellation.leaves-the-store-usable",
    "save does not answer after update cancelled at its await point 1",
    timeout=3.0,
)
class KeepsTheLock(DictStore):
    """Takes a lock, and gives it back only when all went well."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.lock = asyncio.Lock()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        async with self.lock:
            await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        encode(cost_data or {}, dict)
        await self.lock.acquire()
        await asyncio.sleep(0)
        self.lock.release()
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "cancellation.leaves-the-store-usable",
    "save raised OperationalError: database is locked after save cancelled at its await point 1, "
    "in another instance",
)
class KeepsTheTransaction(RowsStore):
    """Leaves its transaction open when it is cancelled in it, until it writes again."""

    held: sqlite3.Connection | None = None

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        if self.held is not None:
            self.held.close()
            self.held = None
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.held = sqlite3.connect(self.place, isolation_level=None)
            self.held.execute("BEGIN IMMEDIATE")
            raise
        await super().save(session_id, messages)

    @contextmanager
    def rows(self, wait: float | None = 0.05) -> Iterator[sqlite3.Connection]:
        with super().rows(wait) as rows:
            yield rows

    async def close(self) -> None:
        if self.held is not None:
            self.held.close()
        await super().close()


@mutant(
    "cancellation.leaves-the-store-usable",
    "save raised RuntimeError: opening was cancelled after its first use was cancelled at its "
    "await point 1",
)
class OpensForTheFirstAlone(FileStore):
    """Opens in a task that the first caller takes along when it is cancelled."""

    opening: asyncio.Task[None] | None = None

    async def opened(self) -> None:
        if self.opening is None:
            self.opening = asyncio.ensure_future(asyncio.sleep(0.001))
        if self.opening.cancelled():
            raise RuntimeError("opening was cancelled")
        await self.opening

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        await self.opened()
        await super().save(session_id, messages)


@mutant(
    "cancellation.leaves-the-store-usable",
    "load does not answer after load cancelled at its await point 1",
    timeout=3.0,
)
class LosesPoolSlots(DictStore):
    """Has a pool of two, and takes nothing back from those who were cancelled."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.slots = asyncio.Semaphore(2)

    async def load(self, session_id: str) -> list[Json] | None:
        await self.slots.acquire()
        await asyncio.sleep(0)
        messages = await super().load(session_id)
        self.slots.release()
        return messages


@mutant(
    "cancellation.leaves-the-store-usable",
    "load does not answer after many cancelled at once",
    timeout=1.5,
)
class LosesTheSlotOfWhoIsGone(DictStore):
    """Has a pool of ten, and hands a slot on to whoever waits, also when he is just cancelled."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.free = 10
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def load(self, session_id: str) -> list[Json] | None:
        if self.free:
            self.free -= 1
        else:
            self.waiting.append(asyncio.get_running_loop().create_future())
            await self.waiting[-1]
        try:
            await asyncio.sleep(0)
            return await super().load(session_id)
        finally:
            self.hand_on()

    def hand_on(self) -> None:
        while self.waiting:
            next_one = self.waiting.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        self.free += 1


@mutant(
    "cancellation.leaves-the-store-usable",
    "updates are lost beside many operations that are cancelled",
)
class GivesBackWhatOthersHold(DictStore):
    """Gives its turn back in the end, also when it was cancelled before it had it."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.turn = asyncio.Semaphore(1)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        try:
            await self.turn.acquire()
            row = self.row(session_id)
            costs = {**json.loads(row.costs), **new} if row else {}
            await asyncio.sleep(0.002)
            if row is None or self.rows.get(session_id) is not row:
                return False
            if new:
                row.costs, row.active = json.dumps(costs), now()
            return True
        finally:
            self.turn.release()


@mutant(
    "cancellation.leaves-the-store-usable",
    "operations beside many that are cancelled: update raised CancelledError",
)
class MergesInATaskOfTheFirst(DictStore):
    """Merges updates at once in one task, which whoever waits for it can take along."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.merging: dict[str, tuple[dict[str, Json], asyncio.Task[bool]]] = {}

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if self.row(session_id) is None or not cost_data:
            return await super().update(session_id, cost_data=cost_data)
        encode(cost_data, dict)
        if session_id not in self.merging:
            self.merging[session_id] = {}, asyncio.create_task(self.merge(session_id))
        together, task = self.merging[session_id]
        together.update(copy(cost_data))
        return await task

    async def merge(self, session_id: str) -> bool:
        try:
            await asyncio.sleep(0)
        finally:
            together, _ = self.merging.pop(session_id)
        return await super().update(session_id, cost_data=together)


@mutant(
    "cancellation.leaks-nothing",
    "operations that are cancelled leave a task behind",
    adding=("census",),
)
class LeavesItsTask(DictStore):
    """Shields a task that waits, and forgets it when nobody waits for it any longer."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        task = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        task.cancel()
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "cancellation.leaks-nothing",
    "operations that are cancelled leave a file behind",
    adding=("census",),
)
class LeavesItsDescriptor(FileStore):
    """Opens a descriptor, and closes it when all went well."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.lost: list[int] = []

    async def load(self, session_id: str) -> list[Json] | None:
        self.folder.mkdir(exist_ok=True)
        reading = os.open(self.folder / "journal", os.O_RDONLY | os.O_CREAT)
        self.lost.append(reading)
        await asyncio.sleep(0)
        os.close(reading)
        self.lost.remove(reading)
        return await super().load(session_id)

    def __del__(self) -> None:
        for reading in self.lost:
            os.close(reading)


@mutant(
    "cancellation.leaks-nothing",
    "operations that are refused leave a file behind",
    adding=("census",),
)
class LeavesADescriptorWhenItRefuses(FileStore):
    """Opens a descriptor to look whether an id is taken, and closes it where it is not."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.lost: list[int] = []

    async def create(self, session_id: str | None = None) -> str:
        try:
            return await super().create(session_id)
        except SessionExistsError:
            self.lost.append(os.open(self.folder, os.O_RDONLY))
            raise

    async def close(self) -> None:
        while self.lost:
            os.close(self.lost.pop())
        await super().close()


@mutant(
    "cancellation.leaks-nothing",
    "a first use that is cancelled leaves a thread behind",
    adding=("census",),
)
class LeavesTheThreadOfItsOpening(DictStore):
    """Starts its thread before it is open, and ends only those of stores that are."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.end = threading.Event()
        self.is_open = False

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if not self.is_open and not self.is_closed:
            threading.Thread(target=self.end.wait, daemon=True).start()
            await asyncio.sleep(0)
            self.is_open = True
        await super().save(session_id, messages)

    async def close(self) -> None:
        if self.is_open:
            self.end.set()
        await super().close()

    def __del__(self) -> None:
        self.end.set()
