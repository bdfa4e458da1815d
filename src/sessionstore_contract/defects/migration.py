"""Stores that are at a loss on a place of an earlier release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "Whether a session exists is answered before the place was migrated.",
    caught_by="migration.old-sessions-are-there",
)
class AsksBeforeItMigrates(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.is_used = False

    async def exists(self, session_id: str) -> Json:
        found = await self.store.exists(session_id)
        was_used, self.is_used = self.is_used, True
        return found and was_used

    async def load(self, session_id: str) -> Json:
        self.is_used = True
        return await self.store.load(session_id)


@defect(
    "Who loads an old session saves it in the new form, which dates it anew.",
    caught_by="migration.old-times-stand",
    needs={Capability.COST_READ},
)
class LoadBringsUpToDate(Wrapper):
    async def load(self, session_id: str) -> Json:
        messages = await self.store.load(session_id)
        if messages is not None and not await self.store.get_cost_data(session_id):
            await self.store.save(session_id, messages)
        return messages
