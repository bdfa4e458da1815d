"""The SQLite store whose file is taken away, or replaced, while it is open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract.interface import StoreUnavailableError
from tests.reference_backends.sqlite_places import run_sql

if TYPE_CHECKING:
    from pathlib import Path


def remove(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
async def test_what_is_written_to_a_file_that_is_gone_is_not_acknowledged(
    path: Path, store: SqliteSessionStore, mode: str
) -> None:
    """It would be there until the file is closed; the next try makes the database anew."""
    first = SqliteSessionStore(path)
    await first.create("a")
    await first.close()
    run_sql(path, f"PRAGMA journal_mode = {mode}")
    assert await store.exists("a")
    remove(path)
    writes = (store.save("a", [{"n": n}]) for n in range(3))
    for failure in await asyncio.gather(*writes, return_exceptions=True):
        assert isinstance(failure, StoreUnavailableError)
        assert failure.is_retry_safe
        assert "moved, replaced or deleted" in str(failure)
    await store.save("a", [{"n": 4}])
    other = SqliteSessionStore(path)
    assert await other.load("a") == [{"n": 4}]
    await other.close()


async def test_a_copy_that_is_put_in_its_place_is_gone_on_with(
    path: Path, store: SqliteSessionStore
) -> None:
    """One write raises, and what is kept afterwards is kept in the copy, beside what is there."""
    copy = SqliteSessionStore(path.with_name("copy.db"))
    await copy.save("restored", [{"n": 1}])
    await copy.close()
    await store.save("a", [{"n": 0}])
    for file in path.parent.glob("sessions.db-*"):
        file.unlink()
    path.with_name("copy.db").replace(path)

    with pytest.raises(StoreUnavailableError, match="moved"):
        await store.update("a", cost_data={"n": 1})
    assert await store.load("restored") == [{"n": 1}]
    assert await store.update("a", cost_data={"n": 1}) is False
