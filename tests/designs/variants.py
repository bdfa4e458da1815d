"""Correct stores that differ from others in one habit: order, clock, pace, choice, cache."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
import secrets
import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from sessionstore_contract.interface import (
    InvalidSessionIdError,
    Json,
    StoreUnavailableError,
    UnstorableValueError,
)

from ..mutants.correct import DictStore, FileStore, Row, RowsStore, encode, instant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime


class ReorderingStore(DictStore):
    """Answers the members of every object in another order each time."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.random = random.Random(7)

    def reordered(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.reordered(item) for item in value]
        if not isinstance(value, dict):
            return value
        members = [(key, self.reordered(item)) for key, item in value.items()]
        self.random.shuffle(members)
        return dict(members)

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        return None if messages is None else [self.reordered(one) for one in messages]

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        costs = await super().get_cost_data(session_id)
        return {key: self.reordered(costs[key]) for key in reversed(costs)}


class WholeSecondsStore(RowsStore):
    """Keeps times without fractions of a second, and compares cutoffs without them too."""

    def now(self) -> float:
        return math.floor(super().now())

    async def delete_before(self, cutoff: datetime) -> int:
        return await super().delete_before(cutoff.replace(microsecond=0))


class RoundedSecondsStore(RowsStore):
    """Rounds times to whole seconds, as a DATETIME column of MySQL does: up, too."""

    def now(self) -> float:
        return round(super().now())


class SlowStore(DictStore):
    """Is far away: an operation is two milliseconds under way, there and back."""

    async def pause(self) -> None:
        await asyncio.sleep(0.001)

    async def create(self, session_id: str | None = None) -> str:
        await self.pause()
        created = await super().create(session_id)
        await self.pause()
        return created

    async def load(self, session_id: str) -> list[Json] | None:
        await self.pause()
        messages = await super().load(session_id)
        await self.pause()
        return messages

    async def save(self, session_id: str, messages: list[Json]) -> None:
        kept = json.loads(encode(messages, list))
        await self.pause()
        await super().save(session_id, kept)
        await self.pause()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        kept = None if cost_data is None else json.loads(encode(cost_data, dict))
        await self.pause()
        found = await super().update(session_id, cost_data=kept)
        await self.pause()
        return found

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        await self.pause()
        costs = await super().get_cost_data(session_id)
        await self.pause()
        return costs

    async def delete(self, session_id: str) -> bool:
        await self.pause()
        found = await super().delete(session_id)
        await self.pause()
        return found

    async def exists(self, session_id: str) -> bool:
        await self.pause()
        found = await super().exists(session_id)
        await self.pause()
        return found

    async def delete_before(self, cutoff: datetime) -> int:
        await self.pause()
        removed = await super().delete_before(cutoff)
        await self.pause()
        return removed


class OneConnectionStore(SlowStore):
    """Is far away, and has one connection: whoever asks at once is served in turn."""

    seconds: ClassVar[float] = 0.015

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.connection = asyncio.Lock()

    async def pause(self) -> None:
        async with self.connection:
            await asyncio.sleep(self.seconds)


class ImpatientStore(OneConnectionStore):
    """Waits for the connection for a second and a bit, and says so when it gives up."""

    seconds: ClassVar[float] = 0.08
    longest: ClassVar[float] = 1.1

    async def pause(self) -> None:
        try:
            async with asyncio.timeout(self.longest):
                await self.connection.acquire()
        except TimeoutError:
            raise StoreUnavailableError("the connection was not free", is_retry_safe=True) from None
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.connection.release()


