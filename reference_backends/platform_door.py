"""What every request to the platform passes before it is routed: raw path, token, last resort."""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from reference_backends import rest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS: Final = frozenset({"/healthz", "/openapi.json"})
"""What is answered without a token; everything else, the unknown too, is not."""

_log = logging.getLogger("reference_backends.platform")


def answer(
    status: int, content: object, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Word an answer; no cache on the way may keep it and serve an old state later."""
    return JSONResponse(content, status, {"cache-control": "no-store", **(headers or {})})


def error(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Word an error in the one shape that all errors of the platform have."""
    return answer(status, {"error": {"code": code, "message": message}}, headers=headers)


class Door:
    """ASGI middleware: routes on the path as it was sent, asks for the token, catches the rest."""

    def __init__(self, app: ASGIApp, *, token: str | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _with_raw_path(scope)
        if self._token is not None and not self._may_pass(scope):
            refusal = error(
                401,
                rest.UNAUTHORIZED,
                "a valid bearer token is needed",
                headers={"www-authenticate": "Bearer"},
            )
            await refusal(scope, receive, send)
            return
        await self._guarded(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        if scope["path"] in OPEN_PATHS:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1 or self._token is None:
            return False
        scheme, _, token = given[0].partition(b" ")
        # In constant time: how long it takes must not tell how much of a guess was right.
        return hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_started = False

        async def watched(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            return  # it left before its body was there: nothing was done, nobody to tell
        except Exception:
            # The details are for the log: an answer must not reveal what is inside.
            _log.exception("%s %s failed", scope["method"], scope["path"])
            if is_started:
                raise
            await error(500, rest.INTERNAL, "internal error")(scope, receive, send)


def _with_raw_path(scope: Scope) -> Scope:
    # Servers decode `path`, which makes the id `a%2Fb` two segments. Routed on the path as it was
    # sent, an id is one segment whatever it holds, and is decoded once, after routing.
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    return {**scope, "path": raw.decode("latin-1")}
