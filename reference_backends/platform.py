"""The platform: a REST service over any store."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from fastapi import FastAPI
from starlette.responses import Response

from reference_backends import histories, rest
from reference_backends.json_text import encode
from reference_backends.platform_description import INSTANT, described
from reference_backends.platform_door import Door, answer, json_answer
from reference_backends.platform_errors import Refusal, missing, translate_errors
from reference_backends.platform_paths import served_at
from reference_backends.rules import check_cost_data, check_id
from reference_backends.texts import loading_text, saving_text
from sessionstore_contract.interface import (
    InvalidSessionIdError,
    Json,
    SessionStore,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from collections.abc import Set as AbstractSet

    from starlette.requests import Request
    from starlette.routing import Route


_NOT_ENCODED: Final = re.compile("%(?![0-9A-Fa-f]{2})")

_SAVING: Final = b'{"messages":'
"""How the body of a save begins, worded as ours are."""

READY_WITHIN: Final = 5.0
"""Seconds in which a storage that is ready has answered."""


def create_app(
    store: SessionStore | None = None,
    *,
    token: str | None = None,
    reader_token: str | None = None,
    max_body_bytes: int = 8 * 2**20,
    close_store: bool = False,
) -> FastAPI:
    """Answer an ASGI application that serves the store under `/v1/sessions`.

    Without a store it serves an empty one in memory, its own. A store that has `save_text` and
    `load_text` beside `save` and `load` (`texts`) is handed JSON text as it came.

    With `token`, every route but `/healthz`, `/readyz` and `/openapi.json` asks for it as a bearer
    token; `reader_token` has the right to read alone. Bodies of more than `max_body_bytes` are
    answered 413. The store stays open when the application ends, unless `close_store` says that it
    was handed over.
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

    description = described(max_body_bytes, asks_for_token=token is not None)
    app = FastAPI(
        routes=[*_Sessions(store, max_body_bytes).routes(), *_service(store, description)],
        title="Session store",
        version="1",
        lifespan=lifespan,
        # A redirect to another spelling of a path would be a second name for a session.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.add_middleware(Door, token=token, reader_token=reader_token)
    translate_errors(app)
    return app


def create_app_on_a_file(path: str) -> FastAPI:
    """Answer an application over the SQLite file at `path`, which it closes when it ends."""
    # Imported when it is wanted, as above.
    from reference_backends.sqlite import SqliteSessionStore  # noqa: PLC0415

    return create_app(SqliteSessionStore(path), close_store=True)


def _service(store: SessionStore, description: dict[str, Json]) -> list[Route]:
    async def is_alive(_: Request) -> Response:
        return answer(200, {"status": "ok"})

    async def is_ready(_: Request) -> Response:
        # Any operation will do: what counts is whether the storage answers, and in time.
        try:
            async with asyncio.timeout(READY_WITHIN):
                await store.exists("readiness")
        except TimeoutError:
            raise StoreUnavailableError("no answer in time", is_retry_safe=True) from None
        return answer(200, {"status": "ok"})

    async def describe(_: Request) -> Response:
        return answer(200, description)

    return [
        served_at("/healthz", GET=is_alive),
        served_at("/readyz", GET=is_ready),
        served_at("/openapi.json", GET=describe),
    ]


def _memory_store() -> SessionStore:
    # Imported when it is wanted: the platform serves any store.
    from reference_backends.memory import MemorySessionStore  # noqa: PLC0415

    return MemorySessionStore()


class _Sessions:
    """The routes under `/v1/sessions`, each a function of the request that answers a response."""

    def __init__(self, store: SessionStore, max_body_bytes: int) -> None:
        self._store = store
        self._loading_text = loading_text(store)
        self._saving_text = saving_text(store)
        self._max_body_bytes = max_body_bytes

    def routes(self) -> list[Route]:
        return [
            served_at("/v1/sessions", POST=self.create, DELETE=self.delete_before),
            served_at(
                "/v1/sessions/{session_id}",
                GET=self.load,
                HEAD=self.exists,
                PUT=self.save,
                PATCH=self.update,
                DELETE=self.delete,
            ),
            served_at("/v1/sessions/{session_id}/cost_data", GET=self.get_cost_data),
        ]

    async def create(self, request: Request) -> Response:
        body = await _members(await self._body(request), optional={"session_id"})
        session_id = check_id(body["session_id"]) if "session_id" in body else None
        return answer(201, {"session_id": await self._store.create(session_id)})

    async def delete_before(self, request: Request) -> Response:
        given = request.query_params.getlist("inactive_since")
        if len(given) != 1:  # which of two is meant nobody can say
            raise Refusal(422, rest.INVALID_QUERY, "inactive_since is needed, and once")
        return answer(200, {"deleted": await self._store.delete_before(_instant(given[0]))})

    async def load(self, request: Request) -> Response:
        session_id = _session_id(request)
        text = await self._messages(session_id)
        if text is None:
            return missing()
        before = f'{{"session_id":{encode(session_id)},"messages":'.encode()
        return json_answer(200, b"".join((before, text, b"}")))

    async def exists(self, request: Request) -> Response:
        found = await self._store.exists(_session_id(request))
        return Response(status_code=200 if found else 404)

    async def save(self, request: Request) -> Response:
        session_id = _session_id(request)
        body = await self._body(request)
        text = None if self._saving_text is None else await _messages_in(body)
        if self._saving_text is not None and text is not None:
            await self._saving_text.save_text(session_id, text)
        else:
            members = await _members(body, required={"messages"})
            await self._store.save(session_id, await histories.checked(members["messages"]))
        return answer(200, {"session_id": session_id})

    async def update(self, request: Request) -> Response:
        session_id = _session_id(request)
        body = await _members(await self._body(request), optional={"cost_data"})
        fields = {"cost_data": check_cost_data(body["cost_data"])} if body else {}
        found = await self._store.update(session_id, **fields)
        # Without the history: the cost of counting tokens must not grow with the chat.
        return answer(200, {"session_id": session_id}) if found else missing()

    async def delete(self, request: Request) -> Response:
        session_id = _session_id(request)
        found = await self._store.delete(session_id)
        return answer(200, {"session_id": session_id}) if found else missing()

    async def get_cost_data(self, request: Request) -> Response:
        session_id = _session_id(request)
        cost_data = await self._store.get_cost_data(session_id)
        # {} may stand for a missing session. Asked in this order, no answer is invented: a session
        # that exists now was there with {} at the read, or was made, with {}, after it. The other
        # order would answer {} for one that had cost data and was deleted in between.
        if not cost_data and not await self._store.exists(session_id):
            return missing()
        return answer(200, {"session_id": session_id, "cost_data": cost_data})

    async def _messages(self, session_id: str) -> bytes | None:
        if self._loading_text is not None:
            return await self._loading_text.load_text(session_id)
        messages = await self._store.load(session_id)
        return None if messages is None else (await histories.joined(messages)).encode()

    async def _body(self, request: Request) -> bytes:
        # Counted as it arrives: a chunked body announces no length, and an announced one may lie.
        chunks, length, limit = [], 0, self._max_body_bytes
        async for chunk in request.stream():
            chunks.append(chunk)
            length += len(chunk)
            if length > limit:
                raise Refusal(413, rest.TOO_LARGE, f"the body has more than {limit} bytes")
        return b"".join(chunks)


async def _messages_in(body: bytes) -> bytes | None:
    """Answer the text of the messages in the body of a save; None where that has to be read."""
    if body.startswith(_SAVING) and body.endswith(b"}"):
        text = body[len(_SAVING) : -1]
        if await histories.is_as_worded(text):
            return text
    return None


async def _members(
    body: bytes,
    *,
    required: AbstractSet[str] = frozenset(),
    optional: AbstractSet[str] = frozenset(),
) -> dict[str, Json]:
    try:
        members = await rest.read_in_pieces(body)
    except ValueError as problem:
        raise Refusal(400, rest.INVALID_BODY, f"the body is no JSON: {problem}") from None
    # Misspelt members are refused: a PUT of {"mesages": [...]} must not erase the history.
    if not isinstance(members, dict):
        raise Refusal(422, rest.INVALID_BODY, "the body is no JSON object")
    if unknown := members.keys() - required - optional:
        names = ", ".join(sorted(f"{name[:40]!a}" for name in unknown)[:3])
        raise Refusal(422, rest.INVALID_BODY, f"the body has unknown members: {names}")
    if absent := required - members.keys():
        raise Refusal(422, rest.INVALID_BODY, f"the body needs {', '.join(sorted(absent))}")
    return members


def _session_id(request: Request) -> str:
    session_id: str = request.path_params["session_id"]
    if _NOT_ENCODED.search(session_id):
        raise InvalidSessionIdError("the id is not percent-encoded")
    try:
        decoded = unquote_to_bytes(session_id).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidSessionIdError("the id is not percent-encoded UTF-8") from None
    return check_id(decoded)


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
