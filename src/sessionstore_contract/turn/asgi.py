"""An ASGI application in the process of its caller, and clients of it that may leave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..interface import Json


@dataclass
class Received:
    """What a client has received of an answer."""

    status: int | None = None
    body: bytes = b""
    is_whole: bool = False


@dataclass
class _Client:
    """One connection: what is received, and when the client leaves."""

    leaves_when: Callable[[bytes], bool]
    is_told: bool
    """Whether sending to a client that has left raises, as newer servers do."""
    received: Received = field(default_factory=Received)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Mapping[str, Any]) -> None:
        if self.left.is_set():
            if self.is_told:
                raise OSError("the client has left")
            return
        if message["type"] == "http.response.start":
            self.received.status = message["status"]
        elif message["type"] == "http.response.body":
            self.received.body += message.get("body", b"")
            self.received.is_whole = not message.get("more_body", False)
        if self.received.is_whole or self.leaves_when(self.received.body):
            self.left.set()
        # A socket lets others go first.
        await asyncio.sleep(0)


class Application:
    """Runs an application as a server does: start-up, requests, shut-down."""

    def __init__(self, app: Any) -> None:
        self._app = app
        # What the application has put there at its start, each request has.
        self._state: dict[str, Any] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None
        self._is_ending = False
        self.failure: Exception | None = None
        """How the application has failed at its end."""

    async def start(self) -> None:
        """Let the application start up, if it wants to know of it."""
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }

        async def send(message: Mapping[str, Any]) -> None:
            self._said.put_nowait(message["type"])

        async def run() -> None:
            try:
                await self._app(scope, self._told.get, send)
            except Exception as error:  # noqa: BLE001 - who knows nothing of lifespan raises at once
                self.failure = error if self._is_ending else None

        self._lifespan = asyncio.create_task(run())
        await self._tell("lifespan.startup")

    async def stop(self) -> None:
        """Wait for the requests under way, and let the application shut down."""
        while self._requests:
            await asyncio.wait(self._requests)
        self._is_ending = True
        await self._tell("lifespan.shutdown")

    async def _tell(self, what: str) -> None:
        if self._lifespan is None or self._lifespan.done():
            return
        self._told.put_nowait({"type": what})
        saying = asyncio.ensure_future(self._said.get())
        await asyncio.wait({saying, self._lifespan}, return_when=asyncio.FIRST_COMPLETED)
        saying.cancel()

    async def post(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        leaves_when: Callable[[bytes], bool] = lambda _: False,
        leaves_at: asyncio.Event | None = None,
        is_told: bool = False,
    ) -> Received:
        """Post a body; answer what was received when the client has left, or has it all."""
        client = _Client(leaves_when, is_told)
        if leaves_at is not None:
            client.left = leaves_at
        bodies = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Json]:
            if bodies:
                return bodies.pop()
            await client.left.wait()
            return {"type": "http.disconnect"}

        async def run() -> None:
            try:
                scope = {**_scope(path, headers, is_told=is_told), "state": dict(self._state)}
                await self._app(scope, receive, client.send)
            except Exception:  # noqa: BLE001 - a server answers 500, or cuts the connection
                if client.received.status is None:
                    client.received.status = 500
            finally:
                client.left.set()

        request = asyncio.create_task(run())
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)
        try:
            await client.left.wait()
        except asyncio.CancelledError:
            client.left.set()
            raise
        return client.received


def _scope(path: str, headers: Mapping[str, str], *, is_told: bool) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4" if is_told else "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }
