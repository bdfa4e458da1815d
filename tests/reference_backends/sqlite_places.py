"""Databases as others left them, other processes beside the store, and what it says to SQLite."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reference_backends.sqlite import SqliteSessionStore

FIRST_LAYOUT = """
    CREATE TABLE sessions (
        session_id TEXT PRIMARY KEY, messages TEXT, created_at TEXT, updated_at TEXT
    )
"""
OBEYING = """
import ctypes, sys
header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
if ctypes.CDLL(None).capset(header, none) != 0:
    sys.exit("rights can't be given up")
"""
"""Has root obey the permissions of files, as everybody else does: Linux alone."""

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


def run_sql(path: Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement from outside the store, and wait for no lock."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        return connection.execute(sql, parameters).fetchall()


def fill_first_layout(path: Path, **times: str) -> None:
    """Make a database as it was before cost data, with a session for each of the times."""
    run_sql(path, FIRST_LAYOUT)
    for name, moment in times.items():
        run_sql(path, "INSERT INTO sessions VALUES (?, '[{}]', ?, ?)", name, moment, moment)


def trace(store: SqliteSessionStore) -> list[str]:
    """Answer the list to which the statements of the writing connection will be added."""
    assert store._connections is not None
    statements: list[str] = []
    store._connections.writing.database.set_trace_callback(statements.append)
    return statements


def start_python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process that imports what this one does."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    """Hold the write lock of the database in another process."""
    with start_python(LOCKER, str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.communicate("\n")
