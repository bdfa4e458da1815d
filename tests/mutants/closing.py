"""Stores that can't be closed as often, as early or as late as it happens."""

from __future__ import annotations

import asyncio

from .correct import DictStore, NothingStore
from .defect import mutant


@mutant("closing.is-idempotent", "close raised RuntimeError: closed already")
class ClosesOnce(DictStore):
    """Raises at the second close."""

    async def close(self) -> None:
        if self.is_closed:
            raise RuntimeError("closed already")
        await super().close()


@mutant("closing.is-idempotent", "close raised AttributeError")
class ClosesWhatWasNotOpened(DictStore):
    """Closes a connection that the first use would have made."""

    async def exists(self, session_id: str) -> bool:
        self.connection = object()
        return await super().exists(session_id)

    async def close(self) -> None:
        if not self.is_closed and not self.rows:
            self.connection.__hash__()
        await super().close()


@mutant("closing.is-idempotent", "close at once: close raised RuntimeError: closing already")
class ClosesOneAfterTheOther(NothingStore):
    """Can't be closed while it closes."""

    is_closing = False

    async def close(self) -> None:
        if self.is_closing:
            raise RuntimeError("closing already")
        self.is_closing = True
        await asyncio.sleep(0)
        self.is_closing = False


@mutant("closing.is-idempotent", "close does not answer in time", timeout=0.2)
class WaitsForItselfAtTheSecondClose(NothingStore):
    """Takes a lock that it never gives back."""

    def __init__(self, place: str | None = None) -> None:
        self.lock = asyncio.Lock()

    async def close(self) -> None:
        await self.lock.acquire()
