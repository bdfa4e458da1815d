"""Stores that hold the contract, and show an author how; their Backend objects."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from sessionstore_contract.backend import Backend, Lent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessionstore_contract.interface import SessionStore

# Each store is imported when it is opened: nobody needs the drivers of the others.


@contextmanager
def _extra(name: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: pip install 'sessionstore-contract[{name}]'") from None


def open_null() -> SessionStore:
    """Open a store that keeps nothing."""
    from .null import NullSessionStore  # noqa: PLC0415

    return NullSessionStore()


def open_memory() -> SessionStore:
    """Open a store that lives as long as the object."""
    from .memory import MemorySessionStore  # noqa: PLC0415

    return MemorySessionStore()


def open_sqlite(path: str) -> SessionStore:
    """Open a store in an SQLite file."""
    with _extra("sqlite"):
        from .sqlite import SqliteSessionStore  # noqa: PLC0415

    return SqliteSessionStore(path)


def open_sqlite_bounded(path: str, seconds: float) -> SessionStore:
    """Open a store in an SQLite file that waits so many seconds for the lock of another process."""
    with _extra("sqlite"):
        from .sqlite import SqliteSessionStore  # noqa: PLC0415

    return SqliteSessionStore(path, lock_timeout=seconds)


def open_postgres(dsn: str) -> SessionStore:
    """Open a store in a PostgreSQL database."""
    with _extra("postgres"):
        from .postgres import PostgresSessionStore  # noqa: PLC0415

    return PostgresSessionStore(dsn)


def open_postgres_bounded(dsn: str, seconds: float) -> SessionStore:
    """Open a store in a PostgreSQL database, with time-outs of so many seconds."""
    with _extra("postgres"):
        from .postgres import PostgresSessionStore  # noqa: PLC0415

    return PostgresSessionStore(
        dsn, connect_timeout=seconds, command_timeout=seconds, acquire_timeout=seconds
    )


def open_http(url: str) -> SessionStore:
    """Open a store on a platform service."""
    from .http import HttpSessionStore  # noqa: PLC0415

    return HttpSessionStore(url)


def open_http_bounded(url: str, seconds: float) -> SessionStore:
    """Open a store on a platform service, with a time-out of so many seconds."""
    from .http import HttpSessionStore  # noqa: PLC0415

    return HttpSessionStore(url, timeout=seconds)


def open_http_with_token(url: str, token: str) -> SessionStore:
    """Open a store on a platform service that asks for a bearer token."""
    from .http import HttpSessionStore  # noqa: PLC0415

    return HttpSessionStore(url, token=token)


@asynccontextmanager
async def lend_http_client(url: str) -> AsyncIterator[Lent]:
    """Open a store on a client that is made and closed here."""
    import httpx  # noqa: PLC0415

    from .http import HttpSessionStore  # noqa: PLC0415

    async with httpx.AsyncClient() as client:

        async def is_usable() -> bool:
            return not client.is_closed and (await client.get(f"{url}/healthz")).is_success

        yield Lent(HttpSessionStore(url, client=client), is_usable=is_usable)


def _corrupt_sqlite(path: str, session_id: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE sessions SET cost_data = '{\"cut' WHERE session_id = ?", (session_id,)
        )


async def _corrupt_postgres(dsn: str, session_id: str) -> None:
    import asyncpg  # noqa: PLC0415

    connection: Any = await asyncpg.connect(dsn)
    try:
        # JSONB can't hold broken JSON; an array is what a careless `||` leaves behind.
        await connection.execute(
            "UPDATE sessions SET cost_data = '[1]'::jsonb WHERE session_id = $1", session_id
        )
    finally:
        await connection.close()


NULL = Backend("null", open=open_null, storage="none", profile="ephemeral")
MEMORY = Backend(
    "memory",
    open=open_memory,
    storage="none",
    profile="ephemeral",
    adding=("persistence", "cost-read", "retention", "census"),
)
SQLITE = Backend(
    "sqlite",
    open=open_sqlite,
    storage="file",
    profile="durable",
    adding=("multi-process", "census", "power-loss"),
    corrupt=_corrupt_sqlite,
    legacy="reference",
    open_bounded=open_sqlite_bounded,
)
POSTGRES = Backend(
    "postgres",
    open=open_postgres,
    storage="postgres",
    profile="full",
    corrupt=_corrupt_postgres,
    legacy="reference",
    open_bounded=open_postgres_bounded,
)
HTTP = Backend(
    "http",
    open=open_http,
    storage="platform",
    profile="durable",
    adding=("multi-process", "census", "faults"),
    open_with_token=open_http_with_token,
    open_bounded=open_http_bounded,
    lend=lend_http_client,
)
