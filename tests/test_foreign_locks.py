"""Another process that holds the locks of files."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract import foreign_locks, lock_holder

if TYPE_CHECKING:
    from pathlib import Path


def is_locked(path: Path) -> bool:
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


async def test_databases_and_files_are_locked_until_the_block_ends(tmp_path: Path) -> None:
    """A database as SQLite locks it, with nothing beside it; other files by both kinds of locks."""
    database, plain = tmp_path / "a.db", tmp_path / "inner" / "b"
    with closing(sqlite3.connect(database, isolation_level=None, timeout=0)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n)")
        plain.parent.mkdir()
        plain.write_bytes(b"")
        async with foreign_locks.held(tmp_path, 30) as held:
            assert held == ["a.db", "inner/b"]
            assert is_locked(plain)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                connection.execute("INSERT INTO t VALUES (1)")
        assert not is_locked(plain)
        connection.execute("INSERT INTO t VALUES (1)")


async def test_locks_are_given_back_by_themselves(tmp_path: Path) -> None:
    """Whoever waits for one in the way of everything else has it when the time is over."""
    path = tmp_path / "a"
    path.write_bytes(b"")
    async with foreign_locks.held(tmp_path, 0.01) as held:
        assert held == ["a"]
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)


def test_what_is_locked_by_others_is_left_out(tmp_path: Path) -> None:
    """Nothing is waited for."""
    path, database = tmp_path / "a", tmp_path / "b.db"
    path.write_bytes(b"")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (n)")
        connection.execute("BEGIN EXCLUSIVE")
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert lock_holder.locked(tmp_path) == {}


async def test_a_process_is_about_to_write_to_a_database_that_was_not_there(tmp_path: Path) -> None:
    """Others may read it, and not write until the time is over."""
    path = tmp_path / "new.db"
    async with foreign_locks.about_to_write(path, 0.3):
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as impatient:
            assert impatient.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                impatient.execute("CREATE TABLE t (n)")
        with closing(sqlite3.connect(path, isolation_level=None)) as patient:
            patient.execute("CREATE TABLE t (n)")
