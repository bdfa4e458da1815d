"""What the PostgreSQL store raises, and when, where the server is of no help."""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from reference_backends.postgres import PostgresSessionStore
from sessionstore_contract.interface import (
    SessionStoreError,
    StoreUnavailableError,
)
from sessionstore_contract.storage.dsn import Dsn

from .postgres_places import Line, opened

if TYPE_CHECKING:
    from .postgres_places import Connection


@pytest.mark.parametrize("stored", ["[]", "1", "null", '"text"'])
async def test_unreadable_cost_data_raises(place: str, admin: Connection, stored: str) -> None:
    """Cost data that is no object raises on reading and on updating, and stays as it is."""
    async with opened(place) as store:
        await store.create("s")
        await admin.execute("UPDATE sessions SET cost_data = $1", stored)
        before = await admin.fetchrow("SELECT cost_data, updated_at FROM sessions")
        with pytest.raises(SessionStoreError, match="no object"):
            await store.get_cost_data("s")
        with pytest.raises(SessionStoreError, match="no object"):
            await store.update("s", cost_data={"a": 1})
        assert await admin.fetchrow("SELECT cost_data, updated_at FROM sessions") == before


async def test_lock_timeout_is_the_servers(place: str, admin: Connection) -> None:
    """A lock that is not given in time makes the write raise, undone and safe to try again."""
    async with opened(place, lock_timeout=0.05) as store:
        await store.create("s")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            with pytest.raises(StoreUnavailableError, match="55P03") as said:
                await store.save("s", [{}])
        assert said.value.is_retry_safe
        assert await store.load("s") == []


async def test_command_timeout_ends_the_statement(place: str, admin: Connection) -> None:
    """A statement that takes too long raises and has no effect later."""
    # The driver has as long again to say so to the server: on a busy machine 0.2 s are not enough.
    async with opened(place, command_timeout=1.0, lock_timeout=None) as store:
        await store.create("s")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            with pytest.raises(StoreUnavailableError, match="too long") as said:
                await store.update("s", cost_data={"a": 1})
        assert said.value.is_retry_safe
        assert await store.get_cost_data("s") == {}


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://postgres:s3cret-word@{address}/postgres",
        "postgresql://postgres:s3cret-word@x@{address}/postgres",
        "postgresql://postgres:s3cret-word/x@{address}/postgres",
        "postgresql://postgres@{address}/postgres?password=s3cret-word&sslmode=wrong",
        "postgresql://postgres:s3cret%2Dword@127.0.0.1:1/postgres",
        "s3cret-word",
    ],
)
async def test_password_never_shows(place: str, dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with the DSN or the server, no wording of it shows the password."""
    caplog.set_level(logging.DEBUG)
    host, port = Dsn.parse(place).addresses[0]
    async with opened(dsn.format(address=f"{host}:{port}")) as store:
        with pytest.raises(StoreUnavailableError) as said:
            await store.load("s")
        told = [repr(store), repr(said.value), "".join(traceback.format_exception(said.value))]
    assert said.value.__cause__ is said.value.__context__ is None
    assert "\n" not in str(said.value)
    assert [text for text in (*told, caplog.text) if "s3cret" in text] == []


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None])
@pytest.mark.slow
async def test_server_that_is_none(answer: bytes | None) -> None:
    """A peer that hangs up, talks nonsense or says nothing makes an operation raise in time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer or b"")
        if answer is None:
            await reader.read()  # until the store hangs up
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        dsn = f"postgresql://u:s3cret@127.0.0.1:{port}/d"
        async with opened(dsn, connect_timeout=0.5, acquire_timeout=1) as store:
            with pytest.raises(StoreUnavailableError) as said:
                await store.get_cost_data("s")
            assert said.value.is_retry_safe


@pytest.mark.slow
async def test_server_that_falls_silent(place: str) -> None:
    """When the line goes dead under a warm store, operations and `close` are bounded."""
    line = Line(place)
    async with line.opened() as dsn:
        store = PostgresSessionStore(dsn, command_timeout=0.3, connect_timeout=0.3)
        await store.create("s")
        line.is_dead = True
        for work in (store.update("s", cost_data={"a": 1}), store.load("s")):
            with pytest.raises(StoreUnavailableError) as said:
                await work
            assert said.value.is_retry_safe
        async with asyncio.timeout(10):
            await store.close()


async def test_server_that_was_away(place: str) -> None:
    """A store whose server was not there at first works once it is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    line = Line(place)
    dsn = str(replace(line.dsn, addresses=(("127.0.0.1", str(free)),)))
    async with opened(dsn) as store:
        with pytest.raises(StoreUnavailableError) as said:
            await store.create("s")
        assert said.value.is_retry_safe
        assert said.value.__context__ is None
        async with line.opened(free):
            assert await store.create("s") == "s"
            await store.close()


async def test_what_a_chat_says_is_in_no_exception(place: str, admin: Connection) -> None:
    """The server quotes the row that it refuses, beside what is wrong with it."""
    illness = uuid4().hex  # a traceback shows the lines of this test, too
    async with opened(place) as store:
        await store.create("s")
        await admin.execute("ALTER TABLE sessions ADD CHECK (jsonb_array_length(messages) = 0)")
        with pytest.raises(SessionStoreError, match="violates check constraint") as said:
            await store.save("s", [{"content": f"my {illness}"}])
    assert illness not in "".join(traceback.format_exception(said.value))


@pytest.mark.parametrize(
    "settings",
    [
        *({"pool_size": 0}, {"connect_timeout": 0}, {"command_timeout": -1}),
        *({"acquire_timeout": float("nan")}, {"statement_cache_size": -1}),
        *({"lock_timeout": 0}, {"lock_timeout": 1e9}),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(settings: dict[str, float]) -> None:
    """They looked like a server that is away, at each operation."""
    (name,) = settings
    with pytest.raises(ValueError, match=name):
        PostgresSessionStore("postgresql://127.0.0.1/", **settings)  # type: ignore[arg-type]
