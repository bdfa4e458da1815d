"""Stores of which an operation costs more, the more there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "A load looks at every session that there is but the first five.",
    caught_by="growth.point-operations-do-not-scan",
    # In memory a look costs next to nothing.
    needs={Capability.DURABLE},
)
class LoadScans(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.known: dict[str, None] = {}

    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(session_id, messages)
        self.known[session_id] = None

    async def load(self, session_id: str) -> Json:
        for known in list(self.known)[5:]:
            await self.store.exists(known)
        return await self.store.load(session_id)
