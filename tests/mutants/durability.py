"""Stores that forget what they have acknowledged."""

from __future__ import annotations

import asyncio
import errno
import json
import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from reference_backends.postgres import PostgresSessionStore
from sessionstore_contract.interface import StoreClosedError, StoreUnavailableError

from .correct import FileStore, Row, RowsStore, encode
from .defect import mutant
from .platform_stores import PlatformStore
from .values import rounded

if TYPE_CHECKING:
    from datetime import datetime

    from sessionstore_contract.interface import Json


class Rewriting(FileStore):
    """Rewrites each file at close: a correct start for defects."""

    def rewritten(self, row: Row) -> Row:
        return row

    async def close(self) -> None:
        if not self.is_closed:
            for path in self.folder.glob("*.json"):
                row = self.rewritten(Row(**json.loads(path.read_text("utf-8"))))
                path.write_text(json.dumps(vars(row)), "utf-8")
        await super().close()


@mutant("durability.reopening-finds-everything", "a new instance finds an empty session")
class CloseKeepsTheIds(Rewriting):
    """Writes an index of sessions without their messages at close."""

    def rewritten(self, row: Row) -> Row:
        return Row("[]", row.costs, row.active)


@mutant("durability.reopening-finds-everything", "a new instance finds no cost data")
class CloseForgetsCosts(Rewriting):
    """Writes sessions without cost data at close."""

    def rewritten(self, row: Row) -> Row:
        return Row(row.messages, "{}", row.active)


@mutant(
    "durability.reopening-finds-everything",
    "to a new instance 0.30000000000000004 comes back as 0.3",
)
class CloseRoundsFloats(Rewriting):
    """Moves sessions into columns of six decimal places at close."""

    def rewritten(self, row: Row) -> Row:
        messages, costs = (rounded(json.loads(one)) for one in (row.messages, row.costs))
        return Row(json.dumps(messages), json.dumps(costs), row.active)


@mutant("durability.reopening-finds-everything", "a new instance finds a deleted session")
class CloseWritesTheDeletedBack(FileStore):
    """Writes what is in its cache at close, the deleted sessions too."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.deleted: dict[str, Row] = {}

    def remove(self, session_id: str) -> None:
        row = self.read(session_id)
        if row is not None:
            self.deleted[session_id] = row
        super().remove(session_id)

    async def close(self) -> None:
        await super().close()
        for session_id, row in self.deleted.items():
            self.write(session_id, row)


class Buffering(FileStore):
    """Holds writes back until close, for all that were open when they were made.

    Instances share what is held back, as the clients of one server process do. An instance that
    is opened later reads files.
    """

    open_stores: ClassVar[list[Buffering]] = []

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.held: dict[str, Row | None] = {}
        Buffering.open_stores.append(self)

    def is_held_back(self, row: Row | None) -> bool:
        raise NotImplementedError

    def told(self, session_id: str, row: Row | None) -> None:
        for store in Buffering.open_stores:
            if store.folder == self.folder:
                store.held[session_id] = row

    def read(self, session_id: str) -> Row | None:
        return self.held[session_id] if session_id in self.held else super().read(session_id)

    def write(self, session_id: str, row: Row) -> None:
        self.told(session_id, row)
        if not self.is_held_back(row):
            super().write(session_id, row)

    def remove(self, session_id: str) -> None:
        self.told(session_id, None)
        if not self.is_held_back(None) and self.path(session_id).exists():
            super().remove(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        with self.locked():
            self.flush()
        return await super().delete_before(cutoff)

    def flush(self) -> None:
        for session_id, row in self.held.items():
            if row is not None:
                super().write(session_id, row)
            elif self.path(session_id).exists():
                super().remove(session_id)
        for store in Buffering.open_stores:
            if store.folder == self.folder:
                store.held.clear()

    async def close(self) -> None:
        if not self.is_closed and self.folder.exists():
            with self.locked():
                self.flush()
        if self in Buffering.open_stores:
            Buffering.open_stores.remove(self)
        await super().close()


BESIDE = "a new instance beside an unclosed one"


@mutant(
    "durability.close-is-not-the-commit",
    f"{BESIDE} does not find the session",
)
class CommitsAtClose(Buffering):
    """Commits when it is closed."""

    def is_held_back(self, row: Row | None) -> bool:
        return True


@mutant("durability.close-is-not-the-commit", f"{BESIDE} finds an empty session")
class CommitsSavesAtClose(Buffering):
    """Commits what was created, and messages when it is closed."""

    def is_held_back(self, row: Row | None) -> bool:
        return row is not None and row.messages != "[]"


@mutant("durability.close-is-not-the-commit", f"{BESIDE} finds no cost data")
class CommitsUpdatesAtClose(Buffering):
    """Commits each save, and updates when it is closed."""

    def is_held_back(self, row: Row | None) -> bool:
        return row is not None and row.costs != "{}"


@mutant("durability.close-is-not-the-commit", f"{BESIDE} finds a deleted session")
class CommitsDeletesAtClose(Buffering):
    """Removes files when it is closed."""

    def is_held_back(self, row: Row | None) -> bool:
        return row is None


@mutant(
    "durability.close-is-not-the-commit",
    f"{BESIDE} does not find the session",
    also={
        "sharing.writes-are-seen-at-once": "another instance does not see a created session",
    },
)
class WritesAtClose(FileStore):
    """Keeps everything in the instance until it is closed."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.held: dict[str, Row] = {}

    def read(self, session_id: str) -> Row | None:
        return self.held.get(session_id) or super().read(session_id)

    def write(self, session_id: str, row: Row) -> None:
        self.held[session_id] = row

    def remove(self, session_id: str) -> None:
        self.held.pop(session_id, None)
        self.path(session_id).unlink(missing_ok=True)

    async def delete_before(self, cutoff: datetime) -> int:
        with self.locked():
            self.flush()
        return await super().delete_before(cutoff)

    def flush(self) -> None:
        for session_id, row in self.held.items():
            super().write(session_id, row)
        self.held.clear()

    async def close(self) -> None:
        if not self.is_closed and self.held:
            self.flush()
        await super().close()


