"""A journal of what happened, a line of JSON each: the state is the fold of it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sessionstore_contract.interface import (
    Json,
    SessionExistsError,
    SessionStore,
    StoreClosedError,
)

from ..mutants.correct import FileStore, Row, encode, instant, now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class JournalStore(SessionStore):
    """Appends to a file under a lock that processes share, and folds what others appended."""

    storage: ClassVar[str] = "file"
    claims: ClassVar[frozenset[str]] = FileStore.claims

    def __init__(self, place: str) -> None:
        self.path = Path(place)
        self.rows: dict[str, Row] = {}
        self.read_to = 0
        self.is_closed = False

    @contextmanager
    def caught_up(self) -> Iterator[dict[str, Row]]:
        """Hold the lock, with the state as of now."""
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        with self.path.open("a+b") as self.file:
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.file.seek(self.read_to)
            lines = self.file.readlines()
            for line in lines:
                event = self.told(line)
                if event is None and self.read_to == 0 and len(lines) > 1:
                    raise ValueError(f"{self.path} is no journal")
                if event is None:
                    # Who was killed while it wrote has acknowledged nothing.
                    self.file.truncate(self.read_to)
                    break
                self.fold(event)
                self.read_to += len(line)
            yield self.rows

    def worded(self, event: dict[str, Json]) -> bytes:
        return json.dumps(event).encode() + b"\n"

    def told(self, line: bytes) -> dict[str, Any] | None:
        """Read a line; None when it is not whole."""
        return json.loads(line) if line.endswith(b"\n") else None

    def append(self, event: dict[str, Json]) -> None:
        dated = {**event, "at": now()}
        line = self.worded(dated)
        self.file.write(line)
        self.file.flush()
        self.fold(dated)
        self.read_to += len(line)

    def fold(self, event: dict[str, Any]) -> None:
        match event:
            case {"gone": names}:
                for name in names:
                    del self.rows[name]
            case {"id": name, "saved": text, "at": at}:
                row = self.rows.setdefault(name, Row())
                row.messages, row.active = text, at
            case {"id": name, "spent": new, "at": at}:
                row = self.rows[name]
                row.costs = json.dumps({**json.loads(row.costs), **new})
                row.active = at

    async def create(self, session_id: str | None = None) -> str:
        name = secrets.token_hex(16) if session_id is None else session_id
        with self.caught_up() as rows:
            if name in rows:
                raise SessionExistsError(f"{name!r} exists")
            self.append({"id": name, "saved": "[]"})
        return name

    async def load(self, session_id: str) -> list[Json] | None:
        with self.caught_up() as rows:
            row = rows.get(session_id)
            return None if row is None else json.loads(row.messages)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = encode(messages, list)
        await asyncio.sleep(0)
        with self.caught_up():
            self.append({"id": session_id, "saved": text})

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        await asyncio.sleep(0)
        with self.caught_up() as rows:
            if session_id in rows and new:
                self.append({"id": session_id, "spent": new})
            return session_id in rows

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.caught_up() as rows:
            return json.loads(rows[session_id].costs) if session_id in rows else {}

    async def delete(self, session_id: str) -> bool:
        with self.caught_up() as rows:
            found = session_id in rows
            if found:
                self.append({"gone": [session_id]})
            return found

    async def exists(self, session_id: str) -> bool:
        with self.caught_up() as rows:
            return session_id in rows

    async def delete_before(self, cutoff: datetime) -> int:
        before = instant(cutoff)
        with self.caught_up() as rows:
            idle: list[Json] = [name for name, row in rows.items() if row.active < before]
            if idle:
                self.append({"gone": idle})
            return len(idle)

    async def close(self) -> None:
        self.is_closed = True
