"""The oracle: the contract as a pure step function on plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .interface import Json


START: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""An instant for programs in which time does not matter."""


@dataclass(frozen=True)
class Session:
    """What is known of one session."""

    last_activity: datetime
    messages: tuple[Json, ...] = ()
    cost_data: Mapping[str, Json] = field(default_factory=dict)


State = dict[str, Session]
"""All sessions by id; `step` answers a new one and leaves the old one as it was."""


class Refused:
    """The answer that is an exception."""

    def __repr__(self) -> str:
        return "refused"


REFUSED: Final = Refused()


def step(
    state: State, operation: str, *arguments: Any, now: datetime, cost_data: Json = None
) -> tuple[State, Any]:
    """Take one step: answer the state after it, and what the store has to answer.

    Arguments are as in the interface; `create` is asked for an id that is given. What was stored
    may be shared with the arguments: whoever compares must not change them.
    """
    match operation, arguments:
        case "create", (str(name),):
            if name in state:
                return state, REFUSED
            return {**state, name: Session(now)}, name
        case "load", (str(name),):
            return state, list(state[name].messages) if name in state else None
        case "save", (str(name), list(messages)):
            saved = replace(
                state.get(name, Session(now)), messages=tuple(messages), last_activity=now
            )
            return {**state, name: saved}, None
        case "update", (str(name),):
            return _update(state, name, cost_data, now)
        case "get_cost_data", (str(name),):
            return state, dict(state[name].cost_data) if name in state else {}
        case "delete", (str(name),):
            return {key: kept for key, kept in state.items() if key != name}, name in state
        case "exists", (str(name),):
            return state, name in state
        case "delete_before", (cutoff,):
            kept = {key: one for key, one in state.items() if one.last_activity >= cutoff}
            return kept, len(state) - len(kept)
    raise ValueError(f"the model has no step {operation}{arguments}")


def _update(state: State, name: str, cost_data: Json, now: datetime) -> tuple[State, bool]:
    if name not in state:
        return state, False
    if not cost_data:
        return state, True
    merged = {**state[name].cost_data, **cost_data}
    return {**state, name: replace(state[name], cost_data=merged, last_activity=now)}, True
