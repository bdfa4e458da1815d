"""The operations that are measured, and the sessions that they are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

OPERATIONS = ("save", "load", "update", "get_cost_data", "exists")
SIZES = (1, 100, 10_000)
CALLERS = (1, 8, 32)


class Measured(Protocol):
    """What is asked of a store, and of a bare driver in its stead."""

    async def create(self, session_id: str) -> Any: ...
    async def save(self, session_id: str, messages: list[Any]) -> Any: ...
    async def load(self, session_id: str) -> Any: ...
    async def update(self, session_id: str, *, cost_data: dict[str, Any]) -> Any: ...
    async def get_cost_data(self, session_id: str) -> Any: ...
    async def exists(self, session_id: str) -> Any: ...
    async def close(self) -> Any: ...


@dataclass(frozen=True)
class Cell:
    """One operation on sessions of so many messages, by so many callers at once."""

    operation: str
    messages: int
    callers: int


def history(random: Random, messages: int, *, characters: int = 100) -> list[dict[str, str]]:
    """Make messages as a chat has them, no two alike."""
    words = [f"{random.getrandbits(32):08x}" for _ in range(64)]

    def text() -> str:
        return " ".join(random.choices(words, k=max(1, characters // 9)))

    roles = ("user", "assistant")
    return [{"role": roles[number % 2], "content": text()} for number in range(messages)]


def sessions(cell: Cell) -> list[str]:
    """Name the session of each caller."""
    return [f"session-{cell.messages}-{number}" for number in range(cell.callers)]


def cost_data(turn: int) -> dict[str, Any]:
    """Answer what a server sends after a turn."""
    return {"turn_count": turn, "usage": {"input_tokens": 1_000 + turn, "output_tokens": 200}}


async def fill(store: Measured, session_id: str, messages: list[Any]) -> None:
    """Make a session with this history, and cost data."""
    await store.create(session_id)
    await store.save(session_id, messages)
    await store.update(session_id, cost_data=cost_data(0))


def calls(
    store: Measured, operation: str, messages: list[Any]
) -> Callable[[str, int], Awaitable[Any]]:
    """Answer what calls the operation, given a session id and the number of the call."""
    match operation:
        case "save":
            return lambda session_id, _: store.save(session_id, messages)
        case "load":
            return lambda session_id, _: store.load(session_id)
        case "update":
            return lambda session_id, turn: store.update(session_id, cost_data=cost_data(turn))
        case "get_cost_data":
            return lambda session_id, _: store.get_cost_data(session_id)
        case "exists":
            return lambda session_id, _: store.exists(session_id)
    raise ValueError(f"{operation!r} is none of {', '.join(OPERATIONS)}")
