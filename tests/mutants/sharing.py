"""Stores whose instances or processes do not see each other."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, ClassVar

from sessionstore_contract.values import copy

from .correct import FileStore, Row, RowsStore
from .defect import mutant
from .first_use import OpenedFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sessionstore_contract.interface import Json


class Caching(FileStore):
    """Keeps what it wrote itself up to date, and what it read for ever: a start for defects."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.cache: dict[str, Row] = {}

    def write(self, session_id: str, row: Row) -> None:
        self.cache.pop(session_id, None)
        super().write(session_id, row)

    def remove(self, session_id: str) -> None:
        self.cache.pop(session_id, None)
        super().remove(session_id)

    def cached(self, session_id: str) -> Row | None:
        if session_id not in self.cache:
            with self.locked():
                row = self.read(session_id)
            if row is not None:
                self.cache[session_id] = row
        return self.cache.get(session_id)


@mutant("sharing.writes-are-seen-at-once", "another instance reads an out-of-date history")
class CachesMessages(Caching):
    """Answers messages out of a cache in the instance."""

    async def load(self, session_id: str) -> list[Json] | None:
        row = self.cached(session_id)
        return None if row is None else decoded(row)

    async def delete_before(self, cutoff: datetime) -> int:
        self.cache.clear()
        return await super().delete_before(cutoff)


def decoded(row: Row) -> list[Json]:
    """Read the messages of a row."""
    messages: list[Json] = json.loads(row.messages)
    return messages


@mutant("sharing.writes-are-seen-at-once", "another instance reads out-of-date cost data")
class CachesCostData(Caching):
    """Answers cost data out of a cache in the instance, once there is some."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        row = self.cache.get(session_id)
        if row is None:
            with self.locked():
                row = self.read(session_id)
            if row is not None and row.costs != "{}":
                self.cache[session_id] = row
        return json.loads(row.costs) if row else {}

    async def delete_before(self, cutoff: datetime) -> int:
        self.cache.clear()
        return await super().delete_before(cutoff)


@mutant("sharing.writes-are-seen-at-once", "another instance does not see cost data")
class CachesThatThereIsNone(CachesCostData):
    """Remembers that there was no cost data."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        row = self.cached(session_id)
        return json.loads(row.costs) if row else {}


@mutant(
    "sharing.writes-are-seen-at-once",
    "another instance does not see a created session",
)
class CachesWhatIsMissing(Caching):
    """Remembers which sessions were missing."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.missing: set[str] = set()

    def write(self, session_id: str, row: Row) -> None:
        self.missing.discard(session_id)
        super().write(session_id, row)

    async def exists(self, session_id: str) -> bool:
        found = await super().exists(session_id)
        if not found:
            self.missing.add(session_id)
        return found

    async def load(self, session_id: str) -> list[Json] | None:
        return None if session_id in self.missing else await super().load(session_id)


@mutant(
    "sharing.writes-are-seen-at-once",
    "another instance does not see a saved session",
    also={
        "durability.reopening-finds-everything": "a new instance does not find the session",
        "durability.close-is-not-the-commit": "a new instance beside an unclosed one does not",
    },
)
class OnlyTheMakerLoads(FileStore):
    """Finds messages under a key that holds a part of the instance."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.own: set[str] = set()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.own.add(session_id)
        await super().save(session_id, messages)

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        return messages if session_id in self.own or not messages else None


@mutant(
    "sharing.writes-are-seen-at-once",
    "another instance does not see that a session exists",
)
class RemembersWhatIsMissing(CachesWhatIsMissing):
    """Remembers which sessions were missing where it says whether they exist."""

    async def exists(self, session_id: str) -> bool:
        return session_id not in self.missing and await super().exists(session_id)

    async def load(self, session_id: str) -> list[Json] | None:
        return await FileStore.load(self, session_id)


