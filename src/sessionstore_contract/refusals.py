"""Tables of a place that refuse what is written to them: on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from . import tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' "
    "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND sql LIKE 'CREATE TABLE%' ORDER BY 1",
    "postgres": "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') "
    "AND NOT relispartition AND relnamespace = current_schema()::regnamespace ORDER BY 1",
}
_PATIENCE = {"sqlite": "PRAGMA busy_timeout = 500", "postgres": "SET lock_timeout = '2s'"}
_ON = {
    "sqlite": (
        _PATIENCE["sqlite"],
        "BEGIN IMMEDIATE",
        *(
            f"CREATE TRIGGER contract_refuses_{event} BEFORE {event} ON {{table}} BEGIN "
            "SELECT RAISE(ABORT, 'contract_refuses'); END"
            for event in ("INSERT", "UPDATE")
        ),
        "COMMIT",
    ),
    "postgres": (
        _PATIENCE["postgres"],
        "ALTER TABLE {table} ADD CONSTRAINT contract_refuses CHECK (false) NOT VALID",
    ),
}
_OFF = {
    "sqlite": (
        _PATIENCE["sqlite"],
        "BEGIN IMMEDIATE",
        *(f"DROP TRIGGER contract_refuses_{event}" for event in ("INSERT", "UPDATE")),
        "COMMIT",
    ),
    "postgres": (_PATIENCE["postgres"], "ALTER TABLE {table} DROP CONSTRAINT contract_refuses"),
}


async def tables_of(place: str) -> list[str]:
    """Name the tables of a place; none where it is a folder, or a file of another kind."""
    kind = tables.kind_of(place)
    if kind == "sqlite" and not _is_file(place):
        return []  # else SQLite would make it
    try:
        return [row[0] for row in await tables.fetch(place, _TABLES[kind])]
    except sqlite3.DatabaseError:
        return []


def _is_file(place: str) -> bool:
    return Path(place).is_file()


@asynccontextmanager
async def refusing(place: str, table: str) -> AsyncIterator[bool]:
    """Have a table refuse every row that is written to it; answer whether it does.

    A table does not where somebody else is in the middle of a transaction.
    """
    kind, named = tables.kind_of(place), '"' + table.replace('"', '""') + '"'
    is_refusing = await _is_done(place, [one.format(table=named) for one in _ON[kind]])
    try:
        yield is_refusing
    finally:
        if is_refusing:
            # Where a store has left a transaction open it can't be had: the place goes anyway.
            await _is_done(place, [one.format(table=named) for one in _OFF[kind]])


async def _is_done(place: str, statements: list[str]) -> bool:
    try:
        await tables.execute(place, *statements)
    except Exception as error:
        if not tables.is_of_a_table(error):
            raise
        return False
    return True
