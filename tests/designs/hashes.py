"""A hash for each session, as in Redis: a field for the messages, and one for each cost key."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, TypeVar

from sessionstore_contract.interface import (
    Json,
    SessionExistsError,
    SessionStore,
    StoreClosedError,
)

from ..mutants.correct import encode

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Hashes = dict[bytes, dict[bytes, bytes]]

MESSAGES = b"m"
ACTIVE = b"a"
COST = b"c:"


class HashServer:
    """Hashes of bytes by bytes, outside of every store."""

    servers: ClassVar[dict[str, HashServer]] = {}

    def __init__(self) -> None:
        self.hashes: Hashes = {}

    @classmethod
    def at(cls, place: str) -> HashServer:
        """Answer the server of a place."""
        return cls.servers.setdefault(place, cls())

    async def run(self, script: Callable[[Hashes], T]) -> T:
        """Run a script in one go, as EVAL does; the way there and back others have a turn."""
        await asyncio.sleep(0)
        answer = script(self.hashes)
        await asyncio.sleep(0)
        return answer


class HashStore(SessionStore):
    """What several instances of one process share, and no other process sees."""

    storage: ClassVar[str] = "file"
    claims: ClassVar[frozenset[str]] = frozenset(
        {"persistence", "cost-read", "retention", "shared"}
    )

    def __init__(self, place: str) -> None:
        self.place = HashServer.at(place)
        self.is_closed = False

    async def run(self, script: Callable[[Hashes], T]) -> T:
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        return await self.place.run(script)

    def now(self) -> bytes:
        return repr(datetime.now(UTC).timestamp()).encode()

    async def create(self, session_id: str | None = None) -> str:
        name = secrets.token_urlsafe(12) if session_id is None else session_id
        key = name.encode()

        def script(hashes: Hashes) -> bool:
            is_free = key not in hashes
            if is_free:
                hashes[key] = {MESSAGES: b"[]", ACTIVE: self.now()}
            return is_free

        if not await self.run(script):
            raise SessionExistsError(f"{name!r} exists")
        return name

    async def load(self, session_id: str) -> list[Json] | None:
        key = session_id.encode()
        found = await self.run(lambda hashes: hashes.get(key, {}).get(MESSAGES))
        return None if found is None else json.loads(found)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        key, text = session_id.encode(), encode(messages, list).encode()

        def script(hashes: Hashes) -> None:
            hashes.setdefault(key, {}).update({MESSAGES: text, ACTIVE: self.now()})

        await self.run(script)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        key, new = session_id.encode(), {} if cost_data is None else cost_data
        encode(new, dict)
        fields = {COST + name.encode(): json.dumps(value).encode() for name, value in new.items()}

        def script(hashes: Hashes) -> bool:
            found = hashes.get(key)
            if found is not None and fields:
                found.update({**fields, ACTIVE: self.now()})
            return found is not None

        return await self.run(script)

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        key = session_id.encode()
        fields = await self.run(lambda hashes: dict(hashes.get(key, {})))
        return {
            field.removeprefix(COST).decode(): json.loads(value)
            for field, value in fields.items()
            if field.startswith(COST)
        }

    async def delete(self, session_id: str) -> bool:
        key = session_id.encode()
        return await self.run(lambda hashes: hashes.pop(key, None) is not None)

    async def exists(self, session_id: str) -> bool:
        key = session_id.encode()
        return await self.run(lambda hashes: key in hashes)

    async def delete_before(self, cutoff: datetime) -> int:
        if cutoff.utcoffset() is None:
            raise ValueError("a cutoff without UTC offset means no instant")
        before = cutoff.timestamp()

        def script(hashes: Hashes) -> int:
            idle = [key for key, fields in hashes.items() if float(fields[ACTIVE]) < before]
            for key in idle:
                del hashes[key]
            return len(idle)

        return await self.run(script)

    async def close(self) -> None:
        self.is_closed = True