@mutant("sharing.writes-are-seen-at-once", "another instance still reads a deleted session")
class StillReadsTheDeleted(FileStore):
    """Falls back to what it read last when there is nothing to read."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.last: dict[str, list[Json]] = {}

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        if messages is None:
            return self.last.get(session_id)
        self.last[session_id] = messages
        return messages

    async def delete(self, session_id: str) -> bool:
        self.last.pop(session_id, None)
        return await super().delete(session_id)


@mutant(
    "sharing.writes-are-seen-at-once",
    "another instance still reads the cost data of a deleted session",
)
class StillReadsTheCostsOfTheDeleted(FileStore):
    """Falls back to the figures that it read last when there are none to read."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.last: dict[str, dict[str, Json]] = {}

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        if not await super().exists(session_id):
            return self.last.get(session_id, {})
        self.last[session_id] = await super().get_cost_data(session_id)
        return dict(copy(self.last[session_id]))

    async def delete(self, session_id: str) -> bool:
        self.last.pop(session_id, None)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        self.last.clear()
        return await super().delete_before(cutoff)


@mutant("sharing.writes-are-seen-at-once", "another instance still sees a deleted session")
class StillSeesTheDeleted(FileStore):
    """Remembers which sessions exist."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.seen: set[str] = set()

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        if messages is not None:
            self.seen.add(session_id)
        return messages

    async def exists(self, session_id: str) -> bool:
        return session_id in self.seen or await super().exists(session_id)

    async def delete(self, session_id: str) -> bool:
        self.seen.discard(session_id)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        self.seen.clear()
        return await super().delete_before(cutoff)


class Telling(FileStore):
    """Answers out of a cache, and tells all instances of each write: a correct start."""

    told: ClassVar[dict[str, list[Telling]]] = {}

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.cache: dict[str, Row] = {}
        self.told.setdefault(place, []).append(self)

    def tell(self, session_id: str) -> None:
        for one in self.told[str(self.folder)]:
            one.cache.pop(session_id, None)

    def write(self, session_id: str, row: Row) -> None:
        self.tell(session_id)
        super().write(session_id, row)

    def remove(self, session_id: str) -> None:
        self.tell(session_id)
        super().remove(session_id)

    def known(self, session_id: str) -> Row | None:
        with self.locked():
            if session_id not in self.cache:
                row = self.read(session_id)
                if row is None:
                    return None
                self.cache[session_id] = row
            return self.cache[session_id]

    async def delete_before(self, cutoff: datetime) -> int:
        self.cache.clear()
        return await super().delete_before(cutoff)


@mutant(
    "sharing.writes-are-seen-at-once",
    "another instance still reads a session that delete_before removed",
)
class TellsNobodyOfHousekeeping(Telling):
    """Has messages in a cache, of which the others are not told when many sessions go at once."""

    async def load(self, session_id: str) -> list[Json] | None:
        row = self.known(session_id)
        return None if row is None else decoded(row)


@mutant(
    "sharing.writes-are-seen-at-once",
    "another instance still sees a session that delete_before removed",
)
class KnowsNothingOfHousekeeping(Telling):
    """Says out of the same cache whether a session is there."""

    async def exists(self, session_id: str) -> bool:
        return self.known(session_id) is not None


@mutant(
    "sharing.writes-are-seen-at-once",
    "another instance still reads the cost data of a session that delete_before removed",
)
class BillsWhatHousekeepingRemoved(Telling):
    """Has cost data in the same cache."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        row = self.known(session_id)
        return {} if row is None else json.loads(row.costs)


