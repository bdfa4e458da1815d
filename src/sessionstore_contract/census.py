"""What is held for a store: threads, tasks, processes, files, and connections of the server."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIT = "sessionstore-contract"
"""What the names of the kit's own threads begin with: they are no store's."""

PROCESSES = Path("/proc")
"""Where Linux shows processes, and what is open; elsewhere neither is counted, nor sockets."""

DESCRIPTORS = PROCESSES / "self/fd"


async def count(
    place: str | None, connections: Callable[[str], int | None] | None
) -> dict[str, int]:
    """Count what is held now, by what it is; what can't be counted here is left out.

    Of files those in the place's folder are counted; where the place is no path, sockets are.
    `connections` is how the storage counts those to a place.
    """
    found = {
        "thread": len(threads()),
        "task": len(asyncio.all_tasks()),
        **_processes(),
        **_descriptors(place),
    }
    if place is not None and connections is not None:
        # From a thread without a running loop, as everything that is asked of a storage.
        counted = await asyncio.to_thread(connections, place)
        if counted is not None:
            found["connection"] = counted
    return found


def threads() -> list[str]:
    """Name the threads that run and are not the kit's own."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if not name.startswith(KIT)]


def _processes() -> dict[str, int]:
    """Count the children of this process, those that have ended and were not waited for as well.

    Of the kit's own there are as many after a store as before it.
    """
    if not DESCRIPTORS.is_dir():
        return {}
    tasks = (PROCESSES / "self/task").iterdir()
    try:
        lists = [task.joinpath("children").read_text() for task in tasks]
    except OSError:  # a kernel without these lists, or a thread has ended meanwhile
        return {"process": sum(_parent(one) == os.getpid() for one in _all_processes())}
    return {"process": sum(len(children.split()) for children in lists)}


def _all_processes() -> Iterator[Path]:
    return (one for one in PROCESSES.iterdir() if one.name.isdigit())


def _parent(process: Path) -> int | None:
    try:
        # The name, in brackets, may hold anything; behind it stand the state and the parent.
        return int(process.joinpath("stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None  # ended since it was listed


def _descriptors(place: str | None) -> dict[str, int]:
    if place is None or not DESCRIPTORS.is_dir():
        return {}
    path = Path(place)
    is_path = path.is_absolute()
    begins = f"{path.parent.resolve()}/" if is_path else "socket:"
    count = sum(target.startswith(begins) for target in _open_targets())
    return {"file" if is_path else "socket": count}


def _open_targets() -> Iterator[str]:
    """Name what every open descriptor leads to."""
    for descriptor in DESCRIPTORS.iterdir():
        try:
            yield str(descriptor.readlink())
        except OSError:
            continue  # closed since it was listed, as the listing itself is
