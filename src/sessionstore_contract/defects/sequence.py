"""Stores that answer one session with what was done to another before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "A load answers the history that was saved last, whichever session is asked for.",
    caught_by="sequence.follows-the-model",
)
class LoadAnswersWhatWasSavedLast(Wrapper):
    last: str | None = None

    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(session_id, messages)
        self.last = session_id

    async def load(self, session_id: str) -> Json:
        messages = await self.store.load(session_id)
        if messages is None or self.last is None:
            return messages
        last = await self.store.load(self.last)
        return messages if last is None else last