@mutant(
    "sharing.processes-see-each-other",
    "another process reads an out-of-date history",
    adding=("multi-process",),
)
class CachesInTheProcess(FileStore):
    """Answers messages out of a cache that the instances of a process share and keep right."""

    cache: ClassVar[dict[tuple[str, str], Row]] = {}

    def write(self, session_id: str, row: Row) -> None:
        self.cache.pop((str(self.folder), session_id), None)
        super().write(session_id, row)

    def remove(self, session_id: str) -> None:
        self.cache.pop((str(self.folder), session_id), None)
        super().remove(session_id)

    async def load(self, session_id: str) -> list[Json] | None:
        key = (str(self.folder), session_id)
        if key not in self.cache:
            with self.locked():
                row = self.read(session_id)
            if row is None:
                return None
            self.cache[key] = row
        return decoded(self.cache[key])

    async def delete_before(self, cutoff: datetime) -> int:
        self.cache.clear()
        return await super().delete_before(cutoff)


@mutant(
    "sharing.processes-see-each-other",
    "another process does not see a created session",
    also={
        "durability.acknowledged-survives-kill": "an acknowledged save is lost when its process",
    },
    adding=("multi-process",),
)
class HasAFolderForEachProcess(FileStore):
    """Keeps sessions in a folder named by the process."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place}-{os.getpid()}")


@mutant(
    "sharing.processes-see-each-other",
    "another process does not see a created session",
    also={
        "durability.acknowledged-survives-kill": "an acknowledged save is lost when its process",
    },
    adding=("multi-process",),
)
class NamesFilesByHash(FileStore):
    """Names a file by `hash`, which is another number in each interpreter, though not in forks."""

    def path(self, session_id: str) -> Path:
        return self.folder / f"{hash(session_id):x}.json"


MANY = "first use of several instances at once"


@mutant("sharing.first-use-may-be-concurrent", f"{MANY}: save raised FileExistsError")
class LooksThenMakes(OpenedFiles):
    """Looks whether its table is there, and makes it when it was not."""

    async def connect(self) -> None:
        if not (self.folder / "table").exists():
            await asyncio.sleep(0)
            self.folder.mkdir(exist_ok=True)
            (self.folder / "table").touch(exist_ok=False)


@mutant("sharing.first-use-may-be-concurrent", f"{MANY}: what create made is gone")
class LooksThenMakesAnew(OpenedFiles):
    """Looks whether its table is there, and drops what it takes for a half-made one."""

    async def connect(self) -> None:
        if not (self.folder / "table").exists():
            await asyncio.sleep(0)
            # Those who come later take longer: they look at what is there.
            for _ in range(len(self.counted(self.folder)) * 20):
                await asyncio.sleep(0)
            self.folder.mkdir(exist_ok=True)
            for path in self.folder.glob("*.json"):
                path.unlink()
            (self.folder / "table").touch()

    def counted(self, folder: Path) -> list[None]:
        """Answer one for each instance that has come before."""
        before = LooksThenMakesAnew.instances.setdefault(folder, [])
        found = list(before)
        before.append(None)
        return found

    instances: ClassVar[dict[Path, list[None]]] = {}


@mutant(
    "sharing.first-use-may-be-concurrent",
    "first use of several processes at once: create raised BlockingIOError",
    adding=("multi-process",),
)
class GivesUpBesideAnotherProcess(OpenedFiles):
    """Makes its table in one go, and takes no turn where another process is about to."""

    async def connect(self) -> None:
        if not (self.folder / "table").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            mine = self.folder / f"{os.getpid()}.making"
            mine.touch()
            try:
                time.sleep(0.1)  # noqa: ASYNC251 - which other instances here wait for
                if len([*self.folder.glob("*.making")]) > 1:
                    raise BlockingIOError("the table is locked")
                (self.folder / "table").touch()
            finally:
                mine.unlink()


@mutant(
    "sharing.first-use-may-be-concurrent",
    "first use of several processes at once: create raised OperationalError: database is locked",
    adding=("multi-process",),
)
class SwitchesToWalOnce(RowsStore):
    """Waits for every lock, and switches to WAL, which does not, without a second try."""

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.place, timeout=self.wait)) as database:
            database.execute("PRAGMA journal_mode = WAL").fetchone()
        with super().rows(wait) as rows:
            yield rows
