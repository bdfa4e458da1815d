"""The HTTP store's own client: it sends what it is told, once, keeps nothing, may be missing."""

from __future__ import annotations

import asyncio
import gc
import random
import re
import sys
import warnings

import httpx
import pytest

from reference_backends.http import HttpSessionStore
from reference_backends.http_engine import PIECE, AiohttpClient
from reference_backends.platform import create_app
from sessionstore_contract.interface import StoreUnavailableError
from tests.reference_backends.dict_store import DictStore
from tests.reference_backends.peers import peer, response
from tests.reference_backends.serving import on_a_port

LENGTH = re.compile(rb"(?i)content-length: (\d+)")
BODY = b'{"session_id": "s", "messages": []}'
KEPT_OPEN = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


async def test_nothing_is_sent_again_on_a_connection_that_was_lost() -> None:
    """A delete whose answer was lost is not sent again: that one would answer False."""
    heads: list[bytes] = []

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if len(heads) == 1:
            writer.write(KEPT_OPEN)
            heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    async with server:
        store = HttpSessionStore(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert await store.load("s") == []
        with pytest.raises(StoreUnavailableError, match="ReadError") as caught:
            await store.delete("s")
        await store.close()

    assert caught.value.is_retry_safe
    assert [head.split()[0] for head in heads] == [b"GET", b"DELETE"]


async def test_an_id_is_sent_as_it_is_spelt() -> None:
    """Neither dots nor escapes are tidied on the way."""
    async with peer(lambda _: response(b"")) as found:
        client = AiohttpClient(None)
        for path in ("/a/%2E%2E/b", "/a/..", "/%2F//x%20y", "/%7e?q=%3A"):
            await client.request("GET", found.url + path, content=None, headers={})
        await client.aclose()
    sent = [head.split()[1].decode() for head in found.requests]
    assert sent == ["/a/%2E%2E/b", "/a/..", "/%2F//x%20y", "/%7e?q=%3A"]


async def test_no_cookie_is_kept() -> None:
    """It would carry something from one call to the next."""
    async with peer(lambda _: response(b"", headers="set-cookie: a=b\r\n")) as found:
        client = AiohttpClient(None)
        for _ in range(2):
            await client.request("GET", found.url, content=None, headers={})
        await client.aclose()
    assert all(b"cookie" not in head.lower() for head in found.requests)


async def test_a_host_of_other_letters_is_asked_for_by_its_name() -> None:
    """As it is in the network, whichever library makes the request."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=BODY)

    store = HttpSessionStore("http://b\u00fccher.example", transport=httpx.MockTransport(answer))
    await store.load("s")
    await store.close()
    assert seen[0].url.raw_host == b"xn--bcher-kva.example"


async def test_without_aiohttp_httpx_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that brings it is for speed alone."""
    monkeypatch.setitem(sys.modules, "reference_backends.http_engine", None)
    async with peer(lambda _: response(BODY)) as found:
        store = HttpSessionStore(found.url)
        assert await store.load("s") == []
        await store.close()
    assert b"python-httpx" in found.requests[0]


async def test_a_long_body_arrives_whole() -> None:
    """It is sent in pieces, with its length before it."""
    received: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        received.append(await reader.readexactly(int(LENGTH.findall(head)[0])))
        writer.write(response(b""))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        client = AiohttpClient(None)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        sent = [random.randbytes(length) for length in (PIECE, PIECE + 1, 10_000_000)]
        for content in sent:
            await client.request("PUT", url, content=content, headers={})
        await client.aclose()
    assert received == sent


def test_closing_after_its_loop_is_gone_leaves_nothing_to_complain() -> None:
    """The connections went with the loop; what held them says nothing when it is collected."""
    with on_a_port(lambda: create_app(DictStore())) as url:
        store = HttpSessionStore(url)
        asyncio.run(store.create("s"))
        asyncio.run(store.close())
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            del store
            gc.collect()
    assert [str(one.message) for one in said if "client" in str(one.message).lower()] == []
