"""Stores that open themselves at first use, done right: what mutants of that are made from."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from sessionstore_contract.history import OPERATIONS

from .correct import DictStore, FileStore

if TYPE_CHECKING:
    from collections.abc import Callable


def opens_first(store: type) -> type:
    """Let every operation but `close` await `open` before it does its work."""
    for name in OPERATIONS:
        if name != "close":
            setattr(store, name, _opening(getattr(store, name)))
    return store


def _opening(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    async def opened(self: Any, *arguments: Any, **keywords: Any) -> Any:
        await self.open()
        return await operation(self, *arguments, **keywords)

    return opened


class OpenedDict(DictStore):
    """A dict behind an opening that takes a turn of the loop."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.opening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open once, for all who come meanwhile."""
        self.check_open()
        if self.opening is None:
            self.opening = asyncio.create_task(self.connect())
        if not self.opening.done():
            await asyncio.wait({self.opening})

    async def connect(self) -> None:
        await asyncio.sleep(0)


class OpenedFiles(FileStore):
    """Files behind an opening that takes a turn of the loop."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.opening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open once, for all who come meanwhile; what fails is raised at each."""
        if self.opening is None:
            self.opening = asyncio.create_task(self.connect())
        if not self.opening.done():
            await asyncio.wait({self.opening})
        self.opening.result()

    async def connect(self) -> None:
        await asyncio.sleep(0)


opens_first(OpenedDict)
opens_first(OpenedFiles)
