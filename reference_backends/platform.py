"""The platform: a REST service over any store."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response

from reference_backends import rest
from reference_backends.platform_description import INSTANT, described
from reference_backends.platform_door import Door, answer
from reference_backends.platform_errors import Refusal, missing, translate_errors
from reference_backends.rules import check_cost_data, check_id, check_messages
from sessionstore_contract.interface import (
    InvalidSessionIdError,
    Json,
    SessionStore,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


READY_WITHIN: Final = 5.0
"""Seconds in which a storage that is ready has answered."""

MOST_READ_ON: Final = 64 * 2**20
"""Bytes that are read and thrown away after a body was found too large."""

PAUSE: Final = 0.25
"""Seconds without a byte after which no more of such a body is waited for."""


def create_app(
    store: SessionStore | None = None,
    *,
    token: str | None = None,
    reader_token: str | None = None,
    max_body_bytes: int = 8 * 2**20,
    close_store: bool = False,
) -> FastAPI:
    """Answer an ASGI application that serves the store under `/v1/sessions`.

    Without a store it serves an empty one in memory, its own. With `token`, every route but
    `/healthz`, `/readyz` and `/openapi.json` asks for it as a bearer token; `reader_token` has the
    right to read alone. Bodies of more than `max_body_bytes` are answered 413. The store stays open
    when the application ends, unless `close_store` says that it was handed over.
    """
    if "" in {token, reader_token}:
        raise ValueError("the token is empty: everybody would know it")
    if reader_token is not None and (token is None or token == reader_token):
        raise ValueError("a reader token is another one beside the token that may write")
    if store is None:
        store, close_store = _memory_store(), True

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if close_store:
                await store.close()

    app = FastAPI(
        title="Session store",
        version="1",
        lifespan=lifespan,
        # A redirect to another spelling of a path would be a second name for a session.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.max_body_bytes = max_body_bytes
    app.add_middleware(Door, token=token, reader_token=reader_token)
    translate_errors(app)
    app.include_router(_sessions(store))
    app.include_router(_one_session(store))

    app.include_router(_service(store, described(max_body_bytes, asks_for_token=token is not None)))
    return app


def _service(store: SessionStore, description: dict[str, Json]) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def is_alive() -> Response:
        return answer(200, {"status": "ok"})

    @router.get("/readyz")
    async def is_ready() -> Response:
        # Any operation will do: what counts is whether the storage answers, and in time.
        try:
            async with asyncio.timeout(READY_WITHIN):
                await store.exists("readiness")
        except TimeoutError:
            raise StoreUnavailableError("no answer in time", is_retry_safe=True) from None
        return answer(200, {"status": "ok"})

    @router.get("/openapi.json")
    async def describe() -> Response:
        return answer(200, description)

    return router


def _memory_store() -> SessionStore:
    # Imported when it is wanted: the platform serves any store.
    from reference_backends.memory import MemorySessionStore  # noqa: PLC0415

    return MemorySessionStore()


async def _session_id(
    session_id: Annotated[str, Path(description="percent-encoded, one segment")],
) -> str:
    if re.search("%(?![0-9A-Fa-f]{2})", session_id):
        raise InvalidSessionIdError("the id is not percent-encoded")
    try:
        decoded = unquote_to_bytes(session_id).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidSessionIdError("the id is not percent-encoded UTF-8") from None
    return check_id(decoded)


SessionId = Annotated[str, Depends(_session_id)]


def _members(*, required: frozenset[str], optional: frozenset[str]) -> Callable[..., Any]:
    # Misspelt members are refused: a PUT of {"mesages": [...]} must not erase the history.
    async def read(request: Request) -> dict[str, Json]:
        body = await _body(request)
        if not isinstance(body, dict):
            raise Refusal(422, rest.INVALID_BODY, "the body is no JSON object")
        if unknown := body.keys() - required - optional:
            names = ", ".join(sorted(f"{name[:40]!a}" for name in unknown)[:3])
            raise Refusal(422, rest.INVALID_BODY, f"the body has unknown members: {names}")
        if absent := required - body.keys():
            raise Refusal(422, rest.INVALID_BODY, f"the body needs {', '.join(sorted(absent))}")
        return body

    return read


async def _body(request: Request) -> Json:
    # Counted as it arrives: a chunked body announces no length, and an announced one may lie.
    limit = request.app.state.max_body_bytes
    body = bytearray()
    stream = request.stream()
    async for chunk in stream:
        body += chunk
        if len(body) > limit:
            body.clear()
            await _read_on(stream)
            raise Refusal(413, rest.TOO_LARGE, f"the body has more than {limit} bytes")
    try:
        return rest.read_json(bytes(body))
    except ValueError as problem:
        raise Refusal(400, rest.INVALID_BODY, f"the body is no JSON: {problem}") from None


async def _read_on(stream: AsyncIterator[bytes]) -> None:
    # A connection that is closed with bytes unread is reset, and the client, which is still
    # sending, may never see why. One that has paused is waiting for the answer.
    left = MOST_READ_ON
    with suppress(TimeoutError, StopAsyncIteration):
        while left > 0:
            async with asyncio.timeout(PAUSE):
                left -= len(await anext(stream))


_NewSession = Annotated[
    dict[str, Json], Depends(_members(required=frozenset(), optional=frozenset({"session_id"})))
]
_History = Annotated[
    dict[str, Json], Depends(_members(required=frozenset({"messages"}), optional=frozenset()))
]
_Fields = Annotated[
    dict[str, Json], Depends(_members(required=frozenset(), optional=frozenset({"cost_data"})))
]


def _sessions(store: SessionStore) -> APIRouter:
    router = APIRouter(prefix="/v1/sessions")

    @router.post("", status_code=201)
    async def create(body: _NewSession) -> Response:
        session_id = check_id(body["session_id"]) if "session_id" in body else None
        return answer(201, {"session_id": await store.create(session_id)})

    @router.delete("")
    async def delete_before(inactive_since: Annotated[str, Query()]) -> Response:
        return answer(200, {"deleted": await store.delete_before(_instant(inactive_since))})

    return router


def _one_session(store: SessionStore) -> APIRouter:
    router = APIRouter(prefix="/v1/sessions/{session_id}")

    @router.get("")
    async def load(session_id: SessionId) -> Response:
        messages = await store.load(session_id)
        if messages is None:
            return missing()
        return answer(200, {"session_id": session_id, "messages": messages})

    @router.head("")
    async def exists(session_id: SessionId) -> Response:
        return Response(status_code=200 if await store.exists(session_id) else 404)

    @router.put("")
    async def save(session_id: SessionId, body: _History) -> Response:
        await store.save(session_id, check_messages(body["messages"]))
        return answer(200, {"session_id": session_id})

    @router.patch("")
    async def update(session_id: SessionId, body: _Fields) -> Response:
        fields = {"cost_data": check_cost_data(body["cost_data"])} if body else {}
        found = await store.update(session_id, **fields)
        # Without the history: the cost of counting tokens must not grow with the chat.
        return answer(200, {"session_id": session_id}) if found else missing()

    @router.delete("")
    async def delete(session_id: SessionId) -> Response:
        return (
            answer(200, {"session_id": session_id}) if await store.delete(session_id) else missing()
        )

    @router.get("/cost_data")
    async def get_cost_data(session_id: SessionId) -> Response:
        cost_data = await store.get_cost_data(session_id)
        # {} may stand for a missing session. Asked in this order, no answer is invented: a session
        # that exists now was there with {} at the read, or was made, with {}, after it. The other
        # order would answer {} for one that had cost data and was deleted in between.
        if not cost_data and not await store.exists(session_id):
            return missing()
        return answer(200, {"session_id": session_id, "cost_data": cost_data})

    return router


def _instant(text: str) -> datetime:
    # With the offset: whose local time it was meant in nobody knows, and sessions would be lost.
    if not re.fullmatch(INSTANT, text):
        raise Refusal(
            422, rest.INVALID_QUERY, "inactive_since is no time of RFC 3339 with UTC offset"
        )
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(422, rest.INVALID_QUERY, "inactive_since is no time that is") from None
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise Refusal(422, rest.INVALID_QUERY, "inactive_since is out of range") from None
