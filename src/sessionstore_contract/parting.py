"""The end of connections to a process that was asked to stop."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask it to stop."""


class Parting:
    """An application that, once the process was asked to stop, ends each connection it answers on.

    uvicorn ends those that it knows of when it begins to stop. One that was accepted by then and
    not yet set up would be served on and on, and be cut off in the end with a request under way.
    """

    def __init__(self, app: Any) -> None:
        """Wrap the application; in the main thread, when the server has its signal handlers."""
        self._app = app
        self._is_asked = False
        for number in STOPPING:
            signal.signal(number, self._noting(signal.getsignal(number)))

    def _noting(self, handler: Any) -> Callable[[int, FrameType | None], None]:
        def note(number: int, frame: FrameType | None) -> None:
            self._is_asked = True
            if callable(handler):
                handler(number, frame)

        return note

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve as the application does."""

        async def parting(message: Any) -> None:
            if self._is_asked and message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, parting)
