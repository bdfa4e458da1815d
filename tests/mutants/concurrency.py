"""Stores that lose one of two writes made at once."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from .correct import DictStore, FileStore, RowsStore, encode, now
from .defect import mutant

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json


@mutant("concurrency.disjoint-updates-all-survive", "1 of 20 updates at once stand")
class ReadsMergesAndWrites(DictStore):
    """Reads, merges and writes with an await between."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        old = await self.get_cost_data(session_id)
        await asyncio.sleep(0)
        if new and (row := self.row(session_id)):
            row.costs, row.active = json.dumps({**old, **new}), now()
        return session_id in self.rows


@mutant(
    "concurrency.disjoint-updates-all-survive",
    "updates at once: update raised RuntimeError: another operation in progress",
    also={"opening.first-use-may-be-concurrent": "first operations at once: update raised Runtime"},
)
class RefusesASecondUpdate(DictStore):
    """Has one connection, which takes one statement at a time."""

    is_busy = False

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if self.is_busy:
            raise RuntimeError("another operation in progress")
        self.is_busy = True
        await asyncio.sleep(0)
        self.is_busy = False
        return await super().update(session_id, cost_data=cost_data)


@mutant("concurrency.disjoint-updates-all-survive", "10 of 20 updates at once stand")
class DropsWhatComesTooFast(DictStore):
    """Has a queue of ten, and drops what does not fit while it says that it was stored."""

    under_way = 0

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if self.under_way >= 10:
            return True
        self.under_way += 1
        await asyncio.sleep(0)
        self.under_way -= 1
        return await super().update(session_id, cost_data=cost_data)


@mutant("concurrency.disjoint-updates-survive-across-instances", "5 of 20 updates at once stand")
class LocksInTheInstance(FileStore):
    """Reads, merges and writes under a lock that the instance alone knows."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.lock = asyncio.Lock()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        async with self.lock:
            with self.locked():
                row = self.read(session_id)
            await asyncio.sleep(0)
            if row is None or not new:
                return row is not None
            row.costs, row.active = json.dumps({**json.loads(row.costs), **new}), now()
            with self.locked():
                self.write(session_id, row)
            return True


@mutant(
    "concurrency.disjoint-updates-survive-across-instances",
    "updates at once: update raised OperationalError: database is locked",
    also={
        "opening.first-use-may-be-concurrent": "first operations at once: exists raised",
        "sharing.first-use-may-be-concurrent": "first use of several instances at once: exists",
    },
)
class DoesNotWaitForTheLock(RowsStore):
    """Holds the write lock across an await, and waits for nobody else's."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.lock = asyncio.Lock()

    def rows(self, wait: float = 0) -> Any:
        return super().rows(wait)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if not cost_data:
            return await super().update(session_id, cost_data=cost_data)
        encode(cost_data, dict)
        async with self.lock:
            with self.rows() as rows:
                found = self.has(rows, session_id)
                await asyncio.sleep(0)
                if found:
                    self.merge(rows, session_id, cost_data)
                return found
