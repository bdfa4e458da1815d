"""A token for each call: it goes with that call's requests, to the platform, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reference_backends import http_engine
from reference_backends.http import HttpSessionStore
from reference_backends.platform import create_app
from sessionstore_contract.interface import StoreUnavailableError
from tests.reference_backends.dict_store import DictStore
from tests.reference_backends.http_operations import by_httpx, every_operation
from tests.reference_backends.peers import peer, response
from tests.reference_backends.serving import on_a_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

token_of_call = ContextVar[str | None]("token_of_call", default=None)

CALLERS = 40

CONNECTIONS = 5


async def as_caller(token: str, operation: Callable[[], Awaitable[Any]]) -> Any:
    """Make the call in a context of its own, in which the token is this one."""

    async def call() -> Any:
        token_of_call.set(token)
        await asyncio.sleep(0)
        return await operation()

    return await asyncio.create_task(call())


def by_aiohttp() -> dict[str, Any]:
    return {}


def by_a_lent_client() -> dict[str, Any]:
    """Make one that has credentials of its own, and keeps what it is given."""
    limits = httpx.Limits(max_connections=CONNECTIONS)
    own = {"authorization": "Bearer of-the-client"}
    return {"client": httpx.AsyncClient(limits=limits, headers=own, auth=("of", "the-client"))}


def by_a_transport() -> dict[str, Any]:
    limits = httpx.Limits(max_connections=CONNECTIONS)
    return {"transport": httpx.AsyncHTTPTransport(verify=False, limits=limits)}


@pytest.mark.parametrize("sender", [by_aiohttp, by_a_lent_client, by_a_transport])
async def test_tokens_never_cross_between_calls_at_once(
    sender: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over one client and few connections, on a real socket: each request has its caller's.

    The platform would know a caller by a cookie, too.
    """
    seen: dict[str, set[str]] = {}
    monkeypatch.setattr(http_engine, "CONNECTIONS", CONNECTIONS)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        session = scope["path"].rpartition("sessions/")[2].partition("/")[0]
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"none").decode()
        seen.setdefault(session, set()).add(given + headers.get(b"cookie", b"").decode())
        body = {"session_id": session, "messages": [], "cost_data": {}}
        await asyncio.sleep(0)
        cookie = f"login={session}".encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", cookie)]}
        )
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    with on_a_port(lambda: app) as url:
        sending = sender()
        store = HttpSessionStore(url, token=token_of_call.get, **sending)
        operations: list[Callable[[str], Awaitable[Any]]] = [
            store.load,
            store.get_cost_data,
            lambda session: store.update(session, cost_data={"n": 1}),
            lambda session: store.save(session, []),
        ]
        await asyncio.gather(
            *(
                as_caller(f"token-{caller}", lambda one=one, caller=caller: one(f"s{caller}"))  # type: ignore[misc]
                for caller in range(CALLERS)
                for one in operations
            )
        )
        await store.load("nobody")
        await store.close()
        for client in sending.values():
            await client.aclose()
    assert seen == {
        **{f"s{caller}": {f"Bearer token-{caller}"} for caller in range(CALLERS)},
        "nobody": {"none"},
    }


async def test_who_may_not_is_told_so_and_others_may() -> None:
    """A wrong token of one call spoils no other call at the same time."""
    app = create_app(DictStore(), token="right")
    store = HttpSessionStore(
        "http://platform", token=token_of_call.get, transport=httpx.ASGITransport(app)
    )

    async def wrong() -> str:
        with pytest.raises(StoreUnavailableError, match=r"401 \(unauthorized\)"):
            await store.load("s")
        return "refused"

    answers = await asyncio.gather(
        *(as_caller("right", lambda: store.load("s")) for _ in range(10)),
        *(as_caller("wrong", wrong) for _ in range(10)),
    )
    await store.close()
    assert answers == [None] * 10 + ["refused"] * 10


@pytest.mark.parametrize("given", ["two words", "line\r\nx-more: 1", ""])
async def test_a_token_that_is_none_is_refused_unseen(given: str) -> None:
    """Before anything is sent."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    store = HttpSessionStore(
        "http://peer", token=lambda: given, transport=httpx.MockTransport(answer)
    )
    with pytest.raises(ValueError, match="a bearer token has") as caught:
        await store.load("s")
    await store.close()
    assert not seen
    assert not given or given not in str(caught.value)


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
@pytest.mark.parametrize("is_lent", [False, True])
@every_operation
async def test_no_token_follows_a_redirect(
    operation: Callable[[HttpSessionStore], Awaitable[Any]], *, is_lent: bool, status: str
) -> None:
    """To another origin or to the same: it is an answer that is no answer, and nobody is asked."""
    async with peer(lambda _: response(b"{}")) as other:

        def redirect(_: bytes) -> bytes:
            headers = f"location: {other.url}/v1/sessions/s\r\n"
            return response(b"", status=f"{status} Elsewhere", headers=headers)

        async with peer(redirect) as first, httpx.AsyncClient(follow_redirects=True) as client:
            store = HttpSessionStore(
                first.url, token=lambda: "of-this-call", client=client if is_lent else None
            )
            with pytest.raises(StoreUnavailableError, match=status):
                await operation(store)
            await store.close()
            assert b"Bearer of-this-call" in first.requests[0]
        assert other.requests == []


async def test_a_token_of_a_call_stays_secret(caplog: pytest.LogCaptureFixture) -> None:
    """What the peer echoes of it shows in no log, and nothing of it is kept afterwards."""
    caplog.set_level(logging.DEBUG)
    echo = response(b"", status="500 No", headers="x-echo: Bearer of-this-call\r\n")
    async with peer(lambda _: echo) as found:
        transport = by_httpx()  # aiohttp logs nothing of it
        store = HttpSessionStore(found.url, token=lambda: "of-this-call", transport=transport)
        with pytest.raises(StoreUnavailableError):
            await store.load("s")
        assert store._connection._redaction is not None
        assert not store._connection._redaction._uses
        await store.close()
    assert "x-echo" in caplog.text
    assert "of-this-call" not in caplog.text


async def test_an_older_platform_is_no_missing_session() -> None:
    """Without the route for cost data: it can't be read of a session, and of none it is {}."""
    app = create_app(DictStore())

    async def older(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/cost_data"):
            scope = {**scope, "path": "/nowhere", "raw_path": b"/nowhere"}
        await app(scope, receive, send)

    store = HttpSessionStore("http://platform", transport=httpx.ASGITransport(older))
    assert await store.get_cost_data("s") == {}
    assert await store.exists("s") is False
    await store.save("s", [])
    with pytest.raises(NotImplementedError):
        await store.get_cost_data("s")
    assert await store.exists("s") is True
    assert await store.update("s", cost_data={"n": 1}) is True
    await store.close()


async def test_a_lent_client_is_used_as_it_is_where_no_token_is_handed_over() -> None:
    """Its credentials are then those of the store."""
    async with peer(lambda _: response(b'{"session_id": "s", "messages": []}')) as found:
        async with httpx.AsyncClient(auth=("of", "the-client"), cookies={"a": "b"}) as client:
            store = HttpSessionStore(found.url, client=client)
            assert await store.load("s") == []
            await store.close()
        (head,) = found.requests
    assert b"Authorization: Basic " in head
    assert b"Cookie: a=b" in head
