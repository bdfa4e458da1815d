"""A server that repeats what it was told: real drivers hear their own secrets from it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg
import httpx
import psycopg
import pytest

from sessionstore_contract.echo import Echo, Manner

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "sesame-0123456789"


@contextmanager
def echo(manner: Manner) -> Iterator[int]:
    server = Echo(manner)
    try:
        yield server.number
    finally:
        server.close()


async def ask_http(port: int) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"authorization": f"Bearer {SECRET}"}
        return await client.post(f"http://127.0.0.1:{port}/a", headers=headers, json={"n": 1})


@pytest.mark.parametrize(("manner", "status"), [(Manner.REFUSING, 401), (Manner.FAILING, 500)])
async def test_http_is_answered_with_the_question(manner: Manner, status: int) -> None:
    """In the reason, in a header and in the body."""
    with echo(manner) as port:
        answer = await ask_http(port)
    assert answer.status_code == status
    for where in (answer.reason_phrase, answer.headers["x-you-said"], answer.text):
        assert f"Bearer {SECRET}" in where


async def test_http_is_answered_with_rubbish() -> None:
    """The client's error quotes it."""
    with echo(Manner.RUBBISH) as port, pytest.raises(httpx.RemoteProtocolError, match=SECRET):
        await ask_http(port)


async def test_postgres_is_told_its_password() -> None:
    """As the message of a refused login, to both drivers."""
    with echo(Manner.REFUSING) as port:
        dsn = f"postgresql://u:{SECRET}@127.0.0.1:{port}/db"
        with pytest.raises(asyncpg.InvalidPasswordError, match=SECRET):
            await asyncpg.connect(dsn)
        with pytest.raises(psycopg.OperationalError, match=SECRET):
            psycopg.connect(dsn)
    with echo(Manner.FAILING) as port:
        dsn = f"postgresql://u:{SECRET}@127.0.0.1:{port}/db"
        with pytest.raises(asyncpg.InternalServerError, match=SECRET):
            await asyncpg.connect(dsn)


async def test_postgres_is_answered_with_rubbish() -> None:
    """The driver gives up at once."""
    with echo(Manner.RUBBISH) as port:
        dsn = f"postgresql://u:{SECRET}@127.0.0.1:{port}/db"
        with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError, OSError)):
            await asyncpg.connect(dsn, timeout=10)
