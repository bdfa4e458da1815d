"""Stores that claim to keep nothing, and don't do even that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect("`create` answers no id.", caught_by="ephemeral.create-answers-an-id")
class AnswersNoId(Wrapper):
    async def create(self, session_id: str | None = None) -> None:
        await self.store.create(session_id)


@defect(
    "`load` answers [] where nothing is kept.",
    caught_by="ephemeral.keeps-nothing",
)
class NothingIsAnEmptyHistory(Wrapper):
    async def load(self, session_id: str) -> list[Json]:
        return await self.store.load(session_id) or []


@defect(
    "`delete` raises where nothing is kept.",
    caught_by="ephemeral.keeps-nothing",
)
class DeleteOfNothingRaises(Wrapper):
    async def delete(self, session_id: str) -> bool:
        raise KeyError(session_id)
