"""A client of httpx that was lent to the HTTP store: what is asked by it, and what it reads."""

from __future__ import annotations

import gzip

import httpx
import pytest

from reference_backends.http import HttpSessionStore
from sessionstore_contract.interface import StoreUnavailableError
from tests.reference_backends.http_operations import TOKEN, Engine, every_engine
from tests.reference_backends.peers import peer, response

BODY = b'{"session_id": "s", "messages": []}'
PACKED = response(gzip.compress(BODY), headers="content-encoding: gzip\r\n")


@every_engine
@pytest.mark.parametrize("is_lent", [False, True])
@pytest.mark.parametrize("token", [None, TOKEN])
async def test_gzip_alone_is_asked_for(engine: Engine, token: str | None, *, is_lent: bool) -> None:
    """Whatever the library could unpack, and the client asks for by itself."""
    own = {"accept-encoding": "br, zstd"}
    async with peer(lambda _: PACKED) as found, httpx.AsyncClient(headers=own) as client:
        store = HttpSessionStore(
            found.url,
            token=token,
            client=client if is_lent else None,
            transport=None if is_lent else engine(),
        )
        assert await store.load("s") == []
        await store.close()
    lines = found.requests[0].lower().split(b"\r\n")
    assert [line for line in lines if b"encoding" in line] == [b"accept-encoding: gzip"]


async def read_at_once(response: httpx.Response) -> None:
    await response.aread()


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_what_a_hook_of_the_client_has_read_is_taken_from_it(token: str | None) -> None:
    """Unpacked as it is, and counted."""
    hooks = {"response": [read_at_once]}
    async with peer(lambda _: PACKED) as found, httpx.AsyncClient(event_hooks=hooks) as client:
        for most in (len(BODY), len(BODY) - 1):
            store = HttpSessionStore(found.url, token=token, client=client, max_answer_bytes=most)
            if most == len(BODY):
                assert await store.load("s") == []
            else:
                with pytest.raises(StoreUnavailableError, match="max_answer_bytes"):
                    await store.load("s")
            await store.close()


async def test_what_a_transport_makes_up_is_counted() -> None:
    """It has no connection, and has the answer whole."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=BODY)

    transport = httpx.MockTransport(answer)
    store = HttpSessionStore("http://peer", transport=transport, max_answer_bytes=len(BODY) - 1)
    with pytest.raises(StoreUnavailableError, match="max_answer_bytes"):
        await store.load("s")
    await store.close()
