"""The reference chat server on a real socket, with an agent that says what its test says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from reference_backends.accounting import Usage
from reference_backends.chat_events import Completion, TextDelta
from reference_backends.chat_server import Settings, create_app
from sessionstore_contract.storage import uvicorn_service
from sessionstore_contract.storage.platform import listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reference_backends.chat_events import StreamEvent
    from sessionstore_contract.interface import Message, SessionStore

USAGE = Usage(1000, 50, 400)
WORDS = ("Grüß ", "Gott, ", 'said "it".\n', "\U0001f600")


async def talk(history: list[Message]) -> AsyncIterator[StreamEvent]:
    """Answer with a few words, and with how many messages it was asked with."""
    for word in WORDS:
        yield TextDelta(word)
        await asyncio.sleep(0)
    yield TextDelta(str(len(history)))
    yield Completion(USAGE, "model-a")


@asynccontextmanager
async def served(
    store: SessionStore | None, agent: Any = talk, settings: Settings | None = None
) -> AsyncIterator[str]:
    """Serve the chat server; answer its base URL."""
    with listener() as socket:
        app = create_app(store, agent, settings)
        server = await uvicorn_service.start(lambda: app, socket)
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            await uvicorn_service.stop(server)
