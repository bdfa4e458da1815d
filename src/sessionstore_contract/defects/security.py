"""Stores that make more of data than data."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "Objects are answered as an ordered dict of the driver's.",
    caught_by="security.answers-are-plain-data",
)
class AnswersOrderedDicts(Wrapper):
    async def load(self, session_id: str) -> Json:
        messages = await self.store.load(session_id)
        if not isinstance(messages, list):
            return messages
        return [OrderedDict(one) if isinstance(one, dict) else one for one in messages]


@defect(
    "A text under `$date` is revived as a time.",
    caught_by="security.answers-are-plain-data",
)
class RevivesDates(Wrapper):
    async def load(self, session_id: str) -> Json:
        return _revived(await self.store.load(session_id))


def _revived(value: Json) -> Json:
    if isinstance(value, list):
        return [_revived(one) for one in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$date"), str):
        try:
            return datetime.fromisoformat(value["$date"])
        except ValueError:
            return value
    return {key: _revived(one) for key, one in value.items()}
