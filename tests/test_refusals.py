"""Tables that refuse rows for a while, on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import refusals, tables

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

CHATS = 'chats of "us"'
NAMED = '"chats of ""us"""'
MADE = (
    f"CREATE TABLE {NAMED} (id TEXT, said TEXT)",
    "CREATE TABLE notes (id TEXT, said TEXT)",
    "CREATE INDEX by_id ON notes (id)",
    f"INSERT INTO {NAMED} VALUES ('one', 'before')",
)


@pytest.fixture(params=["sqlite", "postgres"])
async def made(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Lend a place with two tables."""
    is_a_file = request.param == "sqlite"
    place = str(tmp_path / "a.db") if is_a_file else str(request.getfixturevalue("place"))
    await tables.execute(place, *MADE)
    return place


async def is_refused(write: Awaitable[Any]) -> bool:
    try:
        await write
    except Exception as error:
        if not tables.is_of_a_constraint(error):
            raise
        return True
    return False


def inserted(place: str, table: str) -> Awaitable[Any]:
    return tables.execute(place, f"INSERT INTO {table} VALUES ('two', 'after')")


async def test_the_tables_of_a_place_are_named(made: str) -> None:
    """Not its indexes."""
    assert await refusals.tables_of(made) == [CHATS, "notes"]


async def test_one_table_refuses_rows_for_a_while(made: str) -> None:
    """What is inserted and what is updated; what is there can be read, and goes on afterwards."""
    changed = f"UPDATE {NAMED} SET said = 'after'"
    async with refusals.refusing(made, CHATS) as is_refusing:
        assert is_refusing
        assert await is_refused(inserted(made, NAMED))
        assert await is_refused(tables.execute(made, changed))
        assert not await is_refused(inserted(made, "notes"))
        rows = await tables.fetch(made, f"SELECT said FROM {NAMED}")
        assert rows == [["before"]]
    assert not await is_refused(inserted(made, NAMED))
    assert not await is_refused(tables.execute(made, changed))


async def test_a_table_that_is_not_there_refuses_nothing(made: str) -> None:
    """The store may have removed it."""
    async with refusals.refusing(made, "gone") as is_refusing:
        assert not is_refusing


async def test_a_file_that_others_have_locked_is_left_alone(tmp_path: Path) -> None:
    """A store may be in the middle of a transaction."""
    place = tmp_path / "a.db"
    await tables.execute(str(place), *MADE)
    with closing(sqlite3.connect(place, isolation_level=None)) as theirs:
        theirs.execute("BEGIN IMMEDIATE")
        async with refusals.refusing(str(place), "notes") as is_refusing:
            assert not is_refusing
        theirs.execute("COMMIT")
    assert not await is_refused(inserted(str(place), "notes"))


async def test_what_is_no_database_has_no_tables(tmp_path: Path) -> None:
    """A folder, a file of another kind, and one that is missing, which is not made."""
    other = tmp_path / "sessions.json"
    other.write_text("{}" * 1000, "utf-8")
    missing = tmp_path / "missing.db"
    for place in (tmp_path, other, missing):
        assert await refusals.tables_of(str(place)) == []
    assert not missing.exists()
