"""Correct stores on files that do otherwise than most when something stands in their way."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sessionstore_contract.interface import StoreClosedError

from ..mutants.correct import LAYOUT, DictStore, FileStore, Row, RowsStore, apply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sessionstore_contract.interface import Json


class OneFileStore(DictStore):
    """All sessions in one file, which is replaced whole; what it can't read it leaves alone."""

    storage: ClassVar[str] = "file"
    claims: ClassVar[frozenset[str]] = FileStore.claims

    def __init__(self, place: str) -> None:
        super().__init__()
        self.path = Path(place)

    def unreadable(self, error: ValueError) -> dict[str, Row]:
        raise error

    @contextmanager
    def caught_up(self) -> Iterator[None]:
        """Hold the lock, with the sessions as of now; keep them if they have changed."""
        self.check_open()
        with Path(f"{self.path}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = self.path.read_text("utf-8") if self.path.exists() else "{}"
            try:
                self.rows = {name: Row(**row) for name, row in json.loads(text).items()}
            except ValueError as error:
                self.rows, text = self.unreadable(error), ""
            yield
            if (kept := json.dumps({name: asdict(row) for name, row in self.rows.items()})) != text:
                new = Path(f"{self.path}.new")
                new.write_text(kept, "utf-8")
                new.replace(self.path)

    async def create(self, session_id: str | None = None) -> str:
        with self.caught_up():
            return await super().create(session_id)

    async def load(self, session_id: str) -> list[Json] | None:
        with self.caught_up():
            return await super().load(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        with self.caught_up():
            await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        with self.caught_up():
            return await super().update(session_id, cost_data=cost_data)

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.caught_up():
            return await super().get_cost_data(session_id)

    async def delete(self, session_id: str) -> bool:
        with self.caught_up():
            return await super().delete(session_id)

    async def exists(self, session_id: str) -> bool:
        with self.caught_up():
            return await super().exists(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        with self.caught_up():
            return await super().delete_before(cutoff)


class MovesAside(OneFileStore):
    """Gives a file that it can't read another name, and begins anew."""

    def unreadable(self, error: ValueError) -> dict[str, Row]:
        self.path.rename(f"{self.path}.unreadable")
        return {}


class MakesFolders(FileStore):
    """Makes the folder of its place, and all above it."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.folder.parent.mkdir(parents=True, exist_ok=True)


class OpensAtOnce(RowsStore):
    """Has a look at its file when it is made, and refuses there."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        with self.rows():
            pass


class KeepsItOpen(RowsStore):
    """Has one connection, by which it goes on where a new one would be refused."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.kept = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
        try:
            apply(self.kept, "journal_mode = WAL")
            self.kept.executescript(LAYOUT)
        except BaseException:
            self.kept.close()
            raise

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        self.kept.execute(f"PRAGMA busy_timeout = {int(1000 * self.wait)}").fetchone()
        self.kept.execute("BEGIN IMMEDIATE")
        try:
            yield self.kept
            self.kept.execute("COMMIT")
        except BaseException:
            self.kept.execute("ROLLBACK")
            raise

    async def close(self) -> None:
        self.kept.close()
        await super().close()


DESIGNS = (OneFileStore, MovesAside, MakesFolders, OpensAtOnce, KeepsItOpen)
