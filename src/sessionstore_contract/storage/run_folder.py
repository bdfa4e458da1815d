"""The folder in which the processes of a run find the server that is kept for them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstore_contract.storage.run_lock import RunLock

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 5.0
"""Seconds that whoever clears away waits for those who came to join, and are killed."""


class RunFolder:
    """A folder with two files: where the keeper is, and a lock for whoever reads or writes that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = path / "postgres.address"
        self.lock = RunLock(path / "postgres.lock")

    def give_up(self, keeper: str, *, timeout: float) -> None:
        """Remove the address if it is this keeper's, and the lock if nobody else's is there.

        Where others hold the lock for so long as is waited, both stay for them.
        """
        with suppress(OSError, TimeoutError), self.lock.held(timeout=timeout):
            if self.address.exists() and self.address.read_text() == keeper:
                self.address.unlink()
            if not self.address.exists():
                self.lock.remove()

    def clear_away(self, keeper: str = "", *, timeout: float = PATIENCE) -> None:
        """Remove the folder of a run that was killed, if nobody has a part in it any more."""
        if self.lock.exists():
            self.give_up(keeper, timeout=timeout)
        with suppress(OSError):  # another keeper is there, or another process has files there
            self.path.rmdir()
