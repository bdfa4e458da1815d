"""What an author hands over to the turn contract: a chat server, or an accumulator alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from ..names import refuse_name

if TYPE_CHECKING:
    from ..interface import Json
    from .script import Agent, Usage

TOTALS = ("input_tokens", "output_tokens", "cached_tokens", "turn_count", "model")
"""What is kept of the turns of a session."""

DEFAULT_BOUND = 10.0
"""Seconds within which a turn is over, whatever the store does."""


class Ability(StrEnum):
    """What a system can do that a clause asks for."""

    CHAT = "chat-server"
    TURN_IDS = "turn-ids"
    USAGE_MIDWAY = "usage-midway"
    SEVERAL = "several-servers"


def top_level(cost_data: Mapping[str, Json]) -> Mapping[str, Json]:
    """Read the totals of a session where they are top-level keys of its cost data."""
    return cost_data


@dataclass(frozen=True)
class ChatServer:
    """An ASGI application that answers chats as OpenAI's API does, on a store.

    Requests go to `path`, as JSON with `messages`, `stream` and `session_id`.
    """

    name: str
    _: KW_ONLY
    build: Callable[[Any, Agent], Any]
    """Given a store and an agent, answers the application; with None for a store, one that nobody
    configured a store for. May be a coroutine function. The agent is called with what the server
    asks a model with, and answers an async iterator of `Said`, `Known` and `Ended`."""
    build_one_of_several: Callable[[Any, Agent, str], Any] | None = None
    """The same, given a name too that no other server on the store has."""
    totals: Callable[[Mapping[str, Json]], Mapping[str, Json]] = top_level
    """Given the cost data of a session, answers its totals."""
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] | None = None
    """Sent with each request."""
    turn_id_header: str | None = "x-request-id"
    """Its value is the turn's id; None if the server has no such."""
    model: str | None = None
    """The model of every turn, where the server does not take it from the agent; where clients
    choose it, `the-word-of-the-client`, which the requests name."""
    learns_usage_midway: bool = True
    """Whether `Known` reaches the server."""
    logger: str | None = ""
    """The logger under which failures are to be seen; None if they are told elsewhere."""
    bound: float = DEFAULT_BOUND
    """Seconds within which an answer is on time when the store does not answer: well above what
    the server waits for the store."""

    def __post_init__(self) -> None:
        refuse_name(self.name, ValueError)

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the server can do."""
        return _abilities(
            {
                Ability.CHAT: True,
                Ability.TURN_IDS: self.turn_id_header is not None,
                Ability.USAGE_MIDWAY: self.learns_usage_midway,
                Ability.SEVERAL: self.build_one_of_several is not None,
            }
        )


@dataclass(frozen=True)
class Figures:
    """What an accumulator is told of a turn."""

    id: str | None
    model: str
    usage: Usage


@dataclass(frozen=True)
class Accumulator:
    """What adds up turns on a store, without a server around it."""

    name: str
    _: KW_ONLY
    build: Callable[[Any], Any]
    """Given a store, answers the accumulator. May be a coroutine function."""
    record: Callable[[Any, str, Figures], Awaitable[Any]]
    """Given the accumulator, a session id and a turn, has it counted."""
    drain: Callable[[Any], Awaitable[Any]] | None = None
    """Given the accumulator, writes what is not written yet, as the end of a server does."""
    build_one_of_several: Callable[[Any, str], Any] | None = None
    """As `build`, given a name too that no other accumulator on the store has."""
    totals: Callable[[Mapping[str, Json]], Mapping[str, Json]] = top_level
    """Given the cost data of a session, answers its totals."""
    takes_turn_ids: bool = True
    """Whether `record` passes the turn's id on."""
    model: str | None = None
    """The model of every turn, where the accumulator is not told."""
    logger: str | None = ""
    """The logger under which failures are to be seen; None if they are told elsewhere."""
    bound: float = DEFAULT_BOUND
    """Seconds within which `record` comes back when the store does not answer."""

    def __post_init__(self) -> None:
        refuse_name(self.name, ValueError)

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the accumulator can do."""
        return _abilities(
            {
                Ability.TURN_IDS: self.takes_turn_ids,
                Ability.SEVERAL: self.build_one_of_several is not None,
            }
        )


System: TypeAlias = ChatServer | Accumulator


def _abilities(said: Mapping[Ability, bool]) -> frozenset[Ability]:
    return frozenset(one for one, is_there in said.items() if is_there)
