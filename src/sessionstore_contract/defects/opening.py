"""Stores that are not ready when they are used for the first time."""

from __future__ import annotations

import asyncio
from typing import Any

from ..history import OPERATIONS
from .defect import Wrapper, defect


class Opens(Wrapper):
    """Does something before each operation but `close`: a start for defects."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)

        async def opened(*arguments: Any, **keywords: Any) -> Any:
            await self.open_for(name)
            return await found(*arguments, **keywords)

        return opened if name in OPERATIONS and name != "close" else found

    async def open_for(self, operation: str) -> None:
        raise NotImplementedError


@defect(
    "While the first operation opens the store, every other one raises.",
    caught_by="opening.first-use-may-be-concurrent",
)
class OpensForOneAlone(Opens):
    is_open = False
    is_opening = False

    async def open_for(self, operation: str) -> None:
        if self.is_open:
            return
        if self.is_opening:
            raise RuntimeError("the store is being opened")
        self.is_opening = True
        await asyncio.sleep(0)  # as a driver does, whatever it has to open
        self.is_open = True


@defect(
    "What reads fails as long as nothing was written by the instance.",
    caught_by="opening.any-operation-may-be-first",
)
class OpensWithTheFirstWrite(Opens):
    is_open = False

    async def open_for(self, operation: str) -> None:
        self.is_open = self.is_open or operation in {"create", "save"}
        if not self.is_open:
            raise RuntimeError("no such table: sessions")


@defect(
    "In a second event loop an operation waits for the first one, for ever.",
    caught_by="opening.second-loop",
    timeout=3,
)
class WaitsForTheFirstLoop(Opens):
    loop: asyncio.AbstractEventLoop | None = None

    async def open_for(self, operation: str) -> None:
        running = asyncio.get_running_loop()
        self.loop = self.loop or running
        if running is not self.loop:
            await asyncio.Event().wait()
