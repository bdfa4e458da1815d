"""The chat server of fipsagents on a store of our choice, with an agent that says what it is told.

It makes its store from its configuration: here it is given one when it has started. Nothing else of
it is replaced.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fipsagents.baseagent import BaseAgent
from fipsagents.baseagent.config import AgentConfig
from fipsagents.baseagent.events import ContentDelta, StreamComplete
from fipsagents.server.app import OpenAIChatServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Say = "Callable[[list[Any]], AsyncIterator[Any]]"
"""Given the messages, says ContentDelta and in the end StreamComplete."""


def agent_that(say: Say) -> type[BaseAgent]:
    class Scripted(BaseAgent):
        async def setup(self) -> None:
            self.config = AgentConfig()

        async def shutdown(self) -> None:
            pass

        async def step(self) -> Any:
            raise NotImplementedError

        async def astep_stream(self, **_: Any) -> AsyncIterator[Any]:
            text = ""
            async for event in say(self.messages):
                if isinstance(event, ContentDelta):
                    text += event.content
                elif isinstance(event, StreamComplete):
                    self.messages.append({"role": "assistant", "content": text})
                yield event

    return Scripted


def server_on(store: Any, say: Say) -> OpenAIChatServer:
    class Server(OpenAIChatServer):
        @asynccontextmanager
        async def _lifespan(self, app: Any) -> AsyncIterator[None]:
            async with super()._lifespan(app):
                if store is not None:
                    self._session_store = store
                yield

    return Server(agent_that(say))


def accumulator_on(store: Any) -> OpenAIChatServer:
    """Build a server of which no more is used than what adds up a turn."""
    server = OpenAIChatServer(BaseAgent)
    server._session_store = store
    return server
