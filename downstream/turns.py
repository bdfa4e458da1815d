"""The chat server of fipsagents, and its accumulator alone, as the turn contract takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chat import accumulator_on, server_on
from fipsagents.baseagent.config import AgentConfig
from fipsagents.baseagent.events import ContentDelta, StreamComplete, StreamMetrics

from sessionstore_contract import Accumulator, ChatServer
from sessionstore_contract.turn.script import Ended, Said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class WithState:
    """A store of the kit with the two operations more that the server calls; there is no state."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def get_state(self, _: str) -> dict[str, Any]:
        return {}

    async def update_state(self, _: str, **__: Any) -> None:
        return None


def _metrics(usage: Any) -> StreamMetrics:
    # An agent has no word for cached tokens.
    if usage is None:
        return StreamMetrics()
    return StreamMetrics(prompt_tokens=usage.input_tokens, completion_tokens=usage.output_tokens)


def _build(store: Any, agent: Any) -> Any:
    async def say(messages: list[Any]) -> AsyncIterator[Any]:
        async for event in agent(messages):
            if isinstance(event, Said):
                yield ContentDelta(event.text)
            elif isinstance(event, Ended):
                yield StreamComplete("stop", _metrics(event.usage))

    return server_on(None if store is None else WithState(store), say).app


async def _record(server: Any, session: str, turn: Any) -> None:
    await server._persist_cost_data(session, _metrics(turn.usage), turn.model)


SERVER = ChatServer(
    "OpenAIChatServer",
    build=_build,
    turn_id_header=None,
    learns_usage_midway=False,
    model=AgentConfig().model.name,
)

ACCUMULATOR = Accumulator(
    "OpenAIChatServer's accumulator",
    build=lambda store: accumulator_on(WithState(store)),
    record=_record,
    takes_turn_ids=False,
)