KILLED = "when its process is killed"
SOON = 0.03
"""Seconds: so long that whoever is killed at once has not come to it."""
LONG = 5_000
"""Characters of a history that takes some time to write."""


@mutant(
    "durability.acknowledged-survives-kill",
    f"an acknowledged first save is lost {KILLED}",
    also={"durability.full-disk-loses-nothing": "an acknowledged save is lost when the disk is"},
    adding=("multi-process",),
)
class CommitsLongHistoriesBehind(RowsStore):
    """Answers a save of a long history before a thread commits it; others wait for the lock."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = encode(messages, list)
        if len(text) < LONG:
            await super().save(session_id, messages)
            return
        with self.rows():  # makes the tables
            pass
        rows = sqlite3.connect(self.place, isolation_level=None, check_same_thread=False)
        rows.execute("BEGIN IMMEDIATE")
        rows.execute(
            "INSERT INTO sessions VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET messages = excluded.messages, active = excluded.active",
            [session_id, text, self.now()],
        )

        def commit() -> None:
            with suppress(sqlite3.Error):
                rows.execute("COMMIT")
            rows.close()

        threading.Timer(SOON, commit).start()


@mutant(
    "durability.acknowledged-survives-kill",
    f"a delete under way is half done {KILLED}",
    adding=("multi-process",),
)
class DeletesInTwoTransactions(RowsStore):
    """Deletes the cost data of a session some time after the session, and answers after both."""

    async def delete(self, session_id: str) -> bool:
        with self.rows() as rows:
            gone = rows.execute("DELETE FROM sessions WHERE id = ?", [session_id]).rowcount == 1
            costs = rows.execute("SELECT 1 FROM costs WHERE id = ?", [session_id]).fetchone()
        if costs:
            await asyncio.shield(asyncio.ensure_future(self.delete_costs(session_id)))
        return gone

    async def delete_costs(self, session_id: str) -> None:
        await asyncio.sleep(SOON)
        with self.rows() as rows:
            if not self.has(rows, session_id):
                rows.execute("DELETE FROM costs WHERE id = ?", [session_id])


FULL = "when the disk is full"


@mutant(
    "durability.full-disk-loses-nothing",
    "load raised JSONDecodeError",
    adding=("multi-process",),
    # A kill at a random moment may find a file half written, too: the defect is the same.
    is_everywhere=True,
)
class WritesInPlace(FileStore):
    """Writes a file anew where it is."""

    def write(self, session_id: str, row: Row) -> None:
        self.path(session_id).write_text(json.dumps(vars(row)), "utf-8")


@mutant(
    "durability.full-disk-loses-nothing",
    f"an acknowledged save is lost {FULL}",
    adding=("multi-process",),
)
class SwallowsFailedWrites(FileStore):
    """Logs what the disk says, and goes on."""

    def write(self, session_id: str, row: Row) -> None:
        with suppress(OSError):
            super().write(session_id, row)


@mutant(
    "durability.full-disk-loses-nothing",
    "save raised StoreUnavailableError: the disk is full",
    adding=("multi-process",),
)
class TakesAFullDiskForTheEnd(FileStore):
    """Remembers that the disk was full, and writes no more."""

    was_full = False

    def write(self, session_id: str, row: Row) -> None:
        if self.was_full:
            raise StoreUnavailableError("the disk is full", is_retry_safe=True)
        try:
            super().write(session_id, row)
        except OSError as error:
            self.was_full = error.errno in {errno.ENOSPC, errno.EFBIG}
            raise


@mutant("durability.server-crash", "an acknowledged save is lost when its server crashes")
class KeepsSessionsUnlogged(PostgresSessionStore):
    """Makes its table faster, and empty after a crash."""

    storage: ClassVar[str] = "postgres"
    claims: ClassVar[frozenset[str]] = FileStore.claims | {"faults"}

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.prepare, self._pool._prepare = self._pool._prepare, self.prepare_unlogged

    async def prepare_unlogged(self, connection: Any) -> None:
        await self.prepare(connection)
        await connection.execute("ALTER TABLE sessions SET UNLOGGED")


@mutant("durability.server-crash", "an acknowledged save is lost when its server crashes")
class AnswersBeforeItAsks(PlatformStore):
    """Answers a save when it has a connection to send it by, and sends it a moment later.

    Whoever asks for that session waits until it was sent; of a connection that broke meanwhile
    nobody hears.
    """

    held: ClassVar[dict[tuple[str, str], tuple[asyncio.Event, asyncio.Task[None]]]] = {}

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.url, self.is_closed = url, False

    async def sent(self, session_id: str) -> None:
        if (self.url, session_id) in self.held:
            is_wanted, sending = self.held.pop((self.url, session_id))
            is_wanted.set()
            await sending

    async def send(self, session_id: str, body: bytes, is_wanted: asyncio.Event, way: Any) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(is_wanted.wait(), 1)
        reader, writer = way
        head = f"PUT /v1/sessions/{quote(session_id, safe='')} HTTP/1.1\r\nhost: h\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        with suppress(OSError):
            writer.write(head.encode() + body)
            await reader.readline()
        writer.close()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        body = json.dumps({"messages": json.loads(encode(messages, list))}).encode()
        if self.is_closed:
            raise StoreClosedError("the store is closed")
        await self.sent(session_id)
        host, port = self.url.removeprefix("http://").split(":")
        try:
            way = await asyncio.open_connection(host, int(port))
        except OSError:
            # In words that are the same each time: no port is in them.
            raise StoreUnavailableError("no connection", is_retry_safe=True) from None
        is_wanted = asyncio.Event()
        sending = asyncio.ensure_future(self.send(session_id, body, is_wanted, way))
        self.held[self.url, session_id] = is_wanted, sending

    async def load(self, session_id: str) -> list[Json] | None:
        await self.sent(session_id)
        return await super().load(session_id)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        await self.sent(session_id)
        return await super().update(session_id, cost_data=cost_data)

    async def delete(self, session_id: str) -> bool:
        await self.sent(session_id)
        return await super().delete(session_id)

    async def exists(self, session_id: str) -> bool:
        await self.sent(session_id)
        return await super().exists(session_id)

    async def close(self) -> None:
        for url, session_id in tuple(self.held):
            if url == self.url:
                await self.sent(session_id)
        self.is_closed = True
        await super().close()
