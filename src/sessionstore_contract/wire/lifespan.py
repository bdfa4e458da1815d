"""Start and end of an ASGI application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Application: TypeAlias = Callable[..., Awaitable[None]]

PATIENCE = 30.0
"""Seconds that an application may take to start or to end."""


class NotStartedError(Exception):
    """The application said that it can't start."""


@asynccontextmanager
async def started(app: Application) -> AsyncIterator[Application]:
    """Start the application and end it; one that knows no lifespan is left as it is.

    Answers the application as a server asks it: each request has the state that it has begun with.
    """
    state: dict[str, Any] = {}
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def live() -> None:
        # By raising, an application says that it knows no lifespan.
        with suppress(Exception):
            await app(
                {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state},
                inbox.get,
                outbox.put,
            )
        await outbox.put({"type": "ended"})

    life = asyncio.create_task(live())
    try:
        await inbox.put({"type": "lifespan.startup"})
        said = await asyncio.wait_for(outbox.get(), PATIENCE)
        if said["type"] == "lifespan.startup.failed":
            raise NotStartedError(f"the application did not start: {said.get('message', '')}")
        yield _with_state(app, state)
        if not life.done():
            await inbox.put({"type": "lifespan.shutdown"})
            await asyncio.wait_for(outbox.get(), PATIENCE)
    finally:
        life.cancel()
        await asyncio.wait({life})


def _with_state(app: Application, state: dict[str, Any]) -> Application:
    async def stated(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    return stated
