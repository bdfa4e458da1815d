"""Stores whose operations at once get into each other's way."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


class KeepsCostsAsOne(Wrapper):
    """Keeps all of cost data under one key of the store, so that it has to merge by itself."""

    async def get_cost_data(self, session_id: str) -> Any:
        return (await self.store.get_cost_data(session_id)).get("all", {})

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if not cost_data or not isinstance(cost_data, dict):
            return await self.store.update(session_id, cost_data=cost_data)
        merged = {**await self.get_cost_data(session_id), **cost_data}
        await asyncio.sleep(0)  # as a driver does, whatever the store keeps it in
        return await self.store.update(session_id, cost_data={"all": merged})


@defect(
    "`update` reads, merges and writes, and nothing keeps others out meanwhile.",
    caught_by="concurrency.disjoint-updates-all-survive",
)
class MergesOutsideTheStore(KeepsCostsAsOne):
    pass


@defect(
    "`update` reads, merges and writes under a lock that each instance has for itself.",
    caught_by="concurrency.disjoint-updates-survive-across-instances",
)
class MergesUnderALockOfItsOwn(KeepsCostsAsOne):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.lock = asyncio.Lock()

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        async with self.lock:
            return await super().update(session_id, cost_data=cost_data)


@defect(
    "An update raises while another one is under way.",
    caught_by="concurrency.disjoint-updates-all-survive",
)
class UpdatesOneAtATime(Wrapper):
    is_busy = False

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if self.is_busy:
            raise RuntimeError("another operation is in progress")
        self.is_busy = True
        try:
            await asyncio.sleep(0)  # as a driver does, whatever the store keeps it in
            return await self.store.update(session_id, cost_data=cost_data)
        finally:
            self.is_busy = False


@defect(
    "The argument of an update is kept in the instance, where the next one replaces it.",
    caught_by="concurrency.disjoint-updates-all-survive",
)
class ArgumentsCross(Wrapper):
    cost_data: Json = None

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        self.cost_data = cost_data
        await asyncio.sleep(0)  # as a driver does, whatever the store keeps it in
        return await self.store.update(session_id, cost_data=self.cost_data)


@defect(
    "The members of an object are written one after the other.",
    caught_by="concurrency.same-key-is-one-of-the-written",
)
class WritesMemberByMember(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if not isinstance(cost_data, dict) or len(cost_data) != 1:
            return await self.store.update(session_id, cost_data=cost_data)
        ((key, value),) = cost_data.items()
        if not isinstance(value, dict) or len(value) < 2:
            return await self.store.update(session_id, cost_data=cost_data)
        found = await self.store.update(session_id, cost_data={key: {}})
        for member in value if found else ():
            await asyncio.sleep(0)  # as a driver does between two statements
            written = (await self.store.get_cost_data(session_id)).get(key, {})
            await self.store.update(session_id, cost_data={key: {**written, member: value[member]}})
        return found


@defect(
    "The keys of an update are written one after the other.",
    caught_by="concurrency.updates-are-atomic",
)
class WritesKeyByKey(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if not isinstance(cost_data, dict) or len(cost_data) < 2:
            return await self.store.update(session_id, cost_data=cost_data)
        first, *rest = cost_data
        if not await self.store.update(session_id, cost_data={first: cost_data[first]}):
            return False
        await asyncio.sleep(0)  # as a driver does between two statements
        return await self.store.update(session_id, cost_data={key: cost_data[key] for key in rest})


@defect(
    "`save` reads cost data and writes all of it back with the messages.",
    caught_by="concurrency.save-and-update-keep-both",
)
class SaveWritesCostsBack(Wrapper):
    async def save(self, session_id: str, messages: Json) -> None:
        costs = await self.store.get_cost_data(session_id)
        await asyncio.sleep(0)  # as a driver does between two statements
        await self.store.save(session_id, messages)
        if costs:
            await self.store.delete(session_id)
            await self.store.save(session_id, messages)
            await self.store.update(session_id, cost_data=costs)


@defect(
    "`save` empties the history before it fills it.",
    caught_by="concurrency.saves-leave-one-whole-history",
)
class SaveEmptiesFirst(Wrapper):
    async def save(self, session_id: str, messages: Json) -> None:
        if isinstance(messages, list) and len(messages) > 1:
            await self.store.save(session_id, messages[:1])
            await asyncio.sleep(0)  # as a driver does between two statements
        await self.store.save(session_id, messages)


@defect(
    "The id of a load is kept in the instance, where the next one replaces it.",
    caught_by="concurrency.arguments-do-not-cross",
)
class IdsCross(Wrapper):
    current = ""

    async def load(self, session_id: str) -> Json:
        self.current = session_id
        await asyncio.sleep(0)  # as a driver does, whatever it has to wait for
        return await self.store.load(self.current)


@defect(
    "`create` looks whether the id is free, and takes it whatever has come in between.",
    caught_by="concurrency.one-create-wins",
)
class LooksBeforeItCreates(Wrapper):
    async def create(self, session_id: str | None = None) -> Json:
        if session_id is None or await self.store.exists(session_id):
            return await self.store.create(session_id)
        await asyncio.sleep(0)  # as a driver does between two statements
        try:
            return await self.store.create(session_id)
        except Exception:  # noqa: BLE001 - the defect
            return session_id


@defect(
    "`delete` looks whether the session is there, and deletes it whatever has come in between.",
    caught_by="concurrency.one-delete-wins",
)
class LooksBeforeItDeletes(Wrapper):
    async def delete(self, session_id: str) -> Json:
        found = await self.store.exists(session_id)
        await asyncio.sleep(0)  # as a driver does between two statements
        await self.store.delete(session_id)
        return found


@defect(
    "`update` looks whether the session is there, and makes it where it is gone by then.",
    caught_by="concurrency.true-means-stored",
)
class UpdateBringsBack(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if not cost_data or not await self.store.exists(session_id):
            return await self.store.update(session_id, cost_data=cost_data)
        await asyncio.sleep(0)  # as a driver does between two statements
        if not await self.store.update(session_id, cost_data=cost_data):
            await self.store.save(session_id, [])
        return True


@defect(
    "A load raises while the instance saves.",
    caught_by="concurrency.contention-is-not-an-error",
)
class SavesLockReadersOut(Wrapper):
    saving = 0

    async def save(self, session_id: str, messages: Json) -> None:
        self.saving += 1
        try:
            await asyncio.sleep(0)  # as a driver does, whatever it has to wait for
            await self.store.save(session_id, messages)
        finally:
            self.saving -= 1

    async def load(self, session_id: str) -> Json:
        if self.saving:
            raise RuntimeError("database is locked")
        return await self.store.load(session_id)


@defect(
    "`save` waits in the event loop.",
    caught_by="concurrency.event-loop-stays-free",
)
class WaitsInTheLoop(Wrapper):
    async def save(self, session_id: str, messages: Json) -> None:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        await self.store.save(session_id, messages)
