"""The tables of a place, read and changed past the store: on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
import sqlite3
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .interface import Json

Kind = Literal["sqlite", "postgres"]

SQLITE_LAYOUT = """
SELECT type, name, coalesce(sql, '') FROM sqlite_master
UNION ALL SELECT 'version of the store', user_version, '' FROM pragma_user_version
UNION ALL SELECT 'changes to the layout', schema_version, '' FROM pragma_schema_version
UNION ALL SELECT 'journal mode', journal_mode, '' FROM pragma_journal_mode
ORDER BY 1, 2, 3
"""
POSTGRES_LAYOUT = """
SELECT 'relation', c.oid::regclass::text,
       concat_ws(' ', c.relkind, c.relfilenode, c.relpersistence, c.xmin)
FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'column', c.oid::regclass || '.' || attname,
       concat_ws(' ', atttypid::regtype, attnotnull, a.xmin)
FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
WHERE c.relnamespace = current_schema()::regnamespace AND attnum > 0
ORDER BY 1, 2, 3
"""
LAYOUTS = {"sqlite": SQLITE_LAYOUT, "postgres": POSTGRES_LAYOUT}
"""What a place is made of, each with what is changed when somebody changes it."""


def kind_of(place: str) -> Kind:
    """Tell what is at a place: a file of SQLite, unless it is the DSN of a PostgreSQL."""
    return "postgres" if place.startswith(("postgres://", "postgresql://")) else "sqlite"


SQLITE_MAGIC = b"SQLite format 3\x00"


def is_database_file(path: Path) -> bool:
    """Answer whether a file is there that SQLite has written."""
    with suppress(OSError, ValueError), path.open("rb") as file:
        return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    return False


def is_of_a_constraint(error: Exception) -> bool:
    """Answer whether a statement was refused for a constraint of the table."""
    # PostgreSQL's class of integrity constraint violations.
    is_postgres = str(getattr(error, "sqlstate", "")).startswith("23")
    return isinstance(error, sqlite3.IntegrityError) or is_postgres


_OF_THE_SERVER = frozenset({"08", "28", "3D", "53", "57", "58", "XX"})
"""PostgreSQL's classes of errors that say nothing of a table: no connection left, shutting down."""


def is_of_a_table(error: Exception) -> bool:
    """Answer whether a statement was refused for what there is, not for want of a connection."""
    code = str(getattr(error, "sqlstate", None) or "")
    return isinstance(error, sqlite3.Error) or (code != "" and code[:2] not in _OF_THE_SERVER)


async def execute(place: str, *statements: str | tuple[Any, ...]) -> None:
    """Execute statements; one with arguments is a tuple: `?` on SQLite, `$1` on PostgreSQL."""
    worded = [(one,) if isinstance(one, str) else one for one in statements]
    if kind_of(place) == "sqlite":
        with closing(_opened(place)) as database:
            for statement, *arguments in worded:
                database.execute(statement, arguments)
        return
    connection = await _connected(place)
    try:
        for statement, *arguments in worded:
            await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def fetch(place: str, query: str, *arguments: Any) -> list[Json]:
    """Answer the rows of a query, each as a list."""
    if kind_of(place) == "sqlite":
        with closing(_opened(place)) as database:
            return [list(row) for row in database.execute(query, arguments)]
    connection = await _connected(place)
    try:
        return [list(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def names(place: str) -> list[str]:
    """Name the tables and indexes of the place."""
    of_kind = {
        "sqlite": "SELECT name FROM sqlite_master",
        "postgres": "SELECT relname::text FROM pg_class "
        "WHERE relnamespace = current_schema()::regnamespace",
    }
    return [row[0] for row in await fetch(place, of_kind[kind_of(place)])]


async def columns(place: str, table: str) -> list[str]:
    """Name the columns of a table, in their order.

    An empty list where there is no such table, or the place is a folder or a file of another kind.
    """
    of_kind = {
        "sqlite": f"SELECT name FROM pragma_table_info('{table}')",  # noqa: S608 - our own names
        "postgres": "SELECT attname::text FROM pg_attribute "  # noqa: S608 - our own names
        f"WHERE attrelid = to_regclass('{table}') AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum",
    }
    try:
        return [row[0] for row in await fetch(place, of_kind[kind_of(place)])]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) not in {
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_NOTADB,
        }:
            raise
    return []


async def layout(place: str) -> list[Json]:
    """Describe what the place is made of; equal descriptions mean that nobody has changed it."""
    return [" ".join(map(str, row)).strip() for row in await fetch(place, LAYOUTS[kind_of(place)])]


async def lets_readers_be(place: str) -> bool:
    """Answer whether writers wait for no reader: of SQLite, whether its journal is a WAL."""
    if kind_of(place) == "postgres":
        return True
    return await fetch(place, "PRAGMA journal_mode") == [["wal"]]


@asynccontextmanager
async def long_reader(place: str) -> AsyncIterator[None]:
    """Be in the middle of a transaction that has read the sessions."""
    reading = "SELECT count(*) FROM sessions"
    if kind_of(place) == "sqlite":
        with closing(_opened(place)) as database:
            database.execute("BEGIN")
            database.execute(reading).fetchone()
            yield
            database.execute("COMMIT")
        return
    connection = await _connected(place)
    try:
        async with connection.transaction():
            await connection.fetchval(reading)
            yield
    finally:
        await connection.close()


_MADE_BY_THE_KIT = re.compile(r"contract_\w*[0-9a-f]{12}_\d+")
"""What databases are called that were made for a run."""


@asynccontextmanager
async def in_zone(place: str | None, zone: str) -> AsyncIterator[bool]:
    """Put who connects from now on into a time zone, as POSIX words it; answer whether that works.

    It does in a database that the kit has made, and nothing is done to any other place.
    """
    name = urlsplit(place or "").path.removeprefix("/")
    if not place or kind_of(place) == "sqlite" or not _MADE_BY_THE_KIT.fullmatch(name):
        yield False
        return
    connection = await _connected(place)
    try:
        await connection.execute(f"ALTER DATABASE {name} SET TimeZone = '{zone}'")
        try:
            yield True
        finally:
            # Else the database would not serve another place after this one.
            await connection.execute(f"ALTER DATABASE {name} RESET TimeZone")
    finally:
        await connection.close()


def _opened(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        # What the kit writes need not outlive the machine; how a store writes is its own affair.
        database.execute("PRAGMA synchronous = OFF")
    except BaseException:
        database.close()  # else Python warns of it, from 3.13 on, in whatever test comes later
        raise
    return database


async def _connected(dsn: str) -> Any:
    import asyncpg  # noqa: PLC0415 - an extra

    return await asyncpg.connect(dsn)
