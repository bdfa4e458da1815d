"""Stores that can't be closed whenever and however often somebody does."""

from __future__ import annotations

import asyncio

from .defect import Wrapper, defect


@defect("`close` raises the second time.", caught_by="closing.is-idempotent")
class CloseRaisesTheSecondTime(Wrapper):
    is_closed = False

    async def close(self) -> None:
        if self.is_closed:
            raise RuntimeError("the store is closed")
        self.is_closed = True
        await self.store.close()


@defect("`close` does not come back the second time.", caught_by="closing.is-idempotent", timeout=3)
class CloseHangsTheSecondTime(Wrapper):
    is_closed = False

    async def close(self) -> None:
        if self.is_closed:
            await asyncio.Event().wait()
        self.is_closed = True
        await self.store.close()


@defect("`close` raises while it is being closed.", caught_by="closing.is-idempotent")
class CloseRaisesBesideItself(Wrapper):
    is_closing = False

    async def close(self) -> None:
        if self.is_closing:
            raise RuntimeError("the store is closing")
        self.is_closing = True
        await asyncio.sleep(0)  # as a driver does, whatever it has to close
        await self.store.close()
        self.is_closing = False


@defect("`close` raises before the first use.", caught_by="closing.is-idempotent")
class CloseNeedsAUse(Wrapper):
    is_used = False

    async def exists(self, session_id: str) -> bool:
        self.is_used = True
        answer: bool = await self.store.exists(session_id)
        return answer

    async def close(self) -> None:
        if not self.is_used:
            raise AttributeError("'NoneType' object has no attribute 'close'")
        await self.store.close()
