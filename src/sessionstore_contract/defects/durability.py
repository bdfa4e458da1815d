"""Stores that keep what was acknowledged for as long as they are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "Cost data is held back, and written by `close`.",
    caught_by="durability.close-is-not-the-commit",
    needs={Capability.COST_READ},
)
class CloseIsTheCommit(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.held: dict[str, dict[str, Json]] = {}

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        if isinstance(cost_data, dict) and await self.store.exists(session_id):
            self.held.setdefault(session_id, {}).update(cost_data)
            return True
        return await self.store.update(session_id, cost_data=cost_data)

    async def get_cost_data(self, session_id: str) -> Json:
        return {**await self.store.get_cost_data(session_id), **self.held.get(session_id, {})}

    async def close(self) -> None:
        while self.held:
            session_id, cost_data = self.held.popitem()
            await self.store.update(session_id, cost_data=cost_data)
        await self.store.close()


class ActsAtClose(Wrapper):
    """Knows its sessions, and does something to each when it is closed."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.ids: set[str] = set()

    async def create(self, session_id: str | None = None) -> Json:
        created = await self.store.create(session_id)
        self.ids.add(created)
        return created

    async def at_close(self, session_id: str) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        while self.ids:
            await self.at_close(self.ids.pop())
        await self.store.close()


@defect("`close` removes the sessions.", caught_by="durability.reopening-finds-everything")
class CloseRemovesSessions(ActsAtClose):
    async def at_close(self, session_id: str) -> None:
        await self.store.delete(session_id)


@defect(
    "Cost data does not outlive the instance.",
    caught_by="durability.reopening-finds-everything",
    needs={Capability.COST_READ},
)
class CostDataEndsWithTheInstance(ActsAtClose):
    async def at_close(self, session_id: str) -> None:
        messages = await self.store.load(session_id)
        if messages is not None:
            await self.put(session_id, messages, {})
