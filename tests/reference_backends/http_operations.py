"""Every operation of the HTTP store, and peers that give one answer to all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest

from reference_backends.http import HttpSessionStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


TOKEN = "c2VjcmV0LXRva2Vu.of_the~caller+/=="


MISSING = b'{"error": {"code": "session_missing", "message": ""}}'


OPERATIONS: dict[str, Callable[[HttpSessionStore], Awaitable[Any]]] = {
    "create": lambda store: store.create("s"),
    "load": lambda store: store.load("s"),
    "save": lambda store: store.save("s", []),
    "update": lambda store: store.update("s", cost_data={"n": 1}),
    "touch": lambda store: store.update("s"),
    "get_cost_data": lambda store: store.get_cost_data("s"),
    "delete": lambda store: store.delete("s"),
    "exists": lambda store: store.exists("s"),
    "delete_before": lambda store: store.delete_before(datetime.now(UTC)),
}


every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def by_httpx() -> httpx.AsyncBaseTransport:
    """Make what sends the requests, in httpx's way."""
    return httpx.AsyncHTTPTransport(verify=False)  # to 127.0.0.1: reading certificates takes long


every_engine = pytest.mark.parametrize("engine", [lambda: None, by_httpx], ids=["aiohttp", "httpx"])
"""What sends the requests: aiohttp where it is installed, httpx where not or where it is given."""

Engine: TypeAlias = "Callable[[], httpx.AsyncBaseTransport | None]"


def answering(
    status: int, body: bytes = b"", seen: list[httpx.Request] | None = None
) -> HttpSessionStore:
    """Open a store on a peer that gives one answer to everything."""

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(status, content=body)

    return HttpSessionStore("http://peer", transport=httpx.MockTransport(answer))
