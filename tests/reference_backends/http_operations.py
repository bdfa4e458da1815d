"""Every operation of the HTTP store, and peers that give one answer to all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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


def answering(
    status: int, body: bytes = b"", seen: list[httpx.Request] | None = None
) -> HttpSessionStore:
    """Open a store on a peer that gives one answer to everything."""

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(status, content=body)

    return HttpSessionStore("http://peer", transport=httpx.MockTransport(answer))
