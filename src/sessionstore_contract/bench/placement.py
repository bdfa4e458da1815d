"""Which processors the threads of this process run on."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_THREADS = Path("/proc/self/task")


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Keep all threads that there are on one processor; where that can't be done, do nothing.

    A store with a thread of its own wakes it for each call. On the processor of the caller that
    takes half the time that it takes on another, and which it is the system decides, for one
    store of a pair this way and for its rival that.
    """
    if not hasattr(os, "sched_setaffinity") or not _THREADS.is_dir():
        yield
        return
    allowed = os.sched_getaffinity(0)
    _place({max(allowed)})
    try:
        yield
    finally:
        # Also those that were started meanwhile: they are placed as whoever has started them.
        _place(allowed)


def _place(processors: set[int]) -> None:
    for thread in _THREADS.iterdir():
        with suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread.name), processors)
