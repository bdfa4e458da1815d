"""A SQLite store, and the file that it is to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reference_backends.sqlite import SqliteSessionStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


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
