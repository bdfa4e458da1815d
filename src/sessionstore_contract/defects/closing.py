"""Stores that can't be closed whenever and however often somebody does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


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


@defect(
    "`close` waits for an operation under way, which it keeps from coming to its end.",
    caught_by="closing.is-bounded",
    timeout=3,
)
class CloseHangsBesideAnOperation(Wrapper):
    under_way = 0

    async def load(self, session_id: str) -> Json:
        self.under_way += 1
        try:
            for _ in range(10):
                await asyncio.sleep(0)  # as a driver does, whatever it has to wait for
            return await self.store.load(session_id)
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        if self.under_way:
            await asyncio.Event().wait()
        await self.store.close()


@defect(
    "A closed store is read as if it were empty.",
    caught_by="closing.closed-stays-closed",
)
class AnswersWhenItIsClosed(Wrapper):
    is_closed = False

    async def load(self, session_id: str) -> Json:
        return None if self.is_closed else await self.store.load(session_id)

    async def close(self) -> None:
        self.is_closed = True
        await self.store.close()


@defect(
    "`close` leaves a task on the loop.",
    caught_by="closing.leaves-nothing-behind",
)
class CloseLeavesATask(Wrapper):
    async def close(self) -> None:
        self.task = asyncio.ensure_future(asyncio.Event().wait())
        await self.store.close()
