"""Stores that are not fit for being cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from .concurrency import WritesKeyByKey
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "A cancelled save answers as if nothing had happened.", caught_by="cancellation.is-passed-on"
)
class SwallowsCancellation(Wrapper):
    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(session_id, messages)
        try:
            await asyncio.sleep(0)  # as a driver does, whatever it has to wait for
        except asyncio.CancelledError:
            return


@defect(
    "A cancelled load raises an error of the store's own.", caught_by="cancellation.is-passed-on"
)
class TranslatesCancellation(Wrapper):
    async def load(self, session_id: str) -> Json:
        try:
            await asyncio.sleep(0)  # as a driver does, whatever it has to wait for
            return await self.store.load(session_id)
        except asyncio.CancelledError:
            raise RuntimeError("the storage failed") from None


@defect(
    "An update that is cancelled has written some of its keys.",
    caught_by="cancellation.is-all-or-nothing",
    needs={Capability.COST_READ},
)
class CancelledBetweenKeys(WritesKeyByKey):
    pass


@defect(
    "An update that is cancelled keeps its lock.",
    caught_by="cancellation.leaves-the-store-usable",
    timeout=3,
)
class CancelledWithTheLock(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.lock = asyncio.Lock()

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        await self.lock.acquire()
        await asyncio.sleep(0)  # as a driver does, whatever it has to wait for
        self.lock.release()
        return await self.store.update(session_id, cost_data=cost_data)


@defect(
    "An update that is cancelled leaves a task behind.",
    caught_by="cancellation.leaks-nothing",
    needs={Capability.CENSUS},
)
class CancelledWithATask(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        task = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)  # as a driver does, whatever it has to wait for
        task.cancel()
        return await self.store.update(session_id, cost_data=cost_data)
