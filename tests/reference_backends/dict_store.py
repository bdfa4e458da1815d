"""A store in a dict: what the tests serve, and look into."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reference_backends.rules import check_cost_data, check_id, check_messages, fresh_id
from sessionstore_contract.interface import Json, Message, SessionExistsError, SessionStore


@dataclass
class _Session:
    messages: list[Message] = field(default_factory=list)
    cost_data: dict[str, Json] = field(default_factory=dict)
    active_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class DictStore(SessionStore):
    """Does what the interface says, in the clearest way."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self.is_closed = False

    async def create(self, session_id: str | None = None) -> str:
        session_id = fresh_id() if session_id is None else check_id(session_id)
        if session_id in self._sessions:
            raise SessionExistsError(session_id)
        self._sessions[session_id] = _Session()
        return session_id

    async def load(self, session_id: str) -> list[Message] | None:
        found = self._sessions.get(check_id(session_id))
        return None if found is None else copy.deepcopy(found.messages)

    async def save(self, session_id: str, messages: list[Message]) -> None:
        check_messages(messages)
        session = self._sessions.setdefault(check_id(session_id), _Session())
        session.messages = copy.deepcopy(messages)
        session.active_at = datetime.now(UTC)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        session = self._sessions.get(check_id(session_id))
        if session is not None and cost_data:
            session.cost_data.update(copy.deepcopy(check_cost_data(cost_data)))
            session.active_at = datetime.now(UTC)
        return session is not None

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        found = self._sessions.get(check_id(session_id))
        return {} if found is None else copy.deepcopy(found.cost_data)

    async def delete(self, session_id: str) -> bool:
        return self._sessions.pop(check_id(session_id), None) is not None

    async def exists(self, session_id: str) -> bool:
        return check_id(session_id) in self._sessions

    async def delete_before(self, cutoff: datetime) -> int:
        old = [id_ for id_, session in self._sessions.items() if session.active_at < cutoff]
        for id_ in old:
            del self._sessions[id_]
        return len(old)

    async def close(self) -> None:
        self.is_closed = True
