"""What the HTTP store does with its client, its token and its time."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reference_backends import http_engine
from reference_backends.http import HttpSessionStore
from reference_backends.http_answer import STEP
from reference_backends.platform import create_app
from sessionstore_contract.interface import (
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
)
from tests.reference_backends.dict_store import DictStore
from tests.reference_backends.http_operations import (
    OPERATIONS,
    TOKEN,
    Engine,
    every_engine,
    every_operation,
)
from tests.reference_backends.peers import peer, response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@pytest.fixture
def backing() -> DictStore:
    return DictStore()


def chain(error: BaseException | None) -> list[BaseException]:
    """List an exception with all that it hangs on."""
    if error is None:
        return []
    return [error, *chain(error.__cause__), *chain(error.__context__)]


@every_engine
@every_operation
@pytest.mark.parametrize("place", ["head", "reason", "body", "code", "malformed"])
async def test_the_token_stays_secret(
    operation: Callable[[HttpSessionStore], Awaitable[Any]],
    place: str,
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A peer that echoes what it was sent brings the token into no exception and no log."""
    code = json.dumps({"error": {"code": TOKEN, "message": TOKEN}}).encode()
    echo = {
        "head": response(b"", status="500 No", headers=f"x-echo: Bearer {TOKEN}\r\n"),
        "reason": response(b"", status=f"500 {TOKEN}"),
        "body": response(TOKEN.encode()),
        "code": response(code, status="404 Not Found"),
        "malformed": f"Bearer {TOKEN}\r\n\r\n".encode(),
    }[place]
    caplog.set_level(logging.DEBUG)
    before = [*logging.getLogger("httpx").filters]  # of stores that other tests have left open

    async with peer(lambda _: echo) as found:
        store = HttpSessionStore(found.url, token=TOKEN, transport=engine())
        with pytest.raises((SessionStoreError, NotImplementedError)) as caught:
            await operation(store)
        await store.close()
        assert f"Bearer {TOKEN}".encode() in found.requests[0]

    for link in chain(caught.value):
        assert TOKEN not in f"{link!r} {link} {link.args}"
    assert TOKEN not in repr(store)
    assert caplog.text or engine() is None  # aiohttp logs nothing of a request
    assert TOKEN not in caplog.text
    assert [one for one in logging.getLogger("httpx").filters if one not in before] == []


@pytest.mark.parametrize("token", ["", "two words", "line\r\nx-more: 1", "\N{SNOWMAN}", 'quo"ted'])
def test_a_token_that_is_none_is_refused_unseen(token: str) -> None:
    """A token that would end its header is refused, and not shown."""
    with pytest.raises(ValueError, match="bearer token") as caught:
        HttpSessionStore("http://platform", token=token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "platform", "ftp://h", "http://", "http://u:hunter2@h", "http://h?q=1", "http://h#f"),
        # The last of these are told of by Python itself, with all that is before the host.
        *(
            "http://h?",
            "http://h/#",
            "http://h /",
            "http://h/a\r\nx: y",
            "http://[::1",
            "http://h:x",
        ),
        *("http://h:99999", "http://u:hunter2:@h", "http://u:hunter2\uff1a@h"),
    ],
)
def test_a_url_that_is_none_is_refused_unseen(url: str) -> None:
    """What is wrong with a URL may be the password in it, so it is not shown."""
    with pytest.raises(ValueError, match="URL") as caught:
        HttpSessionStore(url)
    assert "hunter2" not in str(caught.value)


@every_engine
async def test_a_cancelled_operation_leaves_no_connection(engine: Engine) -> None:
    """Cancellation passes on, and the peer sees the connection go."""
    async with peer(lambda _: None) as found:
        store = HttpSessionStore(found.url, transport=engine())
        task = asyncio.create_task(store.load("s"))
        await found.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await found.is_left_alone()
        await store.close()


EMPTY = b'{"session_id": "s", "messages": []}'
PACKED = gzip.compress(EMPTY + b" " * 4 * STEP)
"""It is unpacked in steps, between which an operation can be cancelled, too."""

every_answer = pytest.mark.parametrize(
    "answer",
    [
        b"content-length: %d\r\n\r\n%b" % (len(EMPTY), EMPTY),
        b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
    ],
    ids=["plain", "packed"],
)


