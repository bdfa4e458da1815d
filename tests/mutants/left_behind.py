"""Stores that a killed process leaves something to that they can't go on with."""

from __future__ import annotations

import json
import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from .correct import FileStore, Row, RowsStore
from .defect import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json

SURVIVES = "durability.acknowledged-survives-kill"
KILLED = "when its process is killed"


@mutant(SURVIVES, f"{KILLED}: load raised TimeoutError", adding=("multi-process",), timeout=1.0)
class LeavesItsLockFile(FileStore):
    """Holds the place by a file that is there, and stays there when nobody is left to remove it."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        self.folder.mkdir(exist_ok=True)
        path, deadline = self.folder / "held", time.monotonic() + 0.2
        while True:
            try:
                lock = os.open(path, os.O_CREAT | os.O_EXCL)
                break
            except FileExistsError:
                if time.monotonic() > deadline:
                    raise TimeoutError("the place is held") from None
                time.sleep(0.0005)
        try:
            with super().locked():
                yield
        finally:
            os.close(lock)
            path.unlink()


@mutant(
    SURVIVES, f"{KILLED}: save raised TimeoutError: another one writes", adding=("multi-process",)
)
class KeepsWritersOut(FileStore):
    """Makes a file while it writes, and takes what a process has left for another one's."""

    def write(self, session_id: str, row: Row) -> None:
        path = self.folder / "writing"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            raise TimeoutError("another one writes") from None
        try:
            super().write(session_id, row)
        finally:
            path.unlink()


@mutant(SURVIVES, f"{KILLED}: delete_before raised JSONDecodeError", adding=("multi-process",))
class TakesHalfAFileForASession(FileStore):
    """Names its temporary files so that housekeeping reads them, too."""

    def write(self, session_id: str, row: Row) -> None:
        half = self.folder / f"{secrets.token_hex(4)}.half.json"
        half.write_text(json.dumps(asdict(row)), "utf-8")
        half.replace(self.path(session_id))


@mutant(
    SURVIVES,
    f"{KILLED}: get_cost_data raised KeyError",
    adding=("multi-process",),
)
class CreatesInTwoTransactions(RowsStore):
    """Makes the row of a session in one transaction, and that of its bill in the next one."""

    def bill(self, session_id: str) -> None:
        with self.rows() as rows:
            rows.execute("CREATE TABLE IF NOT EXISTS bills (id TEXT PRIMARY KEY)")
            rows.execute("INSERT OR IGNORE INTO bills VALUES (?)", [session_id])

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        self.bill(name)
        return name

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        self.bill(session_id)

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.rows() as rows:
            is_there = self.has(rows, session_id)
            if is_there:
                rows.execute("CREATE TABLE IF NOT EXISTS bills (id TEXT PRIMARY KEY)")
                bill = rows.execute("SELECT 1 FROM bills WHERE id = ?", [session_id]).fetchone()
                if bill is None:
                    raise KeyError(session_id)
        return await super().get_cost_data(session_id)
