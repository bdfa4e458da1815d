"""A database that the kit can't use is closed all the same: from Python 3.13 on it is warned of.

The warning comes when the object is collected, in whatever test of an author's runs by then.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import lock_holder, tables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Collect what is opened from now on, and keep it from being collected."""
    found: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        found.append(connect(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(sqlite3, "connect", connected)
    return found


def is_closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018 - a closed one does not answer
    except sqlite3.ProgrammingError:
        return True
    return False


async def test_a_file_of_another_kind(tmp_path: Path, opened: list[sqlite3.Connection]) -> None:
    """As of a store that keeps JSON: its columns are asked for, and it has none."""
    place = tmp_path / "sessions.json"
    place.write_text("{}" * 1000, "utf-8")
    assert await tables.columns(str(place), "sessions") == []
    assert [is_closed(one) for one in opened] == [True]


def test_a_database_that_others_have_locked(
    tmp_path: Path, opened: list[sqlite3.Connection]
) -> None:
    """Nothing is waited for, and nothing is kept."""
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as theirs:
        theirs.execute("CREATE TABLE t (n)")
        theirs.execute("BEGIN EXCLUSIVE")
        assert lock_holder.locked(tmp_path) == {}
        assert [is_closed(one) for one in opened] == [False, True]
