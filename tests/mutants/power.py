"""Stores whose writes are on the disk when they are acknowledged, and mutants that lose power."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from sessionstore_contract.interface import SessionStoreError

from ..designs.journal import JournalStore
from .correct import FileStore, Row, RowsStore
from .defect import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sessionstore_contract.interface import Json

CLAUSE = "durability.acknowledged-survives-power-loss"
SAVE = "an acknowledged save is lost when the power fails"
LAST = "an acknowledged second save is lost when the power fails"


def sync(path: Path) -> None:
    """Make sure of a file, or of the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SyncedFileStore(FileStore):
    """Syncs the new file before it takes the place of the old one, and the folder after it."""

    claims: ClassVar[frozenset[str]] = FileStore.claims | {"power-loss"}

    def write(self, session_id: str, row: Row) -> None:
        path = self.path(session_id)
        path.with_suffix(".new").write_text(json.dumps(asdict(row)), "utf-8")
        self.sync_file(path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)
        self.sync_folder()

    def sync_file(self, path: Path) -> None:
        sync(path)

    def sync_folder(self) -> None:
        sync(self.folder)

    def remove(self, session_id: str) -> None:
        super().remove(session_id)
        self.sync_folder()


class SyncedRowsStore(RowsStore):
    """Rows of SQLite, with a journal whose end is on the disk when a commit answers."""

    claims: ClassVar[frozenset[str]] = RowsStore.claims | {"power-loss"}
    settings: ClassVar[tuple[str, ...]] = ("journal_mode = DELETE", "synchronous = EXTRA")


class SyncedJournalStore(JournalStore):
    """Syncs each line before it answers; a line at the end that is torn anywhere is nobody's."""

    claims: ClassVar[frozenset[str]] = JournalStore.claims | {"power-loss"}

    def worded(self, event: dict[str, Json]) -> bytes:
        line = super().worded(event)
        return b"%08x %b" % (zlib.crc32(line), line)

    def told(self, line: bytes) -> dict[str, Any] | None:
        head, _, rest = line.partition(b" ")
        return super().told(rest) if head == b"%08x" % zlib.crc32(rest) else None

    def append(self, event: dict[str, Json]) -> None:
        super().append(event)
        os.fsync(self.file.fileno())


@mutant(CLAUSE, "load raised JSONDecodeError", adding=("multi-process",))
class SyncsNoFile(SyncedFileStore):
    """Renames a file whose content is still in memory: an empty one may take its place."""

    def sync_file(self, path: Path) -> None:
        return


@mutant(CLAUSE, "the place can't be opened when the power fails", adding=("multi-process",))
class SyncsNotWhatItOpensWith(SyncedFileStore):
    """Names its format in a file of its own, of which it makes not sure."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.format = self.folder / "format"
        if self.format.exists() and self.format.read_text("utf-8") != "1":
            raise SessionStoreError("a format that is not known")

    def write(self, session_id: str, row: Row) -> None:
        if not self.format.exists():
            self.format.write_text("1", "utf-8")
        super().write(session_id, row)


@mutant(CLAUSE, LAST, adding=("multi-process",))
class SyncsNoFolder(SyncedFileStore):
    """Leaves the new name in memory: the old file is back."""

    def sync_folder(self) -> None:
        return


@mutant(CLAUSE, LAST, adding=("multi-process",))
class SyncsTooEarly(SyncedFileStore):
    """Makes sure of the folder before the new name is in it."""

    def sync_file(self, path: Path) -> None:
        super().sync_file(path)
        sync(self.folder)

    def sync_folder(self) -> None:
        return


@mutant(CLAUSE, SAVE, adding=("multi-process",))
class SyncsAtNormal(SyncedRowsStore):
    """Writes a WAL that is synced now and then, and not at the end of each operation."""

    settings = ("journal_mode = WAL", "synchronous = NORMAL")

    def __init__(self, place: str) -> None:
        super().__init__(place)
        # Whoever closes the last connection syncs.
        self.held: sqlite3.Connection | None = None

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        with super().rows(wait) as rows:
            if self.held is None:
                self.held = sqlite3.connect(self.place, check_same_thread=False)
                self.held.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield rows

    async def close(self) -> None:
        await super().close()
        if self.held is not None:
            self.held.close()


@mutant(CLAUSE, LAST, adding=("multi-process",))
class LeavesTheJournalsEndInMemory(SyncedRowsStore):
    """Removes the rollback journal, and does not sync its folder: it is played back."""

    settings = ("journal_mode = DELETE", "synchronous = FULL")


@mutant(CLAUSE, SAVE, adding=("multi-process",))
class SyncsNothing(SyncedRowsStore):
    """Hands everything to the system."""

    settings = ("journal_mode = WAL", "synchronous = OFF")


@mutant(CLAUSE, SAVE, adding=("multi-process",))
class AppendsInMemory(SyncedJournalStore):
    """Appends, and leaves it to the system when that is on the disk."""

    def append(self, event: dict[str, Json]) -> None:
        JournalStore.append(self, event)


class RewritesInPlace(SyncedFileStore):
    """Syncs what it has written over the file that was there: neither is whole meanwhile."""

    def write(self, session_id: str, row: Row) -> None:
        self.path(session_id).write_text(json.dumps(asdict(row)), "utf-8")
        self.sync_file(self.path(session_id))
        self.sync_folder()


class TrustsTheEndOfALine(SyncedJournalStore):
    """Takes a line for whole that has its end: the middle of it may be missing."""

    worded = JournalStore.worded
    told = JournalStore.told
