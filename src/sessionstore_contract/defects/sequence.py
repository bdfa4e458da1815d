"""Stores that are wrong after some things were done one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "The second save of a session that was deleted and made again is lost.",
    caught_by="sequence.follows-the-model",
)
class TheSecondSaveAfterADeleteIsLost(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.saves: dict[str, int] = {}

    async def delete(self, session_id: str) -> Json:
        self.saves[session_id] = 0
        return await self.store.delete(session_id)

    async def save(self, session_id: str, messages: Json) -> None:
        if session_id in self.saves:
            self.saves[session_id] += 1
        if self.saves.get(session_id) != 2 or not isinstance(messages, list):
            await self.store.save(session_id, messages)