class FinishesLaterStore(DictStore):
    """Its server goes on with what a client has cancelled, and is done between two of its reads."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.left: list[str] = []

    async def create(self, session_id: str | None = None) -> str:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.left += [session_id or self.fresh_id()]
            raise
        return await super().create(session_id)

    async def exists(self, session_id: str) -> bool:
        found = await super().exists(session_id)
        while self.left:
            await super().create(self.left.pop())
        return found


class FullStore(DictStore):
    """Refuses who comes when many are under way already, and says so."""

    most: ClassVar[int] = 50

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.under_way = 0

    async def turn(self) -> None:
        if self.under_way == self.most:
            raise StoreUnavailableError("too many operations at once", is_retry_safe=True)
        self.under_way += 1
        try:
            await asyncio.sleep(0.001)
        finally:
            self.under_way -= 1

    async def load(self, session_id: str) -> list[Json] | None:
        await self.turn()
        return await super().load(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        kept = json.loads(encode(messages, list))
        await self.turn()
        await super().save(session_id, kept)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        kept = None if cost_data is None else json.loads(encode(cost_data, dict))
        await self.turn()
        return await super().update(session_id, cost_data=kept)


class LimitedStore(RowsStore):
    """Has a limit for a value, as DynamoDB has for an item: what is longer is refused."""

    most: ClassVar[int] = 400_000

    def check(self, value: Json, kind: type) -> None:
        if len(encode(value, kind)) > self.most:
            raise UnstorableValueError(f"more than {self.most} characters can't be kept")

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.check(messages, list)
        await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if cost_data is not None:
            self.check({**await self.get_cost_data(session_id), **cost_data}, dict)
        return await super().update(session_id, cost_data=cost_data)


class WrongClockStore(RowsStore):
    """Dates activity by the clock of a server that goes wrong: 17 minutes and a bit behind."""

    ahead: ClassVar[timedelta] = -timedelta(minutes=17, seconds=20)

    def now(self) -> float:
        return super().now() + self.ahead.total_seconds()


DEEPEST = 100
LARGEST = 2**53


class UuidStore(DictStore):
    """Takes UUIDs for ids and nothing else, as a column of that type does."""

    def fresh_id(self) -> str:
        return str(uuid.uuid4())

    def row(self, session_id: str) -> Row | None:
        if not re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", session_id):
            raise InvalidSessionIdError(f"{session_id!r} is no UUID")
        return super().row(session_id)


class StrictStore(DictStore):
    """Refuses all that a store may refuse."""

    def row(self, session_id: str) -> Row | None:
        if not re.fullmatch("[a-z0-9-]{1,64}", session_id):
            raise InvalidSessionIdError(f"{session_id!r} is no id")
        return super().row(session_id)

    def choose(self, value: Json, depth: int = 0) -> None:
        if depth > DEEPEST:
            raise UnstorableValueError(f"more than {DEEPEST} levels can't be kept")
        if isinstance(value, str) and "\x00" in value:
            raise UnstorableValueError("text with NUL can't be kept")
        if isinstance(value, int) and abs(value) > LARGEST:
            raise UnstorableValueError("an integer that no float holds can't be kept")
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, list):
            for item in value:
                self.choose(item, depth + 1)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.choose(messages)
        await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        self.choose(cost_data)
        return await super().update(session_id, cost_data=cost_data)


class CachingStore(FileStore):
    """Keeps what it has read until a mark on the place says that somebody has written."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.cache: dict[str, Row | None] = {}
        self.mark = ""

    def read(self, session_id: str) -> Row | None:
        path = self.folder / "mark"
        mark = path.read_text("utf-8") if path.exists() else ""
        if mark != self.mark:
            self.cache, self.mark = {}, mark
        if session_id not in self.cache:
            self.cache[session_id] = super().read(session_id)
        row = self.cache[session_id]
        return None if row is None else replace(row)

    def change_mark(self) -> None:
        # Before the change: whoever is killed in between has caches read again for nothing.
        (self.folder / "mark.new").write_text(secrets.token_hex(8), "utf-8")
        (self.folder / "mark.new").replace(self.folder / "mark")

    def write(self, session_id: str, row: Row) -> None:
        self.change_mark()
        super().write(session_id, row)

    def remove(self, session_id: str) -> None:
        self.change_mark()
        super().remove(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        before = instant(cutoff)
        with self.locked():
            files = {
                path: json.loads(path.read_text("utf-8")) for path in self.folder.glob("*.json")
            }
            idle = [path for path, row in files.items() if row["active"] < before]
            self.change_mark()
            for path in idle:
                path.unlink()
            return len(idle)


async def open_later(place: str) -> FileStore:
    """Open a store in a coroutine function."""
    await asyncio.sleep(0.001)
    return FileStore(place)


@asynccontextmanager
async def open_within(place: str) -> AsyncIterator[RowsStore]:
    """Open a store in surroundings that end after it."""
    await asyncio.sleep(0.001)
    store = RowsStore(place)
    try:
        yield store
    finally:
        await store.close()