@every_answer
async def test_cancelled_at_any_await_costs_no_slot_of_the_pool(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far an operation has come when it is cancelled, its place in the pool is free again.

    Where there is one place, the next operation would wait for it in vain.
    """
    monkeypatch.setattr(http_engine, "CONNECTIONS", 1)
    async with always(answer) as url:
        await cancel_everywhere(HttpSessionStore(url))


@every_answer
async def test_a_lent_client_loses_no_slot_of_its_pool(answer: bytes) -> None:
    """Neither does that of a client that was lent, whichever library it is from."""
    limits = httpx.Limits(max_connections=1)
    async with always(answer) as url, httpx.AsyncClient(limits=limits) as client:
        await cancel_everywhere(HttpSessionStore(url, client=client))


@asynccontextmanager
async def always(answer: bytes) -> AsyncIterator[str]:
    """Serve a session without messages on connections that stay; at the end wait for them."""
    serving: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\n" + answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(3):
            await asyncio.gather(*filter(None, serving))


async def cancel_everywhere(store: HttpSessionStore) -> None:
    """Cancel a load at each of its awaits in turn, and make one more after each."""
    assert await store.load("s") == []
    is_done, turns = False, 0
    while not is_done:
        task = asyncio.create_task(store.load("s"))
        for _ in range(turns):
            await asyncio.sleep(0)
        is_done = task.done()
        task.cancel()
        await asyncio.wait({task})
        turns += 1
        async with asyncio.timeout(3):
            assert await store.load("s") == []
    assert turns > 3
    await store.close()


async def test_close_is_idempotent_and_final() -> None:
    """Closing works before first use, twice and at once with itself; using it after that raises."""
    store = HttpSessionStore("http://127.0.0.1:1")

    await asyncio.gather(store.close(), store.close())
    await store.close()

    for operation in OPERATIONS.values():
        with pytest.raises(StoreClosedError):
            await operation(store)


@every_engine
async def test_close_ends_what_is_under_way(engine: Engine) -> None:
    """A store closes at once, and the operations that it cuts off say why."""
    async with peer(lambda _: None) as found, asyncio.timeout(3):
        store = HttpSessionStore(found.url, timeout=60, transport=engine())
        tasks = [asyncio.create_task(store.save("s", [])) for _ in range(5)]
        await found.asked.wait()

        await store.close()

        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, StoreClosedError)
        await found.is_left_alone()


async def test_a_lent_client_stays_open_and_as_it_was(backing: DictStore) -> None:
    """The store closes no client that it did not make, and leaves no token on it."""
    transport = httpx.ASGITransport(create_app(backing, token=TOKEN))
    async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
        store = HttpSessionStore("http://platform", token=TOKEN, client=client)
        await store.create("s")
        await store.close()

        assert not client.is_closed
        assert (await client.get("http://platform/v1/sessions/s")).status_code == 401


def test_another_event_loop_is_refused_at_once(backing: DictStore) -> None:
    """In a second loop an operation raises and never hangs; closing there works."""
    app = create_app(backing)
    store = HttpSessionStore("http://platform", transport=httpx.ASGITransport(app))
    asyncio.run(store.create("s"))

    with pytest.raises(SessionStoreError, match="another event loop"):
        asyncio.run(store.exists("s"))
    asyncio.run(store.close())


def test_constructing_needs_no_loop_and_starts_nothing() -> None:
    """Until its first use a store has no client and no thread."""
    threads = threading.active_count()

    store = HttpSessionStore("http://127.0.0.1:1", token=TOKEN)

    assert threading.active_count() == threads
    assert repr(store) == "HttpSessionStore('http://127.0.0.1:1')"


async def test_many_first_uses_make_one_client(
    backing: DictStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many operations come first at once, they share one client."""
    made: list[httpx.AsyncClient] = []
    original = httpx.AsyncClient

    def counted(*args: Any, **kwargs: Any) -> httpx.AsyncClient:
        made.append(original(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(httpx, "AsyncClient", counted)
    transport = httpx.ASGITransport(create_app(backing))
    store = HttpSessionStore("http://platform", transport=transport)

    await asyncio.gather(*(store.create() for _ in range(20)))

    assert len(made) == 1
    await store.close()
    assert made[0].is_closed


@every_engine
async def test_a_url_in_the_letters_of_any_language(engine: Engine) -> None:
    """On the wire its path is ASCII, as its host is, however that is written."""
    async with peer(lambda _: None) as found:
        store = HttpSessionStore(f"{found.url}/\xfc", transport=engine(), timeout=0.2)
        with pytest.raises(StoreUnavailableError):
            await store.load("s")
        await store.close()
        assert found.requests[0].startswith(b"GET /%C3%BC/v1/sessions/s HTTP/1.1")
    shouted = HttpSessionStore("http://M\xdcNCHEN.example:80/")
    assert shouted._connection._address == "http://xn--mnchen-3ya.example:80"
