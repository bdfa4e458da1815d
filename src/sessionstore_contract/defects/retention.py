"""Stores whose `delete_before` removes too much, too little, or counts wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


class KeepsTimes(Wrapper):
    """Keeps the time of each session's last activity, and removes the idle ones one by one."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.active: dict[str, datetime] = {}

    def touch(self, session_id: str) -> None:
        self.active[session_id] = datetime.now(UTC)

    async def create(self, session_id: str | None = None) -> Json:
        created = await self.store.create(session_id)
        self.touch(created)
        return created

    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(session_id, messages)
        self.touch(session_id)

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        is_there = await self.store.update(session_id, cost_data=cost_data)
        if is_there and cost_data:
            self.touch(session_id)
        return is_there

    async def idle(self, cutoff: datetime) -> list[str]:
        instant = cutoff if cutoff.tzinfo else cutoff.replace(tzinfo=UTC)
        return [one for one, at in self.active.items() if at < instant]

    async def delete_before(self, cutoff: datetime) -> int:
        removed = [one for one in await self.idle(cutoff) if await self.store.delete(one)]
        for session_id in removed:
            self.active.pop(session_id, None)
        return len(removed)


@defect("The time of creation counts, not of use.", caught_by="retention.goes-by-last-activity")
class GoesByCreation(KeepsTimes):
    def touch(self, session_id: str) -> None:
        self.active.setdefault(session_id, datetime.now(UTC))


@defect("`update` does not count as activity.", caught_by="retention.goes-by-last-activity")
class UpdateIsNoActivity(KeepsTimes):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        return await self.store.update(session_id, cost_data=cost_data)


@defect("Reading counts as activity.", caught_by="retention.goes-by-last-activity")
class ReadingIsActivity(Wrapper):
    async def load(self, session_id: str) -> Json:
        messages = await self.store.load(session_id)
        if messages is not None:
            await self.store.save(session_id, messages)
        return messages


@defect("`delete_before` removes nothing.", caught_by="retention.goes-by-last-activity")
class DeleteBeforeRemovesNothing(Wrapper):
    async def delete_before(self, cutoff: datetime) -> int:
        return 0


@defect("`delete_before` does not count.", caught_by="retention.counts-what-it-removed")
class DeleteBeforeDoesNotCount(Wrapper):
    async def delete_before(self, cutoff: datetime) -> int:
        await self.store.delete_before(cutoff)
        return 0


@defect(
    "`delete_before` removes a hundred sessions at a time.",
    caught_by="retention.counts-what-it-removed",
)
class RemovesAHundredAtATime(KeepsTimes):
    async def idle(self, cutoff: datetime) -> list[str]:
        return (await super().idle(cutoff))[:100]


@defect(
    "`delete_before` spares sessions without messages.",
    caught_by="retention.counts-what-it-removed",
)
class SparesEmptySessions(KeepsTimes):
    async def idle(self, cutoff: datetime) -> list[str]:
        return [one for one in await super().idle(cutoff) if await self.store.load(one)]


@defect("The offset of the cutoff is ignored.", caught_by="retention.compares-instants")
class IgnoresTheOffset(Wrapper):
    async def delete_before(self, cutoff: datetime) -> Json:
        return await self.store.delete_before(cutoff.replace(tzinfo=UTC))


@defect(
    "A naive cutoff is read as local time.",
    caught_by="retention.naive-cutoff-never-means-local",
)
class NaiveMeansLocal(Wrapper):
    async def delete_before(self, cutoff: datetime) -> Json:
        return await self.store.delete_before(cutoff.astimezone(UTC))


@defect(
    "What was saved while the idle sessions are removed goes with them.",
    caught_by="retention.survivors-are-whole",
)
class RemovesWhatWasSavedMeanwhile(KeepsTimes):
    async def idle(self, cutoff: datetime) -> list[str]:
        idle = await super().idle(cutoff)
        await asyncio.sleep(0)  # as a driver does, whatever the store keeps it in
        return [one for one in idle if await self.store.exists(one)]


@defect(
    "`delete_before` resets the cost data of the sessions that stay.",
    caught_by="retention.survivors-are-whole",
    needs={Capability.COST_READ},
)
class SurvivorsLoseCostData(KeepsTimes):
    async def delete_before(self, cutoff: datetime) -> int:
        removed = await super().delete_before(cutoff)
        for session_id in self.active:
            messages = await self.store.load(session_id)
            if messages is not None:
                await self.put(session_id, messages, {})
        return removed
