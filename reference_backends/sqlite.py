"""The store that keeps sessions in one SQLite file, for any number of tasks and processes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reference_backends import histories, sqlite_in_place
from reference_backends.json_text import decode, encode
from reference_backends.rules import check_cost_data, check_cutoff, check_id, fresh_id
from reference_backends.sqlite_errors import is_read_only, translated, translation
from reference_backends.sqlite_groups import GroupConnection, GroupWriter
from reference_backends.sqlite_layout import (
    UnreadableError,
    instant_text,
    normal_time,
    now_text,
    prepare,
    read_cost_data,
    read_messages,
)
from reference_backends.sqlite_thread import ConnectionT, ThreadedConnection
from sessionstore_contract.interface import (
    Json,
    Message,
    SessionExistsError,
    SessionStore,
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Coroutine
    from datetime import datetime

    from reference_backends.sqlite_queue import Statements

_INSERT = """
    INSERT INTO sessions (session_id, messages, created_at, updated_at, cost_data)
    VALUES (?, '[]', ?, ?, '{}')
    ON CONFLICT (session_id) DO NOTHING
"""
# An upsert that names what it owns. INSERT OR REPLACE would make the row anew, and empty every
# column that is not named here.
_SAVE = """
    INSERT INTO sessions (session_id, messages, created_at, updated_at, cost_data)
    VALUES (?, ?, ?, ?, '{}')
    ON CONFLICT (session_id) DO UPDATE
    SET messages = excluded.messages, updated_at = excluded.updated_at
