"""Stores that take what they were lent for their own."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import httpx

from sessionstore_contract import Lent

from .correct import FileStore
from .defect import mutant
from .platform_stores import PlatformStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class LentStore(FileStore):
    """Is lent a connection to a database of its caller's, in which its caller works too."""

    def __init__(self, place: str, connection: sqlite3.Connection | None = None) -> None:
        super().__init__(place)
        self.connection = connection

    @classmethod
    @asynccontextmanager
    async def lend(cls, place: str) -> AsyncIterator[Lent]:
        with closing(sqlite3.connect(f"{place}.lent")) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS work (done INTEGER)")

            def is_usable() -> bool:
                try:
                    return bool(connection.execute("SELECT 1").fetchone())
                except sqlite3.ProgrammingError:
                    return False

            def begin() -> None:
                connection.execute("INSERT INTO work VALUES (1)")

            async def is_pending() -> bool:
                return connection.in_transaction

            yield Lent(cls(place, connection), is_usable, begin, is_pending)


@mutant("closing.keeps-off-what-it-was-lent", "close closes what was lent")
class ClosesWhatItWasLent(LentStore):
    """Closes its connection, whoever made it."""

    async def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        await super().close()


@mutant("closing.keeps-off-what-it-was-lent", "close commits or rolls back work that the caller")
class CommitsTheCallersWork(LentStore):
    """Commits what is left, to be on the safe side."""

    async def close(self) -> None:
        if self.connection is not None:
            self.connection.commit()
        await super().close()


@mutant("closing.keeps-off-what-it-was-lent", "close commits or rolls back work that the caller")
class RollsBackTheCallersWork(LentStore):
    """Undoes what is left, to be on the safe side."""

    async def close(self) -> None:
        if self.connection is not None:
            self.connection.rollback()
        await super().close()


@mutant("closing.keeps-off-what-it-was-lent", "close closes what was lent")
class ClosesTheLentClient(PlatformStore):
    """Closes its client, whoever made it."""

    @classmethod
    @asynccontextmanager
    async def lend(cls, url: str) -> AsyncIterator[Lent]:
        async with httpx.AsyncClient() as client:
            yield Lent(cls(url, client=client), lambda: not client.is_closed)

    async def close(self) -> None:
        if self._connection._is_lent and self._connection._client is not None:
            await self._connection._client.aclose()
        await super().close()
