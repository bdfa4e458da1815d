"""Stores whose operations at once get into each other's way."""

from __future__ import annotations

import asyncio
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
