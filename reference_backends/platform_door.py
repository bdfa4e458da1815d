"""What every request passes before it is routed: raw path, token, request id, last resort."""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from reference_backends import rest, tracing
from reference_backends.platform_reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""What is answered without a token; everything else, the unknown too, is not."""

READING: Final = frozenset({"GET", "HEAD"})
"""The methods that the right to read is enough for."""

_log = logging.getLogger("reference_backends.platform")


def answer(
    status: int, content: object, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Word an answer; no cache on the way may keep it and serve an old state later."""
    return JSONResponse(content, status, {"cache-control": "no-store", **(headers or {})})


def json_answer(status: int, text: bytes) -> Response:
    """Answer JSON that is worded already, in the same way."""
    headers = {"cache-control": "no-store"}
    return Response(text, status, headers, media_type="application/json")


def error(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Word an error in the one shape that all errors of the platform have."""
    return answer(status, {"error": {"code": code, "message": message}}, headers=headers)


class Door:
    """ASGI middleware: routes on the path as it was sent, asks for the token, catches the rest."""

    def __init__(self, app: ASGIApp, *, token: str | None, reader_token: str | None) -> None:
        self._app = app
        self._writer = None if token is None else token.encode()
        self._reader = None if reader_token is None else reader_token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _with_raw_path(scope)
        taken = tracing.taken_from(scope["headers"])
        token = tracing.carried.set(taken)
        reading = Reading(scope, receive)
        try:
            await self._let_in(scope, reading, _answering(send, taken, reading))
        finally:
            tracing.carried.reset(token)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None if served_path(scope) in OPEN_PATHS else self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._guarded(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        if self._writer is None:
            return None
        given = _bearer_of(scope)
        # In constant time, and both of them: how long it takes must not tell how much of a guess
        # was right, nor which of the two it was near to.
        is_writer = hmac.compare_digest(given, self._writer)
        is_reader = self._reader is not None and hmac.compare_digest(given, self._reader)
        if is_writer or (is_reader and scope["method"] in READING):
            return None
        if is_reader:
            return error(403, rest.FORBIDDEN, "this token has the right to read alone")
        return error(
            401,
            rest.UNAUTHORIZED,
            "a valid bearer token is needed",
            headers={"www-authenticate": "Bearer"},
        )

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
            said = scope["method"], scope["path"], tracing.request_id()
            _log.exception("%s %s failed (request %s)", *said)
            if is_started:
                raise
            await error(500, rest.INTERNAL, "internal error")(scope, receive, send)


def _bearer_of(scope: Scope) -> bytes:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return b""  # which no token is
    scheme, _, token = given[0].partition(b" ")
    return bytes(token.strip()) if scheme.lower() == b"bearer" else b""


def _answering(send: Send, taken: Mapping[str, str], reading: Reading) -> Send:
    """Let the answer say which request it is to, and wait until the client can hear it."""
    headers = [(name.encode(), value.encode()) for name, value in taken.items()]

    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            await reading.read_on()
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return answering


def served_path(scope: Scope) -> str:
    """Answer the path below the one that the application is served under, as it is routed."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _with_raw_path(scope: Scope) -> Scope:
    # Servers decode `path`, which makes the id `a%2Fb` two segments. Routed on the path as it was
    # sent, an id is one segment whatever it holds, and is decoded once, after routing.
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    return {**scope, "path": raw.decode("latin-1")}
