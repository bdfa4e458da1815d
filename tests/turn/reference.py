"""The reference accumulator and chat server as systems, quick to give up waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference_backends import accounting, chat_events
from reference_backends.accounting import Accounting
from reference_backends.chat_server import Settings, create_app
from reference_backends.figures import read_totals
from sessionstore_contract.turn.script import Ended, Known, Said
from sessionstore_contract.turn.system import Accumulator, ChatServer, Figures

from .patience import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sessionstore_contract.interface import Json
    from sessionstore_contract.turn.script import Agent, Usage


def usage_of(usage: Usage) -> accounting.Usage:
    return accounting.Usage(**usage.fields())


def spoken(agent: Agent) -> chat_events.Agent:
    """Let the kit's agent say its answer in the events of the reference server."""

    async def say(messages: list[Json]) -> AsyncIterator[chat_events.StreamEvent]:
        async for event in agent(messages):
            match event:
                case Said(text):
                    yield chat_events.TextDelta(text)
                case Known(usage):
                    yield chat_events.UsageSoFar(usage_of(usage))
                case Ended(usage, model):
                    yield chat_events.Completion(None if usage is None else usage_of(usage), model)

    return say


def record(counting: Any, session: str, turn: Figures) -> Any:
    return counting.record(session, usage_of(turn.usage), model=turn.model, turn_id=turn.id)


def totals(cost_data: Mapping[str, Json]) -> Mapping[str, Json]:
    found = read_totals(dict(cost_data))
    return found.fields() if found.turn_count else {}


ACCUMULATOR = Accumulator(
    "accounting",
    build=lambda store: Accounting(store, patience=Patience.seconds),
    build_one_of_several=lambda store, name: Accounting(
        store, writer=name, patience=Patience.seconds
    ),
    record=record,
    drain=lambda counting: counting.drain(),
    totals=totals,
    logger="reference_backends",
)

SERVER = ChatServer(
    "chat server",
    build=lambda store, agent: create_app(
        store, spoken(agent), Settings(patience=Patience.seconds)
    ),
    build_one_of_several=lambda store, agent, name: create_app(
        store, spoken(agent), Settings(patience=Patience.seconds, writer=name)
    ),
    totals=totals,
    logger="reference_backends",
)
