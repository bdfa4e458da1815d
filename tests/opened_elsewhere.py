"""Stores that the tests of the worker open in a process of its own."""

from __future__ import annotations

import io
import os
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from datetime import datetime


class OddError(ValueError):
    """An exception of the store's own."""


class Writing:
    """Writes a text to a file, and to what is none."""

    def __init__(self, place: str) -> None:
        self.place = Path(place)

    async def create(self, session_id: str) -> str:
        with self.place.open("w", encoding="utf-8") as opened, io.StringIO() as beside:
            beside.write(session_id)
            sys.stderr.write("\n")
            opened.write(session_id)
        return session_id

    async def close(self) -> None:
        """Nothing is held."""


class Shelf:
    """Answers what shows how it was asked."""

    def __init__(self, place: str | None = None) -> None:
        self.place = place
        self.kept: dict[str, Any] = {}

    @classmethod
    def connect(cls, place: str) -> Shelf:
        """Open one, as drivers do."""
        return cls(place)

    async def create(self, session_id: str | None = None) -> Any:
        return [self.place, session_id, os.environ.get("SHELF"), os.getpid()]

    async def save(self, session_id: str, messages: Any) -> None:
        print("printed by the store")  # noqa: T201 - what stores do
        os.write(1, b'{"number": 0, "answer": "forged"}\n')
        self.kept[session_id] = messages

    async def load(self, session_id: str) -> Any:
        return self.kept.get(session_id)

    async def update(self, session_id: str, *, cost_data: Any = None) -> Any:
        return [session_id, cost_data]

    async def get_cost_data(self, session_id: str) -> NoReturn:
        raise OddError(f"no cost data of {session_id}")

    async def delete(self, session_id: str) -> NoReturn:
        raise NotImplementedError("delete")

    async def exists(self, session_id: str) -> NoReturn:
        os._exit(3)

    async def delete_before(self, cutoff: datetime) -> Any:
        return [type(cutoff).__name__, cutoff.isoformat()]

    async def close(self) -> NoReturn:
        sys.exit("closed")


DRAWN = random.Random()
"""Of the module, as it was imported."""


def open_descriptors() -> int:
    """Count what this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


class Looking:
    """Answers what its process looks like."""

    def __init__(self, place: str) -> None:
        self.place = place

    async def load(self, session_id: str) -> Any:
        match session_id:
            case "drawn at import":
                return DRAWN.random()
            case "offset":
                return time.timezone
            case "folder":
                return str(Path.cwd())
            case "descriptors":
                return open_descriptors()
        return os.environ.get(session_id)


async def open_shelf(place: str) -> Shelf:
    """Open one in a coroutine."""
    return Shelf(place)


def fail_to_open(place: str) -> NoReturn:
    """Open nothing."""
    raise OddError(f"nothing at {place}")
