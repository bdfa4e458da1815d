"""A lock that the processes of a run share, free again when its holder is killed."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class RunLock:
    """A lock on a file, which may be removed by whoever holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self, *, timeout: float) -> Iterator[None]:
        """Hold the lock.

        Raises:
            TimeoutError: others held it for `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while (descriptor := self._taken()) is None:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{self._path} is held by another process")
            time.sleep(0.02)
        try:
            yield
        finally:
            os.close(descriptor)

    def exists(self) -> bool:
        """Whether there is the file, be it held or not."""
        return self._path.exists()

    def remove(self) -> None:
        """Remove the file; those who wait for it find out and make another one."""
        self._path.unlink(missing_ok=True)

    def _taken(self) -> int | None:
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A lock on a file that was removed meanwhile excludes nobody.
            if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(descriptor)
        return None
