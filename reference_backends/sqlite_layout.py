"""The table of the SQLite store: how a database comes to have it, and how its texts are read."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache

from reference_backends import histories
from reference_backends.json_text import decode
from reference_backends.rules import in_utc
from sessionstore_contract.interface import Json, Message, SessionStoreError

# The history last: SQLite reads a row from its beginning, page by page.
_CREATE_TABLE = """
    CREATE TABLE sessions (
        session_id TEXT PRIMARY KEY,
        created_at TEXT,
        updated_at TEXT,
        cost_data TEXT,
        messages TEXT
    )
"""
_ADD_COST_DATA = "ALTER TABLE sessions ADD COLUMN cost_data TEXT"
_FIRST_LAYOUT = frozenset({"session_id", "messages", "created_at", "updated_at"})


def prepare(database: sqlite3.Connection, path: str, *, lock_timeout: float) -> None:
    """Bring the database at `path` to the current layout; one that has it is read and not changed.

    So opening a current database takes no lock that anybody waits for, and works while others
    hold theirs. Columns, tables and rows that the store does not know stay as they are.

    Raises:
        SessionStoreError: there is a table `sessions` of somebody else's; it is as it was.
    """
    if _is_current(database, path):
        return
    _switch_to_wal(database, lock_timeout)
    database.execute("BEGIN IMMEDIATE")
    try:
        # Under the write lock the layout is read again: another process may have been first.
        if not _columns(database):
            database.execute(_CREATE_TABLE)
        elif not _is_current(database, path):
            database.execute(_ADD_COST_DATA)
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _is_current(database: sqlite3.Connection, path: str) -> bool:
    columns = _columns(database)
    if columns and not (columns.keys() >= _FIRST_LAYOUT and columns["session_id"]):
        raise SessionStoreError(
            f"{path}: its table `sessions` has the columns {', '.join(sorted(columns))} and is not "
            "one of this store; it was not changed: give the store a database of its own"
        )
    return "cost_data" in columns


def _columns(database: sqlite3.Connection) -> dict[str, bool]:
    """Answer the columns of `sessions`, and whether each is in the primary key."""
    rows = database.execute("SELECT name, pk FROM pragma_table_info('sessions')")
    return {name.lower(): pk > 0 for name, pk in rows}


def _switch_to_wal(database: sqlite3.Connection, lock_timeout: float) -> None:
    """Let readers and the writer work side by side; what SQLite can't switch stays as it is.

    Done for a database that is made or migrated. The mode of a current one is its owner's choice:
    on a network file system, where processes share no memory, WAL does not work.
    """
    deadline = time.monotonic() + lock_timeout
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # The switch does not always wait as other statements do: of several processes that
            # make it at once, the later ones are told `database is locked` without delay.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def now_text() -> str:
    """Word the present as the store writes times: as texts of one width, in the order of time."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return f"{_second(seconds)}.{nanoseconds // 1000:06}+00:00"


def instant_text(moment: datetime) -> str:
    """Word an aware datetime in the same form."""
    return _word(in_utc(moment))


def normal_time(stored: object) -> str | None:
    """Word a stored time in the same form, None when it can't be read; SQL calls this.

    Earlier releases wrote other ISO 8601 forms. A time without an offset is UTC.
    """
    if not isinstance(stored, bytes):
        return None
    with suppress(ValueError):
        # In the encoding of the database, which is UTF-16 where somebody has made it so.
        moment = datetime.fromisoformat(stored.decode(json.detect_encoding(stored)))
        return instant_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return None


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _word(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


class UnreadableError(Exception):
    """What is stored is not what the store writes."""


async def read_messages(stored: bytes | None) -> list[Message]:
    """Read the column `messages`; NULL is no messages."""
    try:
        messages = await histories.read("[]" if stored is None else stored)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    if not isinstance(messages, list):
        raise UnreadableError(f"a JSON array is due, not {type(messages).__name__}")
    return messages


def read_cost_data(stored: bytes | None) -> dict[str, Json]:
    """Read the column `cost_data`; NULL, in rows of before it was there, is no cost data."""
    try:
        cost_data = decode("{}" if stored is None else stored)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    if not isinstance(cost_data, dict):
        raise UnreadableError(f"a JSON object is due, not {type(cost_data).__name__}")
    return cost_data
