"""Places that are platforms on real ports."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
import time
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from reference_backends.http import HttpSessionStore
from reference_backends.platform import create_app
from sessionstore_contract.interface import Json, StoreUnavailableError
from sessionstore_contract.storage import StorageUnavailableError, platform
from sessionstore_contract.storage.platform import PlatformStorage
from tests.reference_backends.dict_store import DictStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI


@pytest.fixture
def storage() -> Iterator[PlatformStorage]:
    found = PlatformStorage()
    yield found
    found.close()


def dial(place: str) -> socket.socket:
    """Connect to the place as any client would."""
    parts = urlsplit(place)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port or 80), timeout=3)


async def remember(place: str, session: str) -> bool:
    """Make the session and answer whether it is there, over a real socket."""
    store = HttpSessionStore(place)
    try:
        is_there = await store.exists(session)
        await store.save(session, [{"n": 1}])
        return is_there
    finally:
        await store.close()


def test_each_place_is_empty_and_apart(storage: PlatformStorage) -> None:
    """Side by side and one after the other, no place has seen what another was told."""
    with storage.fresh() as first, storage.fresh() as second:
        assert first != second
        assert asyncio.run(remember(first, "a/b")) is False
        assert asyncio.run(remember(second, "a/b")) is False
        assert asyncio.run(remember(first, "a/b")) is True
    with storage.fresh() as third:
        assert asyncio.run(remember(third, "a/b")) is False


def test_the_whole_interface_over_a_socket(storage: PlatformStorage) -> None:
    """Fifty updates at once, large histories and odd ids arrive over a real connection."""

    async def use(place: str) -> None:
        store = HttpSessionStore(place)
        session = await store.create("\N{PILE OF POO} ?/#%2e")
        await asyncio.gather(*(store.update(session, cost_data={str(n): n}) for n in range(50)))
        assert await store.get_cost_data(session) == {str(n): n for n in range(50)}
        await store.save(session, [{"text": "x" * 3_000_000}])
        assert await store.load(session) == [{"text": "x" * 3_000_000}]
        await store.close()

    with storage.fresh() as place:
        asyncio.run(use(place))


def test_connections_to_a_place_are_counted(storage: PlatformStorage) -> None:
    """Those to that platform, until they are closed."""
    with storage.fresh() as place, storage.fresh() as other:

        def wait_for(count: int) -> None:
            deadline = time.monotonic() + 30
            while storage.connections(place) != count:
                assert time.monotonic() < deadline, storage.connections(place)

        assert storage.connections(place) == 0
        with dial(place), dial(place):
            wait_for(2)
            assert storage.connections(other) == 0
        wait_for(0)
    assert storage.connections(place) is None


def test_a_body_over_the_limit_is_told_and_not_cut_off(storage: PlatformStorage) -> None:
    """A client that is still sending reads the 413, with an announced length and without."""
    with storage.fresh() as place:
        for head in (b"content-length: 20000000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"):
            chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n" if b"chunked" in head else b" " * 2**20
            with dial(place) as connection:
                connection.sendall(b"PUT /v1/sessions/s HTTP/1.1\r\nhost: h\r\n" + head)
                for _ in range(18):
                    connection.sendall(chunk)
                assert connection.recv(12) == b"HTTP/1.1 413"


def test_the_port_is_gone_at_the_end(storage: PlatformStorage) -> None:
    """Connections that a client left open are cut, and nobody listens any more."""
    with storage.fresh() as place:
        idle = dial(place)
        kept_alive = dial(place)
        kept_alive.sendall(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n")
        assert kept_alive.recv(12) == b"HTTP/1.1 200"
        half_asked = dial(place)
        half_asked.sendall(b"PUT /v1/sessions/s HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\n{")

    with pytest.raises(ConnectionRefusedError):
        dial(place)
    for connection in (idle, kept_alive, half_asked):
        with connection:
            try:
                while connection.recv(1000):
                    pass
            except ConnectionResetError:
                pass


class _StuckStore(DictStore):
    """Never answers a load; says when it is asked for one, and when that was cancelled."""

    asked = threading.Event()
    cancelled = threading.Event()

    async def load(self, session_id: str) -> list[dict[str, Json]] | None:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        return None


def stuck_app() -> FastAPI:
    """Make a platform whose reads hang."""
    return create_app(_StuckStore())


def test_requests_under_way_are_cut_off(
    storage: PlatformStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A place ends at once though its store hangs, and nothing is logged about it."""
    caplog.set_level(logging.DEBUG)
    stuck = EntryPoint("reference", f"{__name__}:stuck_app", platform.GROUP)
    monkeypatch.setattr(platform, "entry_points", lambda **_: [stuck])
    results: list[BaseException] = []

    async def load(place: str) -> None:
        store = HttpSessionStore(place, timeout=10)
        try:
            await store.load("s")
        finally:
            await store.close()

    def read(place: str) -> None:
        try:
            asyncio.run(load(place))
        except StoreUnavailableError as problem:
            results.append(problem)

    with storage.fresh() as place:
        reader = threading.Thread(target=read, args=(place,))
        reader.start()
        assert _StuckStore.asked.wait(3)
        begun = time.perf_counter()
    assert time.perf_counter() - begun < 2
    reader.join(3)

    assert _StuckStore.cancelled.is_set()
    assert len(results) == 1
    assert not [
        record for record in caplog.records if not record.name.startswith(("httpcore", "asyncio"))
    ]


