"""Permissions of files: obeyed by a thread that may ignore them, taken away, and given back."""

from __future__ import annotations

import ctypes
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = 0x20080522
_IGNORING = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which Linux lets root read and write any file."""


@contextmanager
def obeyed() -> Iterator[None]:
    """Have this thread, and those that it starts meanwhile, obey the permissions of files.

    Everybody but root does anyway. Other threads of the process are as they were. Where the
    system has no such thing, nothing changes: `are_obeyed` tells.
    """
    rights = _Rights()
    had = rights.effective()
    # Of the effective rights alone: what is still permitted can be taken back.
    rights.limit(had & ~_IGNORING)
    try:
        yield
    finally:
        rights.limit(had)


def is_known() -> bool:
    """Answer whether the system tells a thread what it may ignore: Linux does."""
    return hasattr(ctypes.CDLL(None), "capget")


class _Rights:
    """What this thread may do beyond others; nothing is known of it where this is not Linux."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._header = (ctypes.c_uint32 * 2)(_VERSION, 0)
        self._rights = (ctypes.c_uint32 * 6)()

    def effective(self) -> int:
        if not is_known() or self._libc.capget(self._header, self._rights) != 0:
            return 0
        return int(self._rights[0])

    def limit(self, rights: int) -> None:
        if rights != self._rights[0]:
            self._rights[0] = rights
            self._libc.capset(self._header, self._rights)


def are_obeyed(folder: str | None = None) -> bool:
    """Answer whether this thread can't read a file that nobody may read, in that folder."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        path = Path(file.name)
        path.chmod(0)
        try:
            path.open("rb").close()
        except PermissionError:
            return True
    return False


@contextmanager
def taken(folder: Path, *, of_files: int, of_folders: int) -> Iterator[None]:
    """Take from all below a folder, and from itself, the permissions that are not named."""
    before = dict(_modes(folder))
    try:
        for path, mode in reversed(before.items()):
            path.chmod(mode & (of_folders if path.is_dir() else of_files))
        yield
    finally:
        for path, mode in before.items():
            with suppress(FileNotFoundError):  # a store may have removed it all the same
                path.chmod(mode)


def _modes(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            yield path, path.stat().st_mode


def give_back(folder: Path) -> None:
    """Let its owner do everything with a folder and those below it, so that they can go."""
    folder.chmod(0o700)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            give_back(path)
