"""Stores in which one session, or one caller's object, reaches another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..values import copy
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "`delete` takes the id for a prefix.",
    caught_by="isolation.operations-touch-one-session",
)
class DeleteTakesAPrefix(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.ids: set[str] = set()

    async def create(self, session_id: str | None = None) -> Json:
        created = await self.store.create(session_id)
        self.ids.add(created)
        return created

    async def delete(self, session_id: str) -> Json:
        for other in [one for one in self.ids if one.startswith(session_id) and one != session_id]:
            await self.store.delete(other)
        return await self.store.delete(session_id)


@defect(
    "The store keeps the list that it was given, and follows its changes.",
    caught_by="isolation.arguments-stay-the-callers",
)
class FollowsTheCallersList(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.given: dict[str, tuple[Json, Json]] = {}

    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(session_id, messages)
        self.given[session_id] = messages, copy(messages)

    async def load(self, session_id: str) -> Json:
        loaded = await self.store.load(session_id)
        given, as_saved = self.given.get(session_id, (None, None))
        return copy(given) if loaded is not None and loaded == as_saved else loaded


@defect(
    "`save` marks the messages of the caller.",
    caught_by="isolation.arguments-stay-the-callers",
)
class SaveMarksMessages(Wrapper):
    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(session_id, messages)
        for message in messages:
            message["saved"] = True


@defect(
    "`update` takes out of its argument what it has stored.",
    caught_by="isolation.arguments-stay-the-callers",
)
class UpdateEmptiesItsArgument(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        is_there = await self.store.update(session_id, cost_data=cost_data)
        if cost_data:
            cost_data.clear()
        return is_there


class HandsOut(Wrapper):
    """Remembers an answer as long as it is true, and hands out the same object each time."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.cache: dict[str, tuple[Json, Json]] = {}

    def handed_out(self, session_id: str, answer: Json) -> Json:
        kept, handed = self.cache.get(session_id, (None, None))
        if kept is None or kept != answer:
            self.cache[session_id] = copy(answer), answer
            return answer
        return handed


@defect("`load` hands out what is in its cache.", caught_by="isolation.answers-are-copies")
class LoadHandsOutItsCache(HandsOut):
    async def load(self, session_id: str) -> Json:
        return self.handed_out(session_id, await self.store.load(session_id))


@defect(
    "`get_cost_data` hands out what is in its cache.",
    caught_by="isolation.answers-are-copies",
    needs={Capability.COST_READ},
)
class CostDataHandsOutItsCache(HandsOut):
    async def get_cost_data(self, session_id: str) -> Json:
        return self.handed_out(session_id, await self.store.get_cost_data(session_id))
