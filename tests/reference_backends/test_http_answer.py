"""Answers to the HTTP store that are too long, or packed: how much of them is read and kept."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import tracemalloc
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reference_backends import http_engine
from reference_backends.http import HttpSessionStore
from reference_backends.http_answer import MAX_FAILURE_BYTES, STEP, taken
from sessionstore_contract.interface import StoreUnavailableError
from tests.reference_backends.http_operations import (
    Engine,
    every_engine,
    every_operation,
)
from tests.reference_backends.peers import peer, response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

BOUND = 1000
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b" " * 2**16 + b"\r\n"


def session(length: int) -> bytes:
    """Word an answer to `load` of so many bytes."""
    before, after = b'{"session_id": "s", "messages": [{"content": "', b'"}]}'
    return before + b"x" * (length - len(before) - len(after)) + after


def always(answer: bytes) -> Callable[[bytes], bytes]:
    return lambda _: answer


def packed(body: bytes) -> bytes:
    return response(gzip.compress(body), headers="content-encoding: gzip\r\n")


def chunked(body: bytes) -> bytes:
    return OK + CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def until_the_end(body: bytes) -> bytes:
    return OK + b"connection: close\r\n\r\n" + body


every_way = pytest.mark.parametrize("worded", [response, chunked, until_the_end, packed])


@every_engine
@every_way
async def test_an_answer_has_as_many_bytes_as_are_allowed(
    worded: Callable[[bytes], bytes], engine: Engine
) -> None:
    """The last that may be is read, whichever way it comes, and one of a byte more is not."""
    for length in (BOUND, BOUND + 1):
        async with peer(always(worded(session(length)))) as found:
            store = HttpSessionStore(found.url, transport=engine(), max_answer_bytes=BOUND)
            if length == BOUND:
                assert await store.load("s") == json.loads(session(BOUND))["messages"]
            else:
                with pytest.raises(StoreUnavailableError) as caught:
                    await store.load("s")
                assert str(caught.value) == (
                    f"GET {found.url}/v1/sessions/s answered 200 with more than 1000 bytes:"
                    " a longer answer takes a greater max_answer_bytes"
                )
                assert caught.value.is_retry_safe
            await store.close()


@asynccontextmanager
async def for_ever(head: bytes) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Answer in chunks without end, and tell when the client has gone."""
    is_left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + CHUNKED)
            while True:
                writer.write(CHUNK)
                await writer.drain()
        except ConnectionError:
            writer.close()
            is_left.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", is_left


@every_engine
@every_operation
@pytest.mark.parametrize("status", ["200 OK", "201 Created", "503 No"])
async def test_an_answer_without_end_is_left(
    operation: Callable[[HttpSessionStore], Awaitable[Any]], status: str, engine: Engine
) -> None:
    """Its connection is closed with the rest on it, and no task stays."""
    async with for_ever(f"HTTP/1.1 {status}\r\n".encode()) as (url, is_left):
        store = HttpSessionStore(url, transport=engine(), max_answer_bytes=BOUND, timeout=60)
        before = asyncio.all_tasks()
        with pytest.raises(StoreUnavailableError, match=status[:3]):
            await operation(store)
        await is_left.wait()
        assert asyncio.all_tasks() == before
        await store.close()


@every_engine
@pytest.mark.parametrize("status", ["200 OK", "503 No"])
async def test_an_announced_length_is_enough_to_refuse(engine: Engine, status: str) -> None:
    """The peer says how much will come, and nothing of it is waited for."""
    head = f"HTTP/1.1 {status}\r\ncontent-length: 100001\r\n\r\n".encode()
    is_left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await reader.read()
        writer.close()
        is_left.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        store = HttpSessionStore(url, transport=engine(), max_answer_bytes=100_000, timeout=60)
        with pytest.raises(StoreUnavailableError, match=f"answered {status[:3]}"):
            await store.load("s")
        await is_left.wait()
        await store.close()


def failure(length: int) -> bytes:
    """Word a failure of the platform of so many bytes."""
    before, after = b'{"error": {"code": "not_supported", "message": "', b'"}}'
    return before + b"x" * (length - len(before) - len(after)) + after


@every_engine
async def test_of_a_failure_some_kilobytes_are_read(engine: Engine) -> None:
    """Where it has more its status is told, and no code that may be in it, whatever is allowed."""
    for length, error in (
        (MAX_FAILURE_BYTES, NotImplementedError),
        (MAX_FAILURE_BYTES + 1, StoreUnavailableError),
    ):
        async with peer(always(response(failure(length), status="501 No"))) as found:
            store = HttpSessionStore(found.url, transport=engine())
            with pytest.raises(error, match="answered 501"):
                await store.load("s")
            await store.close()


