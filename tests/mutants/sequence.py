"""Stores each of whose operations is right, and what they leave for each other is not."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from .correct import DictStore, FileStore
from .defect import mutant

if TYPE_CHECKING:
    from datetime import datetime

    from sessionstore_contract.interface import Json


@mutant("sequence.follows-the-model", "load answers as if the save after save had not been made")
class TheSecondSaveAfterADeleteIsLost(DictStore):
    """Takes it for a late write of the session that was deleted."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.saves_since: dict[str, int] = {}

    async def delete(self, session_id: str) -> bool:
        self.saves_since[session_id] = 0
        return await super().delete(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if session_id in self.saves_since and self.row(session_id):
            self.saves_since[session_id] += 1
            if self.saves_since[session_id] == 2:
                return
        await super().save(session_id, messages)


@mutant("sequence.follows-the-model", "get_cost_data answers as if the update after save had not")
class UpdateAfterASaveOfNothingIsLost(DictStore):
    """Marks a history that was emptied as one to be cleared, bill and all."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.emptied: set[str] = set()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.emptied.discard(session_id)
        if not messages and self.row(session_id):
            self.emptied.add(session_id)
        await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if session_id in self.emptied and self.row(session_id):
            return True
        return await super().update(session_id, cost_data=cost_data)


@mutant("sequence.follows-the-model", "get_cost_data answers as if the delete after update had not")
class UpdateRemembersTheDeleted(DictStore):
    """Merges into what its cache holds, from which delete takes nothing."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.cache: dict[str, dict[str, Json]] = {}

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data:
            merged = {**self.cache.get(session_id, {}), **cost_data}
            self.rows[session_id].costs = json.dumps(merged)
            self.cache[session_id] = json.loads(json.dumps(merged))
        return found


@mutant("sequence.follows-the-model", "delete_before after ")
class CountsTheRecreatedTwice(DictStore):
    """Counts the lines of a journal, where a session stands each time that it is made."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.journal: Counter[str] = Counter()

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        self.journal[name] += 1
        return name

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if not self.row(session_id):
            self.journal[session_id] += 1
        await super().save(session_id, messages)

    async def delete_before(self, cutoff: datetime) -> int:
        gone = self.idle(cutoff)
        await super().delete_before(cutoff)
        return sum(self.journal.pop(name) for name in gone)


@mutant("sequence.instances-follow-the-model", "create answers as if the save after delete had not")
class SavesWhatItKnowsByUpdating(FileStore):
    """Remembers what it has saved, and needs no upsert for it; what others delete it can't know."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.known: set[str] = set()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if session_id in self.known and not await self.exists(session_id):
            return
        await super().save(session_id, messages)
        self.known.add(session_id)

    async def delete(self, session_id: str) -> bool:
        self.known.discard(session_id)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        self.known.clear()
        return await super().delete_before(cutoff)


@mutant(
    "sequence.reopening-follows-the-model", "load answers as if the create after delete had not"
)
class DeletesAgainWhenItOpens(FileStore):
    """Makes up at the start for deletions that were noted, also of sessions made again since."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.folder.mkdir(exist_ok=True)
        self.notes = self.folder / "deleted"
        for session_id in self.notes.read_text("utf-8").split("\0") if self.notes.exists() else ():
            self.path(session_id).unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)

    async def delete(self, session_id: str) -> bool:
        found = await super().delete(session_id)
        if found:
            with self.notes.open("a", encoding="utf-8") as notes:
                notes.write(f"{session_id}\0")
        return found
