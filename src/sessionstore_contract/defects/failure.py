"""Stores in which an operation that raised goes on to have effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "A refused save has emptied the history by the time of the next save.",
    caught_by="failure.raised-means-not-stored-later",
)
class StoresTheRefusedLater(Wrapper):
    left: tuple[str, Json] | None = None

    async def save(self, session_id: str, messages: Json) -> None:
        if self.left is not None:
            left, self.left = self.left, None
            await self.store.save(*left)
        try:
            await self.store.save(session_id, messages)
        except Exception:
            self.left = session_id, []
            raise


@defect(
    "After a refused create no other instance can save, until this one is used again.",
    caught_by="failure.leaves-no-transaction-open",
)
class KeepsTheLockOfTheRefused(Wrapper):
    holder: ClassVar[Wrapper | None] = None

    async def create(self, session_id: str | None = None) -> Json:
        self.let_go()
        try:
            return await self.store.create(session_id)
        except Exception:
            type(self).holder = self
            raise

    async def save(self, session_id: str, messages: Json) -> None:
        self.let_go()
        if self.holder is not None:
            raise RuntimeError("database is locked")
        await self.store.save(session_id, messages)

    async def close(self) -> None:
        self.let_go()
        await self.store.close()

    def let_go(self) -> None:
        if self.holder is self:
            type(self).holder = None
