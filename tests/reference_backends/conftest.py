"""Where the SQLite store and the PostgreSQL store are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.postgres import PostgresStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from .postgres_places import Connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file."""
    return tmp_path / "sessions.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteSessionStore]:
    """Lend the store, which has opened nothing yet."""
    store = SqliteSessionStore(path)
    yield store
    await store.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresStorage]:
    """Lend a storage on an embedded server."""
    server = EmbeddedServer.join(tmp_path_factory.mktemp("run"))
    opened = PostgresStorage(server.dsn)
    yield opened
    opened.close()
    server.leave()


@pytest.fixture
def place(postgres: PostgresStorage) -> Iterator[str]:
    """Lend a fresh place."""
    with postgres.fresh() as dsn:
        yield dsn


@pytest.fixture
async def admin(place: str) -> AsyncIterator[Connection]:
    """Lend a connection to the place that is none of the store's."""
    connection = await asyncpg.connect(place)
    yield connection
    await connection.close()
