"""Stores that go on, one way or another, when they can't get at their files."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionstore_contract.interface import StoreClosedError

from .correct import LAYOUT, FileStore, Row, RowsStore, encode, now
from .defect import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json

MISSING = "where its folder is missing"
UNREADABLE = "where its files can't be read"
UNWRITABLE = "where nothing can be written"
LOCKED = "while its files are locked"


@mutant(
    "opening.missing-folder-is-made-or-told",
    f"an acknowledged first save is lost {MISSING}",
    also={"durability.unreadable-files-are-not-empty": f"load answers None {UNREADABLE}"},
)
class FallsBackToMemory(RowsStore):
    """Serves from memory where it can't open its file."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.fallback: Any = None

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        if self.fallback is None:
            try:
                with super().rows(wait) as rows:
                    yield rows
            except sqlite3.OperationalError as error:
                if "unable to open" not in str(error):
                    raise
                self.fallback = sqlite3.connect(":memory:", isolation_level=None)
        if self.fallback is not None:
            self.fallback.executescript(LAYOUT)
            yield self.fallback

    async def close(self) -> None:
        if self.fallback is not None:
            self.fallback.close()
        await super().close()


class WithoutLockFile(FileStore):
    """Locks its folder, so that it need not write to be able to read: a correct start."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        self.folder.mkdir(exist_ok=True)
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


@mutant("opening.missing-folder-is-made-or-told", f"an acknowledged first save is lost {MISSING}")
class WritesNowhere(WithoutLockFile):
    """Takes it that a folder which is missing has been deleted with its sessions."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        with suppress(FileNotFoundError):
            self.folder.mkdir(exist_ok=True)
        if self.folder.exists():
            with super().locked():
                yield
        else:
            yield

    def write(self, session_id: str, row: Row) -> None:
        with suppress(FileNotFoundError):
            super().write(session_id, row)


@mutant(
    "opening.missing-folder-is-made-or-told",
    "after a failed first save the store stays broken: save raised",
    timeout=3.0,
)
class RemembersThatItCouldNotOpen(RowsStore):
    """Keeps what came of its first opening, an error too."""

    failure: sqlite3.OperationalError | None = None

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        if self.failure is not None and not self.is_closed:
            raise self.failure
        try:
            with super().rows(wait) as rows:
                yield rows
        except sqlite3.OperationalError as error:
            if "unable to open" in str(error) and not Path(self.place).parent.exists():
                self.failure = error
            raise


@mutant("opening.foreign-file-is-kept", "a file that is none of the store's is overwritten")
class BeginsAnew(RowsStore):
    """Removes what it can't read."""

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.place)) as found:
            try:
                found.execute("SELECT 1 FROM sqlite_master")
            except sqlite3.DatabaseError as error:
                if "not a database" in str(error):
                    Path(self.place).unlink()
        with super().rows(wait) as rows:
            yield rows


@mutant("opening.foreign-file-is-kept", "an acknowledged first save is lost where another file is")
class WritesAroundIt(WithoutLockFile):
    """Logs that its folder is a file, and goes on."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        if self.folder.is_file():
            yield
        else:
            with super().locked():
                yield

    def read(self, session_id: str) -> Row | None:
        return None if self.folder.is_file() else super().read(session_id)

    def write(self, session_id: str, row: Row) -> None:
        with suppress(NotADirectoryError):
            super().write(session_id, row)


@mutant("durability.unreadable-files-are-not-empty", f"load answers None {UNREADABLE}")
class TakesUnreadableForMissing(WithoutLockFile):
    """Knows one reason why a file can't be read."""

    def read(self, session_id: str) -> Row | None:
        try:
            return super().read(session_id)
        except OSError:
            return None


@mutant(
    "durability.unreadable-files-are-not-empty",
    "load answers None where its folder can't be entered",
)
class LooksBeforeItReads(WithoutLockFile):
    """Asks whether a file exists, and takes it for the whole answer."""

    async def load(self, session_id: str) -> list[Json] | None:
        is_there = os.path.exists(self.path(session_id))  # noqa: ASYNC240, PTH110 - as they do
        if not is_there and not self.is_closed:
            return None
        return await super().load(session_id)


@mutant("durability.unreadable-files-are-not-empty", "get_cost_data answers {} where its files")
class CostsNothingWhenUnreadable(WithoutLockFile):
    """Has a default for cost data."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with suppress(PermissionError):
            return await super().get_cost_data(session_id)
        return {}


@mutant("durability.unreadable-files-are-not-empty", f"an acknowledged save is lost {UNREADABLE}")
class SavesOverTheUnreadable(WithoutLockFile):
    """Takes a session that can't be read for a new one when it saves."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except PermissionError:
            with self.locked():
                self.write(session_id, Row(encode(messages, list), active=now()))


@mutant(
    "durability.unreadable-files-are-not-empty", f"an acknowledged first save is lost {UNWRITABLE}"
)
class WritesIfItMay(WithoutLockFile):
    """Does without what it may not write."""

    def write(self, session_id: str, row: Row) -> None:
        with suppress(PermissionError):
            super().write(session_id, row)


class OverlooksLocks(AbstractContextManager[None]):
    """Swallows what SQLite says of a lock, and nothing else."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


@mutant(
    "durability.foreign-lock-loses-nothing",
    f"load answers None {LOCKED}",
    adding=("multi-process",),
)
class LockedIsMissing(RowsStore):
    """Finds nothing where it may not look."""

    async def load(self, session_id: str) -> list[Json] | None:
        with OverlooksLocks():
            return await super().load(session_id)
        return None

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        with OverlooksLocks():
            return await super().update(session_id, cost_data=cost_data)
        return False


@mutant(
    "durability.foreign-lock-loses-nothing",
    f"an acknowledged first save is lost {LOCKED}",
    adding=("multi-process",),
)
class SavesUnlessLocked(RowsStore):
    """Logs that the database is locked, and goes on."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        with OverlooksLocks():
            await super().save(session_id, messages)


@mutant(
    "durability.foreign-lock-loses-nothing",
    "save waits for a lock longer than the store was told to",
    adding=("multi-process",),
    timeout=3.0,
)
class TriesUntilItIsUnlocked(RowsStore):
    """Tries again for as long as it takes, whatever it was told to wait."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        while True:
            try:
                await super().save(session_id, messages)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                await asyncio.sleep(0.01)
            else:
                break
