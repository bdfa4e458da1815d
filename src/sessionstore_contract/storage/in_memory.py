"""A folder that is kept in memory, for what is thrown away and need not outlive the machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it

ROOM = 2**30
"""Bytes that must be free there: four times what a run on PostgreSQL was seen to take."""

LIMIT = Path("/sys/fs/cgroup/memory.max")
"""What is on that file system counts as memory, of which a container may have less."""

OWN = "SESSIONSTORE_OWN_TMPDIR"
"""In processes of a run: the folder of the run that TMPDIR names there, by nobody's wish."""


def with_own_folder(folder: str) -> dict[str, str]:
    """Answer the variables of a process whose temporary files go into a folder of the run."""
    return {"TMPDIR": folder, **({} if _is_named(os.environ) else {OWN: folder})}


def folder_for_places() -> Path | None:
    """Answer a folder in memory for the files of any store, if there is one as good as a disk."""
    memory = folder_in_memory()
    return memory if memory is not None and _is_as_good_as_a_disk(memory) else None


def folder_in_memory() -> Path | None:
    """Answer a folder that is kept in memory, if there is one with room and no other was named."""
    if _is_named(os.environ) or not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)):
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free >= ROOM and _may_use(4 * ROOM) else None


def _is_as_good_as_a_disk(folder: Path) -> bool:
    """Answer whether files there can be written past the system's cache, and programs started.

    The one Linux takes from 6.6 on; the other is forbidden on many a file system in memory. A
    store may want either, and would fail for want of it.
    """
    if os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        return False
    with tempfile.NamedTemporaryFile(prefix="sessionstore-", dir=folder) as file:
        try:
            os.close(os.open(file.name, os.O_RDWR | getattr(os, "O_DIRECT", 0)))
        except OSError:
            return False
    return True


def _is_named(environment: Mapping[str, str]) -> bool:
    named = {environment[name] for name in ("TMPDIR", "TEMP", "TMP") if environment.get(name)}
    return not named <= {environment.get(OWN)}


def _may_use(memory: int) -> bool:
    try:
        limit = LIMIT.read_text().strip()
    except OSError:
        return True
    return not limit.isdigit() or int(limit) >= memory
