"""A PostgreSQL server for each module that asks for one, and places on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.postgres import PostgresStorage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Lend the DSN of an embedded server."""
    part = EmbeddedServer.join(tmp_path_factory.mktemp("run"))
    yield part.dsn
    part.leave()


@pytest.fixture(scope="module")
def databases(server: str) -> Iterator[PostgresStorage]:
    """Lend a storage on the server."""
    opened = PostgresStorage(server)
    yield opened
    opened.close()


@pytest.fixture
def place(databases: PostgresStorage) -> Iterator[str]:
    """Lend a fresh database."""
    with databases.fresh() as fresh:
        yield fresh
