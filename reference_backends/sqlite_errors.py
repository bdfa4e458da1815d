"""What SQLite reports, in the exceptions of the interface: what happened, where, the way out."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sessionstore_contract.interface import (
    SessionStoreError,
    StoreUnavailableError,
    UnstorableValueError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every failed write has been rolled back, so each of these is safe to try again.
_PASSING = {
    sqlite3.SQLITE_BUSY: "another process keeps it locked: try again, or raise lock_timeout",
    sqlite3.SQLITE_LOCKED: "another connection keeps it locked: try again, or raise lock_timeout",
    sqlite3.SQLITE_PROTOCOL: "others kept its locks too busy: try again",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened: is it a file, in a folder that exists and that "
    "this process may write to?",
    sqlite3.SQLITE_FULL: "the disk is full and nothing was written: make room and try again",
    sqlite3.SQLITE_IOERR: "reading or writing failed: look at the disk, its room and its limits",
}
_LASTING = {
    sqlite3.SQLITE_READONLY: "it is read-only: let this process write to the file, to those of its "
    "name beside it (-wal, -shm), and to its folder",
    sqlite3.SQLITE_PERM: "access is denied: let this process write to the file and its folder",
    sqlite3.SQLITE_AUTH: "access is denied: let this process write to the file and its folder",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database: give the store another path",
    sqlite3.SQLITE_CORRUPT: "the database is damaged: restore it from a copy",
}


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise the interface's exceptions for those of SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise translation(error, path) from error


def is_read_only(error: sqlite3.Error) -> bool:
    """Answer whether the database could not be written to by this connection."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY


def translation(error: sqlite3.Error, path: str) -> SessionStoreError:
    """Answer what the interface raises instead."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary code
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreUnavailableError(
            f"{path}: the file was moved, replaced or deleted while it was open, and what was "
            "written is not in the one that is there now: try again",
            is_retry_safe=True,
        )
    if code in _PASSING:
        return StoreUnavailableError(f"{path}: {_PASSING[code]} ({error})", is_retry_safe=True)
    if code == sqlite3.SQLITE_TOOBIG:
        return UnstorableValueError(f"{path}: the value is longer than SQLite keeps ({error})")
    return SessionStoreError(f"{path}: {_LASTING.get(code, 'SQLite refused')} ({error})")