"""
# As bytes, for a text that is no UTF-8 could not be handed over at all.
_MESSAGES = "SELECT CAST(messages AS BLOB) FROM sessions WHERE session_id = ?"
_COST_DATA = "SELECT CAST(cost_data AS BLOB) FROM sessions WHERE session_id = ?"
_EXISTS = "SELECT 1 FROM sessions WHERE session_id = ?"
_DELETE = "DELETE FROM sessions WHERE session_id = ?"
_DELETE_BEFORE = "DELETE FROM sessions WHERE normal_time(CAST(updated_at AS BLOB)) < ?"
# Earlier releases wrote NaN too.
_with_nan = json.JSONEncoder(separators=(",", ":")).encode


class _Connections(NamedTuple):
    writing: ThreadedConnection[GroupConnection]
    # One more for reading, so that readers see what is committed, and wait for no writer.
    reading: ThreadedConnection[sqlite3.Connection]
    writer: GroupWriter


class SqliteSessionStore(SessionStore):
    """Keeps sessions in the SQLite database at `path`, which it makes or migrates on first use.

    What was acknowledged is on the disk. Several stores, also in several processes, may be open
    on one file; a write waits up to `lock_timeout` seconds for another process's, then raises
    StoreUnavailableError. A store belongs to the event loop that uses it first; in another one it
    raises. A cancelled write has had its effect or will have none by the time it raises.
    """

    _long = sqlite_in_place.LONG

    def __init__(self, path: str | os.PathLike[str], *, lock_timeout: float = 5.0) -> None:
        if str(path) in {"", ":memory:"}:
            raise ValueError(f"{str(path)!r} is no file: for memory there is MemorySessionStore")
        if not 0 <= lock_timeout <= 3600:
            raise ValueError(f"lock_timeout is 0 to 3600 seconds, not {lock_timeout}")
        # Absolute, for a process may change its folder before the first use.
        self._path = str(Path(path).absolute())
        self._lock_timeout = lock_timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: asyncio.Task[_Connections] | None = None
        # Those of the opening that has worked, for as long as they may be used.
        self._connections: _Connections | None = None
        self._closing: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def create(self, session_id: str | None = None) -> str:
        session_id = fresh_id() if session_id is None else check_id(session_id)
        await self._write(partial(_create, session_id))
        return session_id

    async def load(self, session_id: str) -> list[Message] | None:
        rows = await self._read(_MESSAGES, check_id(session_id))
        return await self._messages(session_id, rows[0][0]) if rows else None

    async def load_text(self, session_id: str) -> bytes | None:
        """Answer what `load` answers, as the JSON text that is stored, or worded anew."""
        rows = await self._read(_MESSAGES, check_id(session_id))
        if not rows:
            return None
        stored = rows[0][0]
        # What others have stored may be worded in any way, or wrong.
        if stored is not None and await histories.is_as_worded(stored):
            return bytes(stored)
        return (await histories.joined(await self._messages(session_id, stored))).encode()

    async def save(self, session_id: str, messages: list[Message]) -> None:
        check_id(session_id)
        text = await histories.worded(messages)
        await self._write(partial(_save, session_id, text))

    async def save_text(self, session_id: str, text: bytes) -> None:
        """Save messages that were checked, as the JSON text that they were worded as."""
        await self._write(partial(_save, check_id(session_id), text.decode()))

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        check_id(session_id)
        fields = {} if cost_data is None else check_cost_data(cost_data)
        if not fields:
            return await self.exists(session_id)
        # As text, so that it is what the caller handed over, whatever becomes of the dict.
        merge = partial(_merge, session_id, encode(fields), self._long)
        try:
            return bool(await self._write(merge))
        except UnreadableError as error:
            raise self._unreadable(f"cost data of session {session_id!r}", error) from error

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        rows = await self._read(_COST_DATA, check_id(session_id))
        try:
            return read_cost_data(rows[0][0]) if rows else {}
        except UnreadableError as error:
            raise self._unreadable(f"cost data of session {session_id!r}", error) from error

    async def delete(self, session_id: str) -> bool:
        return bool(await self._write(partial(_delete, check_id(session_id))))

    async def exists(self, session_id: str) -> bool:
        return bool(await self._read(_EXISTS, check_id(session_id)))

    async def delete_before(self, cutoff: datetime) -> int:
        text = instant_text(check_cutoff(cutoff))
        return int(await self._write(partial(_delete_before, text)))

    async def close(self) -> None:
        """Let what is under way end, then close the file; what comes later raises.

        When it is cancelled the closing goes on, and calling it again waits for its end.
        """
        self._is_closed = True
        self._connections = None
        closing = self._closing
        if closing is None or (closing.done() and not _has_worked(closing)):
            closing = self._closing = asyncio.get_running_loop().create_task(self._close())
            closing.add_done_callback(_has_worked)
        if not closing.done():
            await asyncio.wait({closing})
        closing.result()

    async def _messages(self, session_id: str, stored: bytes | None) -> list[Message]:
        try:
            return await read_messages(stored)
        except UnreadableError as error:
            raise self._unreadable(f"messages of session {session_id!r}", error) from error

    def _read(self, sql: str, session_id: str) -> Coroutine[Any, Any, list[Any]]:
        # Plain: another coroutine around it, and its try, cost a read one microsecond of 35.
        connections = self._connections
        if connections is None or self._loop is not asyncio.get_running_loop():
            return self._open_and_read(sql, session_id)
        return connections.reading.fetch(sql, (session_id,))

    async def _open_and_read(self, sql: str, session_id: str) -> list[Any]:
        with translated(self._path):
            connections = await self._open()
        return await connections.reading.fetch(sql, (session_id,))

    async def _write(self, statements: Statements) -> Any:
        connections = None
        try:
            connections = self._connections or await self._open()
            if self._loop is not asyncio.get_running_loop():
                self._check_usable()
            return await connections.writer.write(statements)
        except sqlite3.Error as error:
            if connections is not None and is_read_only(error):
                self._retire(connections)
            raise translation(error, self._path) from error

    async def _open(self) -> _Connections:
        """Answer the connections; the first callers wait for one and the same opening."""
        self._check_usable()
        opening = self._opening
        if opening is None or (opening.done() and not _has_worked(opening)):
            opening = self._opening = asyncio.get_running_loop().create_task(self._connect())
            opening.add_done_callback(_has_worked)
        if not opening.done():
            await asyncio.wait({opening})  # of which a cancelled caller leaves the others theirs
            self._check_usable()
        if opening.cancelled():
            raise StoreUnavailableError(
                f"{self._path}: the opening of it was cancelled: try again", is_retry_safe=True
            )
        self._connections = opening.result()
        return self._connections

    def _check_usable(self) -> None:
        if self._is_closed:
            raise StoreClosedError(f"{self._path}: this store was closed: open another one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise SessionStoreError(
                f"{self._path}: this store belongs to another event loop: open one in each loop"
            )

    async def _connect(self) -> _Connections:
        # SQLite shares what it knows of a file among the connections of a process: beside one that
        # may only read, a new one may not write either.
        await self._retired()
        writing = ThreadedConnection(self._connect_for_writing, self._path)
        reading = ThreadedConnection(self._connect_for_reading, self._path)
        await writing.open()
        try:
            await reading.open()
        except BaseException:
            await writing.close()
            raise
        return _Connections(writing, reading, GroupWriter(writing))

    def _connect_for_writing(self) -> GroupConnection:
        database = self._connect_to_file(GroupConnection)
        try:
            database.execute("PRAGMA synchronous = FULL")
            database.create_function("normal_time", 1, normal_time, deterministic=True)
            prepare(database, self._path, lock_timeout=self._lock_timeout)
            database.watch(self._path)
        except BaseException:
            database.close()
            raise
        return database

    def _connect_for_reading(self) -> sqlite3.Connection:
        return self._connect_to_file(sqlite3.Connection)

    def _connect_to_file(self, factory: type[ConnectionT]) -> ConnectionT:
        # Transactions begin where the store says so; Python's own (isolation_level) would begin
        # without the write lock. Only an opening that was cut off is closed by another thread.
        return sqlite3.connect(
            self._path,
            timeout=self._lock_timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=factory,
        )

    def _retire(self, connections: _Connections) -> None:
        """Let the next use open anew: a file that was read-only then may be written to by now.

        SQLite opens such a file for reading alone, and that connection stays so.
        """
        opening = self._opening
        if opening is None or not _has_worked(opening) or opening.result() is not connections:
            return
        self._opening = self._connections = None
        retiring = asyncio.get_running_loop().create_task(_end(connections))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _retired(self) -> None:
        """Wait until what was retired is closed."""
        if self._retiring:
            await asyncio.wait(tuple(self._retiring))

    async def _close(self) -> None:
        await self._retired()
        opening = self._opening
        if opening is None or self._loop is None:
            return
        if not opening.done():
            await asyncio.wait({opening})
        if not _has_worked(opening):
            return
        connections = opening.result()
        if self._loop is asyncio.get_running_loop():
            await connections.writer.finish()
        with translated(self._path):
            await connections.reading.close()
            await connections.writing.close()

    def _unreadable(self, what: str, error: UnreadableError) -> SessionStoreError:
        return SessionStoreError(f"{self._path}: the {what} can't be read: {error}")


async def _end(connections: _Connections) -> None:
    await connections.writer.finish()
    await connections.reading.close()
    await connections.writing.close()


def _has_worked(task: asyncio.Task[Any]) -> bool:
    # Asking for the exception also tells asyncio that a failure was seen, which else it logs when
    # every caller has been cancelled.
    return task.done() and not task.cancelled() and task.exception() is None


def _create(session_id: str, database: sqlite3.Connection) -> None:
    now = now_text()
    if not database.execute(_INSERT, (session_id, now, now)).rowcount:
        raise SessionExistsError(f"session {session_id!r} exists: load it, or use another id")


def _save(session_id: str, messages: str, database: sqlite3.Connection) -> None:
    now = now_text()
    database.execute(_SAVE, (session_id, messages, now, now))


def _merge(session_id: str, changes: str, long: int, database: sqlite3.Connection) -> bool:
    """Merge one level deep; nobody else writes between the reading and the writing."""
    found = sqlite_in_place.find(database, session_id)
    if found is None:
        return False
    cost_data = read_cost_data(found.text) | decode(changes)
    # The changes have been checked; what an earlier release stored is written back as it was.
    text = _with_nan(cost_data)
    sqlite_in_place.replace(database, session_id, found, text, long=long)
    return True


def _delete(session_id: str, database: sqlite3.Connection) -> bool:
    return database.execute(_DELETE, (session_id,)).rowcount > 0


def _delete_before(cutoff: str, database: sqlite3.Connection) -> int:
    return database.execute(_DELETE_BEFORE, (cutoff,)).rowcount