async def test_a_create_that_nobody_knows_of_is_not_safe_to_repeat() -> None:
    """The session was made, and the caller has no id of it."""
    async with peer(always(response(session(BOUND), status="201 Created"))) as found:
        store = HttpSessionStore(found.url, max_answer_bytes=1)
        for session_id in ("s", None):
            with pytest.raises(StoreUnavailableError, match="max_answer_bytes") as caught:
                await store.create(session_id)
            assert caught.value.is_retry_safe is (session_id is not None)
        await store.close()


@pytest.mark.parametrize("most", [0, -1, True, 1e6, "1000", None])
def test_a_length_that_is_none_is_refused(most: Any) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match=re.escape(f"not {most!r}")):
        HttpSessionStore("http://platform", max_answer_bytes=most)


@every_engine
async def test_a_refused_answer_costs_no_slot_of_the_pool(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is one place, the next operation has it, on a connection of its own."""
    monkeypatch.setattr(http_engine, "CONNECTIONS", 1)
    limits = httpx.Limits(max_connections=1)
    transport = engine() and httpx.AsyncHTTPTransport(verify=False, limits=limits)
    answers = iter([chunked(session(BOUND + 1)), response(session(BOUND))] * 5)
    async with peer(lambda _: next(answers)) as found:
        store = HttpSessionStore(found.url, transport=transport, max_answer_bytes=BOUND, timeout=5)
        for _ in range(5):
            with pytest.raises(StoreUnavailableError, match="max_answer_bytes"):
                await store.load("s")
            assert await store.load("s")
        await store.close()


@contextmanager
def traced() -> Iterator[list[int]]:
    """Find out how much memory was taken at most by what is done meanwhile."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
    finally:
        peak.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()


@every_engine
@pytest.mark.parametrize("status", ["200 OK", "503 No"])
async def test_memory_is_bounded_whatever_an_answer_unpacks_to(engine: Engine, status: str) -> None:
    """A few kilobytes unpack to a thousand times as much, of which the bound is kept."""
    bomb = gzip.compress(b" " * 2**26)
    bound = 2**20
    head = "content-encoding: gzip\r\n"
    async with peer(always(response(bomb, status=status, headers=head))) as found:
        store = HttpSessionStore(found.url, transport=engine(), max_answer_bytes=bound)
        with pytest.raises(StoreUnavailableError):
            await store.exists("warm")
        with traced() as peak, pytest.raises(StoreUnavailableError, match=status[:3]):
            await store.load("s")
        await store.close()
    assert peak[0] < 4 * bound


async def in_pieces(body: bytes, length: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), length):
        yield body[start : start + length]


async def test_pieces_of_a_byte_take_no_more_than_all_of_them() -> None:
    """Whoever sends byte by byte does not make thirty of each."""
    body = b"x" * 2**16
    with traced() as peak:
        answer = await taken(200, {}, in_pieces(body, 1), 2**20)
    assert answer.content == body
    assert peak[0] < 3 * len(body)


@pytest.mark.parametrize("length", [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP, 5 * STEP + 7])
@pytest.mark.parametrize("at_once", [1000, 2**20])
async def test_what_was_packed_is_unpacked(length: int, at_once: int) -> None:
    """All of it, also where it ends with a step."""
    for body in (b"x" * length, bytes(range(256)) * (length // 256)):
        pieces = in_pieces(gzip.compress(body, mtime=0), at_once)
        answer = await taken(200, {"content-encoding": "GZip"}, pieces, 2**24)
        assert answer == (200, body)


HELLO = gzip.compress(session(BOUND))


@every_engine
@pytest.mark.parametrize(
    ("packing", "body"),
    [
        ("gzip", HELLO[:-1]),
        ("gzip", HELLO[:4]),
        ("gzip", HELLO[:-8] + b"12345678"),
        ("gzip", HELLO + b"more"),
        ("gzip", session(BOUND)),
        ("br", session(BOUND)),
        ("gzip, gzip", HELLO),
    ],
    ids=["cut", "head alone", "sum", "more", "not packed", "not asked for", "twice"],
)
async def test_what_can_t_be_unpacked_is_no_answer(
    packing: str, body: bytes, engine: Engine
) -> None:
    """It says so of a success; of a failure its status is told."""
    for status, said in (("200 OK", "failed: DecodingError"), ("503 No", "answered 503")):
        answer = response(body, status=status, headers=f"content-encoding: {packing}\r\n")
        async with peer(always(answer)) as found:
            store = HttpSessionStore(found.url, transport=engine())
            with pytest.raises(StoreUnavailableError, match=said):
                await store.load("s")
            await store.close()
