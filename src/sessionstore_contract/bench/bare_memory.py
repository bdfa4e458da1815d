"""A dict that keeps JSON text: what a store that keeps sessions in memory is held against."""

from __future__ import annotations

import json
from typing import Any


class BareMemory:
    """Copies on the way in and on the way out, and does nothing else."""

    def __init__(self, _place: object = None) -> None:
        self._messages: dict[str, str] = {}
        self._cost_data: dict[str, dict[str, str]] = {}

    async def open(self) -> None:
        """Nothing to be done."""

    async def create(self, session_id: str) -> None:
        self._messages[session_id] = "[]"
        self._cost_data[session_id] = {}

    async def save(self, session_id: str, messages: list[Any]) -> None:
        self._messages[session_id] = json.dumps(messages)

    async def load(self, session_id: str) -> Any:
        return json.loads(self._messages[session_id])

    async def update(self, session_id: str, *, cost_data: dict[str, Any]) -> None:
        changes = {key: json.dumps(value) for key, value in cost_data.items()}
        self._cost_data[session_id].update(changes)

    async def get_cost_data(self, session_id: str) -> Any:
        return {key: json.loads(text) for key, text in self._cost_data[session_id].items()}

    async def exists(self, session_id: str) -> bool:
        return session_id in self._messages

    async def close(self) -> None:
        self._messages.clear()


VERSION = "a dict"
