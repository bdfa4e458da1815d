"""A SQLite store that treats every history as a long one."""

from __future__ import annotations

from dataclasses import replace

from reference_backends import SQLITE
from reference_backends.sqlite import SqliteSessionStore


class WritesOver(SqliteSessionStore):
    """Writes cost data over where it stands, as it does in long histories, in all of them."""

    _long = 0


def open_writing_over(path: str) -> SqliteSessionStore:
    """Open it with the usual time-out."""
    return WritesOver(path)


def open_writing_over_bounded(path: str, seconds: float) -> SqliteSessionStore:
    """Open it with a short one."""
    return WritesOver(path, lock_timeout=seconds)


WRITING_OVER = replace(
    SQLITE,
    name="sqlite-writing-over",
    open=open_writing_over,
    open_bounded=open_writing_over_bounded,
)
