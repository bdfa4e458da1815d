"""Fresh places in the file system: a path in a folder of its own."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sessionstore_contract import permissions
from sessionstore_contract.tables import is_database_file

if TYPE_CHECKING:
    from collections.abc import Iterator


class FileStorage:
    """Lends the path of a file that does not exist yet, in an empty folder."""

    name = "file"

    def __init__(self, parent: Path | None = None) -> None:
        """Make the folders in this one, if it is there, and not in that of temporary files."""
        self._parent = parent
        self._server: str | None = None

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Lend a path; the folder goes with all that is in it."""
        # A process of the same run may be on another machine, where it is not.
        parent = self._parent if self._parent is not None and self._parent.is_dir() else None
        folder = Path(tempfile.mkdtemp(prefix="sessionstore-", dir=parent))
        place = folder / "sessions.db"
        try:
            yield str(place)
            self._look_at(place)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():  # a clause was given up while nobody might write there
                permissions.give_back(folder)
                shutil.rmtree(folder, ignore_errors=True)

    def server(self) -> str | None:
        """Name SQLite, once a store has made one of its files at the place."""
        return self._server

    def close(self) -> None:
        """Nothing is held."""

    def _look_at(self, place: Path) -> None:
        if self._server is None and is_database_file(place):
            self._server = f"SQLite {sqlite3.sqlite_version}"
