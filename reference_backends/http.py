"""A store on a platform: each operation is a request to a REST service, its answer checked."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from reference_backends import histories, rest
from reference_backends.http_answer import MAX_ANSWER_BYTES
from reference_backends.http_connection import Connection, Reply, Token
from reference_backends.json_text import encode
from reference_backends.rules import check_cost_data, check_cutoff, check_id, fresh_id
from sessionstore_contract.interface import (
    InvalidSessionIdError,
    Json,
    Message,
    SessionExistsError,
    SessionStore,
    StoreUnavailableError,
    UnstorableValueError,
)

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

T = TypeVar("T")

_SESSIONS: Final = "/v1/sessions"
_NO_ROUTE: Final = frozenset({404, 405, 501})


class HttpSessionStore(SessionStore):
    """Sessions on the platform at `url`, an `http://` or `https://` address.

    Constructing does no I/O. An operation takes `timeout` seconds at most, and keeps no more of an
    answer than `max_answer_bytes`, unpacked. It raises StoreUnavailableError when the answer did
    not come, is longer, or is not what the operation answers; the message has the request and the
    status, and never the token or the peer's words. Redirects are not followed. `token` may be a
    function, such as the `get` of a ContextVar: it is called in the context of each operation,
    whose requests carry what it answers and no other, nor a cookie. A `client` that is handed over
    stays open, and its own credentials give way to a token; `transport` is for the one that the
    store makes itself. The store belongs to the event loop of its first use.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 10.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._connection = Connection(
            url,
            token=token,
            client=client,
            transport=transport,
            timeout=timeout,
            max_answer_bytes=max_answer_bytes,
        )

    def __repr__(self) -> str:
        return f"HttpSessionStore({self._connection.url!r})"

    async def create(self, session_id: str | None = None) -> str:
        # The id is made here, not by the platform: so the answer can be held against it. Only this
        # request is not safe to repeat, since the caller's next try makes another id.
        wanted = fresh_id() if session_id is None else check_id(session_id)
        is_repeatable = session_id is not None
        reply = await self._connection.ask(
            "POST", _SESSIONS, encode({"session_id": wanted}).encode(), is_repeatable=is_repeatable
        )
        if reply.status == HTTPStatus.CONFLICT:
            raise SessionExistsError(f"a session {wanted!a} exists")
        await _of_session(reply, wanted, status=201, is_repeatable=is_repeatable)
        return wanted

    async def load(self, session_id: str) -> list[Message] | None:
        return await self._messages(session_id, self._connection.deadline())

    async def save(self, session_id: str, messages: list[Message]) -> None:
        path = _path(session_id)
        body = b"".join((b'{"messages":', *await histories.parts_in_utf8(messages), b"}"))
        reply = await self._connection.ask("PUT", path, body)
        await _of_session(reply, session_id)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if cost_data is None:
            return await self.exists(session_id)
        path = _path(session_id)
        body = encode({"cost_data": check_cost_data(cost_data)}).encode()
        reply = await self._connection.ask("PATCH", path, body)
        if _is_missing(reply):
            return False
        await _of_session(reply, session_id)
        return True

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        deadline = self._connection.deadline()
        try:
            return await self._cost_data(session_id, deadline) or {}
        except NotImplementedError:
            # A gateway's 404 looks like that of an older platform. Only one that serves the session
            # itself is known to be a platform without the route: who hears that cost data can't be
            # read may overwrite it.
            if await self._messages(session_id, deadline) is None:
                return {}
            raise

    async def delete(self, session_id: str) -> bool:
        reply = await self._connection.ask("DELETE", _path(session_id))
        if _is_missing(reply):
            return False
        await _of_session(reply, session_id)
        return True

    async def exists(self, session_id: str) -> bool:
        # Not by HEAD: it has no body, and an answer that can't be checked is none. Cost data is
        # small, and every platform that has no route for it answers with the history.
        deadline = self._connection.deadline()
        try:
            return await self._cost_data(session_id, deadline) is not None
        except NotImplementedError:
            return await self._messages(session_id, deadline) is not None

    async def delete_before(self, cutoff: datetime) -> int:
        since = quote(check_cutoff(cutoff).isoformat(), safe="")
        reply = await self._connection.ask("DELETE", f"{_SESSIONS}?inactive_since={since}")
        if reply.status in _NO_ROUTE:
            raise NotImplementedError(f"{reply.asked}: the platform has no housekeeping")
        return _member(reply, await _body(reply), "deleted", int)

    async def close(self) -> None:
        await self._connection.close()

    async def _messages(self, session_id: str, deadline: float) -> list[Message] | None:
        reply = await self._connection.ask("GET", _path(session_id), by=deadline)
        if _is_missing(reply):
            return None
        body = await _of_session(reply, session_id)
        messages: list[Message] = _member(reply, body, "messages", list)
        return messages

    async def _cost_data(self, session_id: str, deadline: float) -> dict[str, Json] | None:
        path = f"{_path(session_id)}/cost_data"
        reply = await self._connection.ask("GET", path, by=deadline)
        if _is_missing(reply):
            return None
        if reply.status in _NO_ROUTE:
            raise NotImplementedError(f"{reply.asked}: the platform has no cost data to read")
        body = await _of_session(reply, session_id)
        cost_data: dict[str, Json] = _member(reply, body, "cost_data", dict)
        return cost_data


def _path(session_id: str) -> str:
    return f"{_SESSIONS}/{quote(check_id(session_id), safe='')}"


def _is_missing(reply: Reply) -> bool:
    # By the platform's own word for it: the 404 of a gateway or of a missing route is no answer.
    return reply.status == HTTPStatus.NOT_FOUND and reply.code == rest.SESSION_MISSING


async def _of_session(
    reply: Reply, session_id: str, *, status: int = 200, is_repeatable: bool = True
) -> dict[str, Json]:
    body = await _body(reply, status=status, is_repeatable=is_repeatable)
    if body.get("session_id") != session_id:
        raise _distrust(reply, "what is not about this session", is_repeatable=is_repeatable)
    return body


async def _body(reply: Reply, *, status: int = 200, is_repeatable: bool = True) -> dict[str, Json]:
    if reply.status != status:
        raise _refusal(reply, is_repeatable=is_repeatable)
    try:
        body = await rest.read_in_pieces(reply.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _distrust(reply, "no JSON object", is_repeatable=is_repeatable)
    return body


def _member(reply: Reply, body: dict[str, Json], name: str, kind: type[T]) -> T:
    found = body.get(name)
    if type(found) is not kind:  # True is no number of sessions
        raise _distrust(reply, f"no {kind.__name__} as {name}", is_repeatable=True)
    return found


def _distrust(reply: Reply, what: str, *, is_repeatable: bool) -> Exception:
    return StoreUnavailableError(
        f"{reply.asked} answered {reply.status} with {what}", is_retry_safe=is_repeatable
    )


def _refusal(reply: Reply, *, is_repeatable: bool) -> Exception:
    # Of the peer's words the code is told and no other: they may repeat what it was sent.
    said = f"{reply.asked} answered {reply.status}"
    if reply.code is not None:
        said += f" ({reply.code})"
    if reply.code == rest.NOT_SUPPORTED:
        return NotImplementedError(said)
    if reply.code == rest.INVALID_ID:
        return InvalidSessionIdError(said)
    if reply.code == rest.UNSTORABLE_VALUE or reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return UnstorableValueError(said)
    # Up to 499 nothing was done. From 500 on it may have been.
    was_refused = 300 <= reply.status < 500
    return StoreUnavailableError(said, is_retry_safe=was_refused or is_repeatable)
