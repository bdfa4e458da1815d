"""The store that keeps sessions in a dict, for as long as the object lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from reference_backends.json_text import decode, encode
from reference_backends.rules import (
    check_cost_data,
    check_cutoff,
    check_id,
    check_messages,
    fresh_id,
)
from sessionstore_contract.interface import (
    Json,
    Message,
    SessionExistsError,
    SessionStore,
    StoreClosedError,
)


@dataclass
class _Session:
    """One session, kept as JSON text: a copy on the way in and a copy on the way out."""

    messages: bytes = b"[]"
    cost_data: dict[str, str] = field(default_factory=dict)
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def touch(self) -> None:
        self.updated_at = datetime.now(UTC)


class MemorySessionStore(SessionStore):
    """Keeps sessions in this object, for the tasks of one thread.

    No operation gives up its turn, so each is atomic among the tasks of its event loop, and none
    can be cancelled half-way.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._is_closed = False

    async def create(self, session_id: str | None = None) -> str:
        session_id = fresh_id() if session_id is None else check_id(session_id)
        sessions = self._opened()
        if session_id in sessions:
            raise SessionExistsError(f"session {session_id!r} exists: load it, or use another id")
        sessions[session_id] = _Session()
        return session_id

    async def load(self, session_id: str) -> list[Message] | None:
        text = await self.load_text(session_id)
        return None if text is None else decode(text)

    async def load_text(self, session_id: str) -> bytes | None:
        """Answer what `load` answers, as the JSON text that is kept."""
        session = self._opened().get(check_id(session_id))
        return None if session is None else session.messages

    async def save(self, session_id: str, messages: list[Message]) -> None:
        check_id(session_id)
        await self.save_text(session_id, encode(check_messages(messages)).encode())

    async def save_text(self, session_id: str, text: bytes) -> None:
        """Save messages that were checked, as the JSON text that they were worded as."""
        session = self._opened().setdefault(check_id(session_id), _Session())
        session.messages = text
        session.touch()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        check_id(session_id)
        fields = {} if cost_data is None else check_cost_data(cost_data)
        # Every value is worded before the first one is kept: all of them or none.
        changes = {key: encode(value) for key, value in fields.items()}
        session = self._opened().get(session_id)
        if session is not None and changes:
            session.cost_data.update(changes)
            session.touch()
        return session is not None

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        session = self._opened().get(check_id(session_id))
        if session is None:
            return {}
        return {key: decode(text) for key, text in session.cost_data.items()}

    async def delete(self, session_id: str) -> bool:
        return self._opened().pop(check_id(session_id), None) is not None

    async def exists(self, session_id: str) -> bool:
        return check_id(session_id) in self._opened()

    async def delete_before(self, cutoff: datetime) -> int:
        instant = check_cutoff(cutoff)
        sessions = self._opened()
        old = [name for name, session in sessions.items() if session.updated_at < instant]
        for name in old:
            del sessions[name]
        return len(old)

    async def close(self) -> None:
        """Forget every session."""
        self._is_closed = True
        self._sessions.clear()

    def _opened(self) -> dict[str, _Session]:
        if self._is_closed:
            raise StoreClosedError("the memory store was closed: open another one")
        return self._sessions
