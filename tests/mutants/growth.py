"""Stores whose operations cost more, the more is stored that they are not about."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sessionstore_contract.values import copy

from .correct import DictStore, FileStore, Row, instant
from .defect import mutant
from .platform_stores import PlatformStore

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sessionstore_contract.interface import Json


@mutant("growth.update-does-not-pay-for-messages", "update carries the history: ")
class UpdatesWhatItLoaded(PlatformStore):
    """Fetches the session to see whether it is there."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if await self.load(session_id) is None:
            return False
        return await super().update(session_id, cost_data=cost_data)


@mutant("growth.update-does-not-pay-for-messages", "update carries the history: ")
class WritesTheHistoryBack(PlatformStore):
    """Keeps a copy of the history, and saves it with every update."""

    def __init__(self, url: str, **rest: Any) -> None:
        super().__init__(url, **rest)
        self.saved: dict[str, list[Json]] = {}

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.saved[session_id] = messages
        await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and session_id in self.saved:
            await super().save(session_id, self.saved[session_id])
        return found


@mutant("growth.update-does-not-pay-for-messages", "get_cost_data carries the history: ")
class ReadsAllForCostData(PlatformStore):
    """Fetches the session with its cost data."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        await self.load(session_id)
        return await super().get_cost_data(session_id)


@mutant("growth.point-operations-do-not-scan", "exists takes ")
class OneFileForAll(FileStore):
    """Keeps all sessions in one JSON file, read for each operation."""

    def file(self) -> Path:
        return self.folder / "all.json"

    def rows(self) -> dict[str, Any]:
        path = self.file()
        rows: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return rows

    def keep(self, rows: dict[str, Any]) -> None:
        new = self.file().with_suffix(".new")
        new.write_text(json.dumps(rows), "utf-8")
        new.replace(self.file())

    def read(self, session_id: str) -> Row | None:
        row = self.rows().get(session_id)
        return None if row is None else Row(**row)

    def write(self, session_id: str, row: Row) -> None:
        self.keep({**self.rows(), session_id: asdict(row)})

    def remove(self, session_id: str) -> None:
        rows = self.rows()
        del rows[session_id]
        self.keep(rows)

    async def delete_before(self, cutoff: datetime) -> int:
        before = instant(cutoff)
        with self.locked():
            rows = self.rows()
            left = {name: row for name, row in rows.items() if row["active"] >= before}
            self.keep(left)
        return len(rows) - len(left)


@mutant("growth.point-operations-do-not-scan", "load takes ")
class LooksThroughFiles(FileStore):
    """Reads file after file until it finds the one."""

    async def load(self, session_id: str) -> list[Json] | None:
        with self.locked():
            for path in self.folder.glob("*.json"):
                json.loads(json.loads(path.read_text("utf-8"))["messages"])
        return await super().load(session_id)


NO_MEMORY = "growth.gone-sessions-take-no-memory"


@mutant(NO_MEMORY, "something of each deleted session stays in memory")
class KeepsALockForEachSession(DictStore):
    """Makes a lock for each id that it is given, and drops none."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        async with self.locks[session_id]:
            return await super().update(session_id, cost_data=cost_data)


@mutant(NO_MEMORY, "something of each deleted session stays in memory")
class KeepsWhatItLoaded(DictStore):
    """Answers what it has decoded once, as long as the text is the same, and drops none of it."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.decoded: dict[str, tuple[str, list[Json]]] = {}

    async def load(self, session_id: str) -> list[Json] | None:
        row = self.row(session_id)
        if row is None:
            return None
        text, messages = self.decoded.get(session_id, ("", []))
        if text != row.messages:
            self.decoded[session_id] = row.messages, (messages := json.loads(row.messages))
        return list(copy(messages))


@mutant(NO_MEMORY, "something of each deleted session stays in memory")
class KeepsTheTasksThatSaved(DictStore):
    """Saves in tasks of its own, which nobody is to cancel, and keeps them for ever."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.tasks: list[asyncio.Task[None]] = []

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.tasks.append(asyncio.create_task(super().save(session_id, messages)))
        await asyncio.shield(self.tasks[-1])


@mutant(NO_MEMORY, "something of each id that nobody has stays in memory")
class RemembersWhoWasAskedFor(DictStore):
    """Counts which ids were asked for in vain."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.in_vain: set[str] = set()

    async def load(self, session_id: str) -> list[Json] | None:
        found = await super().load(session_id)
        if found is None:
            self.in_vain.add(session_id)
        return found
