"""Stores of which each instance answers from what it knows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..history import OPERATIONS
from ..values import copy
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from ..interface import Json


class Caches(Wrapper):
    """Remembers what it has read until it writes something itself."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.cache: dict[str, Any] = {}

    async def remembered(self, session_id: str, read: Callable[[str], Awaitable[Any]]) -> Any:
        if session_id not in self.cache:
            self.cache[session_id] = await read(session_id)
        return copy(self.cache[session_id])

    async def written(self, write: Awaitable[Any]) -> Any:
        try:
            return await write
        finally:
            self.cache.clear()

    async def create(self, session_id: str | None = None) -> Json:
        return await self.written(self.store.create(session_id))

    async def save(self, session_id: str, messages: Json) -> None:
        await self.written(self.store.save(session_id, messages))

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        return await self.written(self.store.update(session_id, cost_data=cost_data))

    async def delete(self, session_id: str) -> Json:
        return await self.written(self.store.delete(session_id))

    async def delete_before(self, cutoff: datetime) -> Json:
        return await self.written(self.store.delete_before(cutoff))


@defect(
    "Each instance caches histories, and no other one's write reaches the cache.",
    caught_by="sharing.writes-are-seen-at-once",
)
class CachesHistories(Caches):
    async def load(self, session_id: str) -> Json:
        return await self.remembered(session_id, self.store.load)


@defect(
    "Each instance caches cost data, and no other one's update reaches the cache.",
    caught_by="sharing.writes-are-seen-at-once",
    needs={Capability.COST_READ},
)
class CachesCostData(Caches):
    async def get_cost_data(self, session_id: str) -> Json:
        return await self.remembered(session_id, self.store.get_cost_data)


@defect(
    "Each instance caches which sessions are missing.",
    caught_by="sharing.writes-are-seen-at-once",
)
class CachesWhatIsMissing(Caches):
    async def exists(self, session_id: str) -> Json:
        return await self.remembered(session_id, self.store.exists)


@defect(
    "A save is written when the instance is used the next time.",
    caught_by="sharing.writes-are-seen-at-once",
)
class SavesBehind(Wrapper):
    behind: tuple[str, Json] | None = None

    async def save(self, session_id: str, messages: Json) -> None:
        await self.catch_up()
        self.behind = session_id, copy(messages)

    async def catch_up(self) -> None:
        if self.behind is not None:
            (session_id, messages), self.behind = self.behind, None
            await self.store.save(session_id, messages)

    def __getattr__(self, name: str) -> Any:
        async def later(*arguments: Any, **keywords: Any) -> Any:
            await self.catch_up()
            return await getattr(self.store, name)(*arguments, **keywords)

        return later if name in OPERATIONS else getattr(self.store, name)
