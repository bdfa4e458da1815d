"""Asks a platform over ASGI what a careful client never would, and the ids to ask with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI


STORABLE_IDS = [
    "victim?x=1",
    "a/b",
    "/",
    "%2e%2e",
    "%",
    "a%2Fb",
    "a#b",
    "A",
    "ends with a space ",
    "'; DROP TABLE sessions;--",
    '"quoted"',
    "\N{PILE OF POO}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{LINE SEPARATOR}",
    "cost_data",
    "+",
    "x" * 255,
]


REFUSED_IDS = [
    "%2e%2e",
    "..",
    ".",
    "%2E",
    "a%0Ab",
    "a%00b",
    "%7F",
    "%FF",
    "%ED%A0%80",
    "a%zz",
    "a%",
    "x" * 256,
]


ROUTES = [
    ("GET", "", None),
    ("HEAD", "", None),
    ("PUT", "", b'{"messages": []}'),
    ("PATCH", "", b'{"cost_data": {}}'),
    ("DELETE", "", None),
    ("GET", "/cost_data", None),
]


class Asker:
    """Sends requests to an app whose paths no client library has tidied."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(
        self,
        method: str,
        raw_path: str,
        *body: bytes,
        token: str | None = None,
    ) -> tuple[int, Any]:
        path, _, query = raw_path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": "/decoded by the server",
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [] if token is None else [(b"authorization", token.encode())],
            "server": ("platform", 80),
            "client": ("127.0.0.1", 1),
        }
        parts = list(body) or [b""]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            chunk = parts.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        text = b"".join(part.get("body", b"") for part in sent[1:])
        return sent[0]["status"], json.loads(text) if text else None


def code(answer: Any) -> str:
    """Read the code of an error after its shape was checked."""
    assert answer.keys() == {"error"}
    assert answer["error"].keys() == {"code", "message"}
    assert isinstance(answer["error"]["message"], str)
    return str(answer["error"]["code"])
