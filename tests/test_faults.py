"""The network between a store and its server: real sockets, and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import asyncpg
import pytest

from reference_backends.postgres import PostgresSessionStore
from sessionstore_contract.address import NoAddressError
from sessionstore_contract.faults import Proxy
from sessionstore_contract.interface import StoreUnavailableError
from sessionstore_contract.port import Port
from sessionstore_contract.storage.dsn import Dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PATIENCE = 20
"""Seconds after which a test that waits has failed."""


async def answer(connection: socket.socket) -> None:
    """Answer each piece with itself, twice, and the end with an end."""
    loop = asyncio.get_running_loop()
    while said := await loop.sock_recv(connection, 100):
        await loop.sock_sendall(connection, said * 2)
    await loop.sock_sendall(connection, b"bye")


@pytest.fixture
def twice() -> Iterator[str]:
    """Lend the URL of a server that answers with what it is told, twice."""
    port = Port(answer)
    port.open()
    yield f"http://127.0.0.1:{port.number}"
    port.close()


@contextmanager
def standing_before(place: str) -> Iterator[Proxy]:
    proxy = Proxy(place)
    try:
        yield proxy
    finally:
        proxy.close()


def dial(url: str) -> socket.socket:
    port = int(url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def test_what_is_said_is_forwarded_and_counted(twice: str) -> None:
    """Both ways, and the end of one direction leaves the other open."""
    with standing_before(twice) as proxy:
        proxy.forward()
        with dial(proxy.place) as client:
            client.sendall(b"abc")
            assert client.recv(100) == b"abcabc"
            assert (proxy.sent, proxy.received, proxy.passed) == (3, 6, 9)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b"bye"
            assert client.recv(100) == b""


def test_a_proxy_refuses_at_first_and_again(twice: str) -> None:
    """Refused is refused at once, on a port that stays the same and stays ours."""
    with standing_before(twice) as proxy:
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                dial(proxy.place)
            proxy.forward()
            proxy.forward()
            with dial(proxy.place) as client:
                client.sendall(b"abc")
                assert client.recv(100) == b"abcabc"
                proxy.refuse()
                with pytest.raises(ConnectionResetError):
                    client.recv(100)


def test_a_server_that_is_away_resets(twice: str) -> None:
    """Who connects is not left waiting for a server that the proxy can't reach.

    The reset may come before the client has looked whether it is connected, or after.
    """
    with standing_before(twice) as near, standing_before(near.place) as proxy:
        proxy.forward()
        with pytest.raises(ConnectionResetError), dial(proxy.place) as client:
            client.recv(100)


def test_a_closed_proxy_gives_back_what_it_took(twice: str) -> None:
    """Its thread ends, and its port is free; closing again is no error."""
    before = threading.active_count()
    with standing_before(twice) as proxy:
        proxy.forward()
        client = dial(proxy.place)
    proxy.close()
    with client, pytest.raises(ConnectionResetError):
        client.recv(100)
    assert threading.active_count() == before
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(proxy.place.rpartition(":")[2])))


def test_a_place_without_a_server_can_t_be_stood_before() -> None:
    """It is said before a port is taken."""
    with pytest.raises(NoAddressError):
        Proxy("/a/path")


@asynccontextmanager
async def at_a_unix_socket(place: str, folder: Path) -> AsyncIterator[str]:
    """Lend the place with the server at a Unix socket, as packages of PostgreSQL have it."""
    dsn = Dsn.parse(place)
    ((host, port),) = dsn.addresses

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, before = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, before), copy(behind, writer))

    path = folder / f".s.PGSQL.{port}"
    async with await asyncio.start_unix_server(relay, path):
        yield str(dsn.with_address(str(folder), int(port)))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(2**16):
        writer.write(piece)
        await writer.drain()
    writer.close()


async def test_postgres_is_reached_through_a_unix_socket(place: str) -> None:
    """The store talks TCP to the proxy, the proxy to the server's socket."""
    with TemporaryDirectory() as folder:
        async with at_a_unix_socket(place, Path(folder)) as local:
            assert "127.0.0.1" not in local
            with standing_before(local) as proxy:
                proxy.forward()
                store = PostgresSessionStore(proxy.place)
                await store.save("a", [{"text": "x" * 1_000_000}])
                sent = proxy.sent
                assert await store.load("a") == [{"text": "x" * 1_000_000}]
                await store.close()
    assert sent > 1_000_000
    assert proxy.received > 1_000_000
    assert proxy.sent - sent < 10_000


async def test_postgres_can_be_away_and_come_back(place: str) -> None:
    """A reference store raises meanwhile, and works afterwards."""
    with standing_before(place) as proxy:
        store = PostgresSessionStore(proxy.place)
        with pytest.raises(StoreUnavailableError):
            await store.exists("a")
        proxy.forward()
        assert await store.create("a") == "a"
        proxy.refuse()
        with pytest.raises(StoreUnavailableError):
            await store.load("a")
        proxy.forward()
        assert await store.load("a") == []
        await store.close()


async def test_a_store_that_blocks_its_loop_does_not_stop_the_proxy(place: str) -> None:
    """Whoever else is connected is served; this thread does nothing meanwhile."""
    with standing_before(place) as proxy:
        proxy.forward()
        answers: list[int] = []

        def ask() -> None:
            answers.append(asyncio.run(one(proxy.place)))

        other = threading.Thread(target=ask)
        other.start()
        deadline = time.monotonic() + PATIENCE
        while not answers and time.monotonic() < deadline:
            time.sleep(0.01)  # noqa: ASYNC251 - blocks the loop, which is the point
        other.join()
    assert answers == [1]


async def one(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT 1"))
    finally:
        await connection.close()