def test_a_blocked_client_loop_does_not_block_the_platform(storage: PlatformStorage) -> None:
    """The platform answers from a thread of its own."""

    async def block_and_ask(place: str) -> bytes:
        # A blocking client in the loop: if the platform ran here, it could not answer.
        with dial(place) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n")
            return connection.recv(12)

    with storage.fresh() as place:
        assert asyncio.run(block_and_ask(place)) == b"HTTP/1.1 200"


def test_the_process_keeps_its_signals_and_loggers(storage: PlatformStorage) -> None:
    """Serving changes no signal handler and no logger of uvicorn."""

    def state() -> list[object]:
        loggers = [logging.getLogger(f"uvicorn{name}") for name in ("", ".error", ".access")]
        return [
            signal.getsignal(signal.SIGINT),
            signal.getsignal(signal.SIGTERM),
            *[(log.level, list(log.handlers), log.propagate) for log in loggers],
        ]

    before = state()
    with storage.fresh():
        assert state() == before
    assert state() == before


def test_closing_leaves_no_thread() -> None:
    """The thread is there from the first place on, and gone after `close`, also before any use."""
    threads = threading.active_count()
    storage = PlatformStorage()
    storage.close()
    with storage.fresh():
        assert threading.active_count() == threads + 1

    storage.close()
    storage.close()

    assert threading.active_count() == threads


def test_what_serves_is_named(storage: PlatformStorage) -> None:
    """The report says which releases the places ran on."""
    assert storage.name == "platform"
    assert (storage.server() or "").startswith("uvicorn ")


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_missing_packages_are_said_with_the_way_out(
    storage: PlatformStorage, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """Without its packages the storage names the extra that brings them."""
    for module in list(sys.modules):
        if module.startswith(("reference_backends.platform", "sessionstore_contract.storage.uvi")):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delattr("sessionstore_contract.storage.uvicorn_service", raising=False)

    with (
        pytest.raises(StorageUnavailableError, match=r"sessionstore-contract\[platform\]"),
        storage.fresh(),
    ):
        pass


def test_an_unknown_platform_is_said() -> None:
    """A name that no entry point has is a storage that can't be had."""
    with (
        pytest.raises(StorageUnavailableError, match="no platform 'nobody'"),
        PlatformStorage("nobody").fresh(),
    ):
        pass


def test_answers_are_sent_without_waiting(storage: PlatformStorage) -> None:
    """The second half of an answer does not wait for the client to acknowledge the first."""
    with storage.fresh() as place, dial(place) as connection:
        times = []
        for _ in range(10):
            begun = time.perf_counter()
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += connection.recv(1000)
            times.append(time.perf_counter() - begun)

    assert min(times[5:]) < 0.03
