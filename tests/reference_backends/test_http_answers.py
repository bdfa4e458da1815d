"""The HTTP store against peers that answer wrongly, in part, late or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reference_backends.http import HttpSessionStore
from reference_backends.platform import create_app
from sessionstore_contract.interface import (
    Json,
    StoreUnavailableError,
)
from tests.reference_backends.dict_store import DictStore
from tests.reference_backends.http_operations import (
    MISSING,
    TOKEN,
    Engine,
    answering,
    every_engine,
    every_operation,
)
from tests.reference_backends.peers import peer, response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@every_operation
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"true",
        b'{"session_id": "other", "messages": [], "cost_data": {}, "deleted": true}',
        b'{"session_id": "s", "messages": {}, "cost_data": [], "deleted": -0.0',
        b'{"session_id": "s", "messages": [NaN], "cost_data": {"a": NaN}, "deleted": NaN}',
        b"[" * 100_000,
        b"\xff\xfe{",
    ],
    ids=lambda body: repr(body[:30]),
)
async def test_a_success_that_is_none_raises(
    operation: Callable[[HttpSessionStore], Awaitable[Any]], body: bytes
) -> None:
    """A 200 with a body of no JSON, the wrong shape or another session is not believed."""
    for status in (200, 201):
        with pytest.raises(StoreUnavailableError, match=str(status)):
            await operation(answering(status, body))


@every_operation
@pytest.mark.parametrize("status", [204, 302, 307, 400, 401, 403, 418, 429, 500, 502, 503, 504])
async def test_other_statuses_raise_with_the_status(
    operation: Callable[[HttpSessionStore], Awaitable[Any]], status: int
) -> None:
    """What is neither the success nor the missing of an operation is an error that says it."""
    with pytest.raises(
        StoreUnavailableError, match=f"http://peer/v1/sessions.* {status}"
    ) as caught:
        await operation(answering(status, b"the words of the peer"))

    assert caught.value.is_retry_safe
    assert "words" not in str(caught.value)


@every_operation
@pytest.mark.parametrize(
    "body", [b'{"detail": "Not Found"}', b"", b'{"error": {"code": "not_found", "message": ""}}']
)
async def test_a_foreign_404_is_no_missing_session(
    operation: Callable[[HttpSessionStore], Awaitable[Any]], body: bytes
) -> None:
    """A gateway's 404, or that of a service of another kind, never reads as missing."""
    with pytest.raises((StoreUnavailableError, NotImplementedError)):
        await operation(answering(404, body))


async def test_a_create_whose_id_nobody_knows_is_not_safe_to_repeat() -> None:
    """Trying `create()` again makes another session, `create(id)` does not."""
    lost = answering(502)
    refused = answering(429)

    with pytest.raises(StoreUnavailableError) as unknown:
        await lost.create()
    with pytest.raises(StoreUnavailableError) as known:
        await lost.create("s")
    with pytest.raises(StoreUnavailableError) as nothing_done:
        await refused.create()
    assert not unknown.value.is_retry_safe
    assert known.value.is_retry_safe
    assert nothing_done.value.is_retry_safe


def older_platform(**sessions: list[Json]) -> HttpSessionStore:
    """Open a store on a platform without cost data to read and without housekeeping."""

    def answer(request: httpx.Request) -> httpx.Response:
        _, _, _, session, *more = [*request.url.path.split("/"), ""]
        if request.method != "GET" or more[0]:
            return httpx.Response(404, json={"detail": "Not Found"})
        if session not in sessions:
            return httpx.Response(404, content=MISSING)
        return httpx.Response(200, json={"session_id": session, "messages": sessions[session]})

    return HttpSessionStore("http://older", transport=httpx.MockTransport(answer))


async def test_a_platform_without_the_route_is_no_missing_session() -> None:
    """An older platform says NotImplementedError for what it has no route for; `exists` works."""
    store = older_platform(s=[])

    with pytest.raises(NotImplementedError, match="cost data"):
        await store.get_cost_data("s")
    with pytest.raises(NotImplementedError, match="housekeeping"):
        await store.delete_before(datetime.now(UTC))
    assert await store.get_cost_data("gone") == {}
    assert await store.exists("s") is True
    assert await store.exists("gone") is False
    assert await store.update("s") is True


async def test_what_the_store_of_the_platform_lacks_is_not_implemented() -> None:
    """A platform over a store that can't be read says so, and so does its client."""

    class WriteOnly(DictStore):
        async def get_cost_data(self, session_id: str) -> dict[str, Json]:
            raise NotImplementedError

    app = create_app(WriteOnly())
    store = HttpSessionStore("http://platform", transport=httpx.ASGITransport(app))
    await store.create("s")

    with pytest.raises(NotImplementedError):
        await store.get_cost_data("s")
    assert await store.exists("s") is True


@every_engine
@every_operation
@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"session_id": "s"',
        b'HTTP/1.1 404 Not Found\r\ncontent-length: 99\r\n\r\n{"error": {"code"',
        b"rubbish\r\n\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half an error", "rubbish"],
)
async def test_a_cut_answer_raises(
    operation: Callable[[HttpSessionStore], Awaitable[Any]], cut: bytes, engine: Engine
) -> None:
    """An answer that ends too soon is no answer."""
    async with peer(lambda _: cut) as found:
        store = HttpSessionStore(found.url, transport=engine())
        with pytest.raises(StoreUnavailableError, match=found.url):
            await operation(store)
        await store.close()


@every_engine
@every_operation
async def test_silence_is_bounded(
    operation: Callable[[HttpSessionStore], Awaitable[Any]],
    engine: Engine,
) -> None:
    """A peer that says nothing costs the time-out, and no connection stays."""
    async with peer(lambda _: None) as found:
        store = HttpSessionStore(found.url, timeout=0.05, transport=engine())
        with pytest.raises(StoreUnavailableError, match=r"no answer within 0\.05 s"):
            await operation(store)
        await found.is_left_alone()
        await store.close()


@every_engine
async def test_a_peer_that_drips_is_bounded(engine: Engine) -> None:
    """The time-out is for the whole operation, not for each byte."""
    is_left = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            writer.close()
            is_left.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server, asyncio.timeout(3):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        store = HttpSessionStore(url, timeout=0.1, transport=engine())
        with pytest.raises(StoreUnavailableError, match="no answer within"):
            await store.load("s")
        await is_left.wait()
        await store.close()


@every_engine
async def test_nobody_listening_is_safe_to_repeat(engine: Engine) -> None:
    """A connection that was refused did nothing, and the same object works later."""
    async with peer(lambda _: response(b"")) as found:
        url = found.url
    store = HttpSessionStore(url, transport=engine())

    with pytest.raises(StoreUnavailableError, match="ConnectError") as caught:
        await store.create()
    assert caught.value.is_retry_safe
    await store.close()


@every_engine
async def test_redirects_are_not_followed(engine: Engine) -> None:
    """Wherever a redirect leads, the token does not go there."""
    async with peer(lambda _: response(MISSING)) as elsewhere:
        moved = response(b"", status="307 Moved", headers=f"location: {elsewhere.url}/\r\n")
        async with peer(lambda _: moved) as found:
            store = HttpSessionStore(found.url, token=TOKEN, transport=engine())
            with pytest.raises(StoreUnavailableError, match="307"):
                await store.load("s")
            await store.close()
        assert not elsewhere.requests
