"""The store that keeps nothing: what a server runs on until somebody configures another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_backends.rules import (
    check_cost_data,
    check_cutoff,
    check_id,
    check_messages,
    fresh_id,
)
from sessionstore_contract.interface import Json, Message, SessionStore

if TYPE_CHECKING:
    from datetime import datetime


class NullSessionStore(SessionStore):
    """Keeps nothing, and refuses what the other stores refuse.

    So whoever moves on to a store that keeps something meets no new rule about ids and values.
    """

    async def create(self, session_id: str | None = None) -> str:
        return fresh_id() if session_id is None else check_id(session_id)

    async def load(self, session_id: str) -> list[Message] | None:
        check_id(session_id)
        return None

    async def save(self, session_id: str, messages: list[Message]) -> None:
        check_id(session_id)
        check_messages(messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        check_id(session_id)
        if cost_data is not None:
            check_cost_data(cost_data)
        return False

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        check_id(session_id)
        return {}

    async def delete(self, session_id: str) -> bool:
        check_id(session_id)
        return False

    async def exists(self, session_id: str) -> bool:
        check_id(session_id)
        return False

    async def delete_before(self, cutoff: datetime) -> int:
        check_cutoff(cutoff)
        return 0

    async def close(self) -> None:
        """There is nothing to give back."""
