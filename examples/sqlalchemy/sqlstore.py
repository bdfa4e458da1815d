"""Chat sessions through SQLAlchemy: one table, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    MetaData,
    String,
    Table,
    Text,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# MariaDB's TEXT ends at 64 kB.
_LONG = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")

SESSIONS = Table(
    "chats",
    MetaData(),
    # A digest of the id: databases differ in how long a key may be, and in which texts they take
    # for equal (case, accents, spaces at the end).
    Column("digest", String(64), primary_key=True),
    Column("session_id", _LONG, nullable=False),
    Column("messages", _LONG, nullable=False),
    Column("cost_data", _LONG, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    mysql_charset="utf8mb4",
    mysql_engine="InnoDB",
)
_BY_ACTIVITY = Index("chats_by_activity", SESSIONS.c.updated_at)

DRIVERS = {"sqlite": "aiosqlite", "postgresql": "asyncpg", "postgres": "asyncpg"}
DRIVERS |= {"mysql": "aiomysql", "mariadb": "aiomysql"}

GIVEN_UP = {"40001", "40P01", 1213, 1020}
"""Deadlocks and serialisation failures: the SQLSTATE of PostgreSQL, the number of MariaDB."""

TRIES = 20
"""How often a transaction is tried that a database gave up in favour of another one."""


class SessionExistsError(Exception):
    """`create` was given the id of a session that exists."""


class StoreClosedError(Exception):
    """The store was closed."""


class DatabaseError(Exception):
    """The database did not do what it was asked. Its code is told: its words may quote a chat."""


class RowRefusedError(DatabaseError):
    """It has refused a row, for a constraint."""


def open_file(path: str) -> SqlStore:
    """Open a store in an SQLite file."""
    return SqlStore(URL.create("sqlite", database=path))


class SqlStore:
    """Keeps sessions in the database at `url`, for any number of instances and processes.

    A store belongs to the event loop that uses it first.
    """

    def __init__(self, url: str | URL) -> None:
        url = make_url(url)
        self._dialect = {"postgres": "postgresql"}.get(url.drivername, url.get_backend_name())
        self._engine = create_async_engine(
            url.set(drivername=f"{self._dialect}+{DRIVERS[self._dialect]}"),
            hide_parameters=True,
            pool_size=10,
            max_overflow=0,
            # SQLite knows no other level, and needs none.
            **({} if self._dialect == "sqlite" else {"isolation_level": "READ COMMITTED"}),
        )
        if self._dialect == "sqlite":
            event.listen(self._engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_on_sqlite)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def create(self, session_id: str | None = None) -> str:
        session = secrets.token_hex(16) if session_id is None else session_id
        row = {**_key(session), "messages": "[]", "cost_data": "{}", "updated_at": _now()}

        async def work(database: AsyncConnection) -> None:
            await database.execute(insert(SESSIONS).values(row))

        try:
            await self._write(work)
        except RowRefusedError:
            raise SessionExistsError(f"session {session!r} exists") from None
        return session

    async def load(self, session_id: str) -> list[Any] | None:
        found = await self._read(SESSIONS.c.messages, session_id)
        return None if found is None else json.loads(found)

    async def save(self, session_id: str, messages: list[Any]) -> None:
        key = _key(session_id)
        if not isinstance(messages, list):
            raise TypeError(f"messages are a list, not {type(messages).__name__}")
        changes = {"messages": worded(messages), "updated_at": _now()}
        row = {**key, "cost_data": "{}", **changes}

        async def work(database: AsyncConnection) -> None:
            await database.execute(self._upsert(row, changes))

        await self._write(work)

    async def update(self, session_id: str, *, cost_data: dict[str, Any] | None = None) -> bool:
        mine = SESSIONS.c.digest == _key(session_id)["digest"]
        if cost_data is not None and not isinstance(cost_data, dict):
            raise TypeError(f"cost data is an object, not {type(cost_data).__name__}")
        if not cost_data:
            return await self.exists(session_id)
        changes = json.loads(worded(cost_data))

        async def work(database: AsyncConnection) -> bool:
            # The row is locked from the reading on. SQLite has no such lock, and no need: its
            # transaction holds the write lock of the whole file.
            found = await database.scalar(
                select(SESSIONS.c.cost_data).where(mine).with_for_update()
            )
            if found is None:
                return False
            merged = worded({**json.loads(found), **changes})
            await database.execute(
                update(SESSIONS).where(mine).values(cost_data=merged, updated_at=_now())
            )
            return True

        return await self._write(work)

    async def get_cost_data(self, session_id: str) -> dict[str, Any]:
        found = await self._read(SESSIONS.c.cost_data, session_id)
        return {} if found is None else json.loads(found)

    async def delete(self, session_id: str) -> bool:
        return bool(await self._remove(SESSIONS.c.digest == _key(session_id)["digest"]))

    async def exists(self, session_id: str) -> bool:
        return await self._read(SESSIONS.c.digest, session_id) is not None

    async def delete_before(self, cutoff: datetime) -> int:
        if cutoff.tzinfo is None:
            raise ValueError("the cutoff has no time zone: name it")
        return await self._remove(SESSIONS.c.updated_at < _microseconds(cutoff))

    async def close(self) -> None:
        """Wait for what is under way, then close every connection; what comes later raises."""
        self._is_closed = True
        while self._under_way:
            await asyncio.wait(tuple(self._under_way))
        await self._engine.dispose()

    async def _read(self, column: Any, session_id: str) -> Any:
        query = select(column).where(SESSIONS.c.digest == _key(session_id)["digest"])

        async def read() -> Any:
            await self._open()
            async with self._engine.connect() as database:
                return await database.scalar(query)

        return await self._run(read())

    async def _remove(self, condition: Any) -> int:
        async def work(database: AsyncConnection) -> int:
            return (await database.execute(delete(SESSIONS).where(condition))).rowcount

        return await self._write(work)

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do the work in a transaction of its own; again where the database gave it up."""

        async def write() -> T:
            await self._open()
            for turn in range(TRIES):
                try:
                    async with self._writing() as database:
                        return await work(database)
                except DBAPIError as error:
                    if not _was_given_up(error) or turn == TRIES - 1:
                        raise
                    await asyncio.sleep(0.005 * secrets.randbelow(turn + 2))
            raise AssertionError("the last turn answers or raises")

        return await self._run(write())

    def _writing(self) -> Any:
        return self._engine.execution_options(writes=True).begin()

    async def _open(self) -> None:
        """Make the table, once: who comes meanwhile waits for that."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.get_running_loop().create_task(self._make())
        await asyncio.shield(self._opening)

    async def _make(self) -> None:
        async with self._writing() as database:
            if self._dialect == "postgresql":
                # IF NOT EXISTS alone fails where two make it at once. Held until the commit.
                await database.execute(text("SELECT pg_advisory_xact_lock(7406291835)"))
            await database.execute(CreateTable(SESSIONS, if_not_exists=True))
            await database.execute(CreateIndex(_BY_ACTIVITY, if_not_exists=True))

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, and come back when it is done, also when cancelled."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._is_closed or self._loop is not loop:
            work.close()
            why = "was closed" if self._is_closed else "belongs to another event loop"
            raise StoreClosedError(f"the store {why}: open another one")
        task = loop.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Else what was sent would take effect when its caller believes that it is over.
            while not task.done():
                try:
                    await asyncio.wait({task})
                except asyncio.CancelledError:
                    continue
            task.cancelled() or task.exception()
            raise
        except StatementError as error:
            # Not chained: with its parameters hidden it still leads to the driver's own error,
            # and that one quotes the row.
            raise _told(error) from None

    def _upsert(self, row: dict[str, Any], changes: dict[str, Any]) -> Any:
        """Insert the row, or change what `save` owns in the one that is there."""
        if self._dialect in {"mysql", "mariadb"}:
            return mysql.insert(SESSIONS).values(row).on_duplicate_key_update(changes)
        dialect = postgresql if self._dialect == "postgresql" else sqlite
        made = dialect.insert(SESSIONS).values(row)
        return made.on_conflict_do_update(index_elements=["digest"], set_=changes)


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # Transactions begin where `_begin_on_sqlite` says so, and not where Python's module does.
    connection.isolation_level = None
    # EXTRA is what makes the removal of the rollback journal, which is the commit, lasting.
    for pragma in ("busy_timeout = 5000", "synchronous = EXTRA"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_on_sqlite(connection: Any) -> None:
    # A transaction that reads first, and writes then, fails when another one wrote in between.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _was_given_up(error: DBAPIError) -> bool:
    """Whether the database ended the transaction as one of several that blocked each other."""
    original: Any = error.orig
    return not GIVEN_UP.isdisjoint([getattr(original, "sqlstate", None), *original.args[:1]])


def _told(error: StatementError) -> DatabaseError:
    """Word an error by what it is: nothing of what was stored, or was to be, is in that."""
    original: Any = error.orig
    codes = [getattr(original, name, None) for name in ("sqlstate", "sqlite_errorname")]
    codes += [one for one in original.args[:1] if isinstance(one, int)]
    code = next((one for one in codes if one), "no code")
    kind = RowRefusedError if isinstance(error, IntegrityError) else DatabaseError
    return kind(f"{type(error).__name__} ({code})")


def _now() -> int:
    return _microseconds(datetime.now(UTC))


def _microseconds(moment: datetime) -> int:
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _key(session_id: str) -> dict[str, str]:
    """Word the id as the table has it; raise where it can name no session."""
    if not isinstance(session_id, str) or not session_id or "\0" in session_id:
        raise ValueError(f"a session id is a text without NUL, and not empty: {session_id!r}")
    digest = hashlib.sha256(session_id.encode()).hexdigest()
    return {"digest": digest, "session_id": session_id}


def checked(value: Any) -> Any:
    """Answer the value; raise where JSON would not keep it as it is."""
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key is a text, not {key!r}")
            checked(key)
            checked(member)
    elif isinstance(value, list):
        for member in value:
            checked(member)
    elif isinstance(value, str):
        value.encode()  # which refuses half of a surrogate pair
    elif value is not None and not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return value


def worded(value: Any) -> str:
    """Word a value as JSON in ASCII; raise where it could not be read again as it is."""
    return json.dumps(checked(value), allow_nan=False)
