"""A process that holds the locks of the files below a folder, for a while: the kit is not imported.

    python lock_holder.py FOLDER SECONDS
    python lock_holder.py FOLDER SECONDS DATABASE

The second one is about to write to a database of SQLite, which it makes if it is not there; others
may read it. It says which files it has locked, in a line of JSON, and ends when the time is over or
its input is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import select
import sqlite3
import sys
from pathlib import Path

SQLITE = b"SQLite format 3\x00"


def locked(folder: Path) -> dict[str, object]:
    """Lock what can be locked without waiting; answer what holds the lock of each file."""
    held: dict[str, object] = {}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    databases = [path for path in files if _begins_as_sqlite(path)]
    for path in databases:
        with contextlib.suppress(sqlite3.Error):
            held[str(path.relative_to(folder))] = _database(path)
    for path in files:
        # The files beside a database are its own affair.
        if not any(path.name.startswith(one.name) for one in databases):
            with contextlib.suppress(OSError):
                held[str(path.relative_to(folder))] = _file(path)
    return held


def _begins_as_sqlite(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE
    return False


def _database(path: Path, kind: str = "EXCLUSIVE") -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute(f"BEGIN {kind}")
    except BaseException:
        connection.close()
        raise
    return connection


def _file(path: Path) -> object:
    file = path.open("r+b")
    try:
        # Both kinds: neither knows of the other.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def main() -> None:
    folder, seconds, *databases = sys.argv[1:]
    held = {} if databases else locked(Path(folder))
    for name in databases:
        with contextlib.suppress(sqlite3.Error):
            held[name] = _database(Path(folder, name), "IMMEDIATE")
    sys.stdout.write(json.dumps(sorted(held)) + "\n")
    sys.stdout.flush()
    # By itself: a store that waits for the lock may keep its process from telling us.
    select.select([sys.stdin], [], [], float(seconds))


if __name__ == "__main__":
    main()
