"""What this process and the place's server hold for a store: threads, tasks, files, connections."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIT = "sessionstore-contract"
"""What the names of the kit's own threads begin with: they are no store's."""

DESCRIPTORS = Path("/proc/self/fd")
"""Where Linux shows what is open; elsewhere files and sockets are not counted."""


async def count(
    place: str | None, connections: Callable[[str], int | None] | None
) -> dict[str, int]:
    """Count what is held now, by what it is; what can't be counted here is left out.

    Of files those in the place's folder are counted; where the place is no path, sockets are.
    `connections` is how the storage counts those to a place.
    """
    found = {"thread": len(threads()), "task": len(asyncio.all_tasks()), **_descriptors(place)}
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
