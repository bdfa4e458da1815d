"""Makes and drops places on a PostgreSQL server: databases, or schemas where that is all it may."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionstore_contract.storage import StorageUnavailableError, emptying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from sessionstore_contract.storage.dsn import Dsn

ANSWER_TIMEOUT = 4.0
"""Seconds for a server to take a connection."""

COMMAND_TIMEOUT = 20.0
"""Seconds for one statement; a database on a slow disk takes some."""

WAY_OUT = "name another one with --postgres or SESSIONSTORE_POSTGRES_DSN"


@dataclass(frozen=True)
class Place:
    """One fresh place and what it is called on the server."""

    name: str
    dsn: str
    is_schema: bool


class PlaceServer:
    """A server that places are made on; used from one event loop."""

    def __init__(self, dsn: Dsn, mark: str = "") -> None:
        """Make places on this server; by their `mark` those of one run are known, if it has one."""
        self._dsn = dsn
        self._mark = mark
        # Two connections, so that no place that is wanted waits for one that is dropped.
        name = f"contract_{mark}" if mark else ""
        self._maker = Administrator(dsn, name)
        self._dropper = Administrator(dsn, name)
        self._makes_schemas = False
        self._strategy = ""
        self._can_empty = False
        self._spares: list[str] = []
        self._run = mark + secrets.token_hex(6)
        self._count = 0
        self.version: str | None = None

    async def make(self) -> Place:
        """Make a database, or a schema if the role may make no database.

        Raises:
            StorageUnavailableError: neither could be made.
        """
        self._count += 1
        name = f"contract_{self._run}_{self._count}"
        if not self._makes_schemas:
            if self.version is None:
                await self._learn()
            if self._spares and await self._is_renamed(self._spares.pop(), name):
                return Place(name, str(self._dsn.with_database(name)), is_schema=False)
            error = await self._maker.execute(
                f"CREATE DATABASE {name} TEMPLATE template0{self._strategy}"
            )
            if error is None:
                return Place(name, str(self._dsn.with_database(name)), is_schema=False)
            if error.sqlstate != "42501":  # insufficient privilege
                raise unavailable(self._dsn, error)
            self._makes_schemas = True
        error = await self._maker.execute(f"CREATE SCHEMA {name}")
        if error is not None:
            raise StorageUnavailableError(
                f"the role may make neither databases nor schemas at {self._dsn.where}: "
                f"ALTER ROLE ... CREATEDB, or {WAY_OUT}"
            )
        return Place(name, str(self._dsn.with_search_path(name)), is_schema=True)

    async def drop(self, place: Place) -> None:
        """Drop the place, whoever is connected to it; quiet when it can't be done."""
        try:
            if place.is_schema:
                await self._dropper.execute(_ENDING_WHO_HOLDS.format(name=place.name))
                await self._dropper.execute(f"DROP SCHEMA IF EXISTS {place.name} CASCADE")
            elif not (self._can_empty and await self._is_emptied(place.name)):
                await self._dropper.execute(f"DROP DATABASE IF EXISTS {place.name} WITH (FORCE)")
        except StorageUnavailableError:
            pass  # A server that is gone holds no places.

    async def connections(self, place: Place) -> int | None:
        """Count the connections to a database; None for a schema, which they do not show."""
        if place.is_schema:
            return None
        row = await self._maker.fetch(_WHO_IS_CONNECTED.format(name=place.name))
        return int(row[0])

    @property
    def is_plain(self) -> bool:
        """Whether it is known that connections to the server are not encrypted."""
        return self._maker.is_plain

    async def _is_renamed(self, spare: str, name: str) -> bool:
        if await self._maker.execute(f"ALTER DATABASE {spare} RENAME TO {name}") is None:
            return True
        await self._maker.execute(f"DROP DATABASE IF EXISTS {spare} WITH (FORCE)")
        return False

    async def _is_emptied(self, name: str) -> bool:
        """Keep the database as a spare one; answer whether the one of that name is gone so."""
        self._count += 1
        spare = f"contract_{self._run}_{self._count}"
        setting_aside = emptying.SETTING_ASIDE.format(name=name, spare=spare)
        if await self._dropper.execute(setting_aside) is not None:
            return False
        dsn = self._dsn.with_database(spare)
        inside = Administrator(dsn, self._dropper.name, asks_for_tls=not self.is_plain)
        try:
            is_empty = await inside.execute(emptying.EMPTYING) is None
        except StorageUnavailableError:
            is_empty = False
        finally:
            await inside.close()
        if is_empty:
            self._spares.append(spare)
        else:
            await self._dropper.execute(f"DROP DATABASE IF EXISTS {spare} WITH (FORCE)")
        return True

    async def drop_marked(self) -> None:
        """Drop what all the processes of this run have left, whoever made it.

        They are gone, but the server ends what it was asked to make for them, and then hears that
        nobody listens: it is stopped first.

        Raises:
            StorageUnavailableError: the server is gone, or too slow.
        """
        await self._dropper.execute(_ENDING_WHO_MAKES.format(name=self._dropper.name))
        (databases,) = await self._dropper.fetch(_MARKED_DATABASES.format(mark=self._mark))
        for name in databases:
            await self._dropper.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        (schemas,) = await self._dropper.fetch(_MARKED_SCHEMAS.format(mark=self._mark))
        for name in schemas:
            await self.drop(Place(name, "", is_schema=True))

    async def close(self) -> None:
        try:
            while self._spares:
                spare = self._spares.pop()
                await self._dropper.execute(f"DROP DATABASE IF EXISTS {spare} WITH (FORCE)")
        except StorageUnavailableError:
            pass
        await self._maker.close()
        await self._dropper.close()

    async def _learn(self) -> None:
        # Copying files is three times faster than copying through the log, but it makes a
        # checkpoint; that costs nothing only on a server which never waits for its disk.
        version, number, fsync = await self._maker.fetch(
            "SELECT current_setting('server_version'),"
            " current_setting('server_version_num')::int, current_setting('fsync')"
        )
        if number >= 150_000 and fsync == "off":
            self._strategy = " STRATEGY file_copy"
        self._can_empty = number >= emptying.EARLIEST
        self.version = version.split()[0]


_ENDING_WHO_HOLDS = """
SELECT pg_terminate_backend(pid, 2000)
FROM (SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
      WHERE c.relnamespace = to_regnamespace('{name}')
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.pid <> pg_backend_pid()) AS holder
"""


# By the application's name: a connection that was not yet asked anything shows nothing else.
_ENDING_WHO_MAKES = """
SELECT pg_terminate_backend(pid, 10000)
FROM pg_stat_activity WHERE application_name = '{name}' AND pid <> pg_backend_pid()
"""


_MARKED_DATABASES = """
SELECT coalesce(array_agg(datname::text), '{{}}')
FROM pg_database WHERE starts_with(datname, 'contract_{mark}')
"""

_MARKED_SCHEMAS = """
SELECT coalesce(array_agg(nspname::text), '{{}}')
FROM pg_namespace WHERE starts_with(nspname, 'contract_{mark}')
"""


_WHO_IS_CONNECTED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = '{name}' AND backend_type = 'client backend'
"""


class _RefusedError(Exception):
    def __init__(self, refusal: asyncpg.PostgresError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class Administrator:
    """One connection, made on first use and again when it was lost.

    It asks for no TLS where that is known to be in vain: to get ready for it, and to ask, was a
    third of what a connection costs the client.
    """

    def __init__(self, dsn: Dsn, name: str = "", *, asks_for_tls: bool = True) -> None:
        self._dsn = dsn
        self.name = name
        """What the server calls the application; empty: as the DSN says."""
        self._asks_for_tls = asks_for_tls
        self.is_plain = False
        """Whether the connection that was made last is not encrypted."""
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()

    async def execute(self, statement: str) -> asyncpg.PostgresError | None:
        """Execute one statement; answer the server's refusal, if any.

        Raises:
            StorageUnavailableError: the server is gone, or too slow.
        """
        try:
            async with self._connected() as connection:
                await connection.execute(statement)
        except _RefusedError as refused:
            return refused.refusal
        return None

    async def fetch(self, query: str) -> asyncpg.Record:
        """Answer the one row of the query.

        Raises:
            StorageUnavailableError: the server is gone, or too slow, or refuses.
        """
        try:
            async with self._connected() as connection:
                row = await connection.fetchrow(query)
        except _RefusedError as refused:
            raise unavailable(self._dsn, refused.refusal) from None
        if row is None:
            raise StorageUnavailableError(f"PostgreSQL at {self._dsn.where} answers no row")
        return row

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        async with self._turn:
            if self._connection is None or self._connection.is_closed():
                self._connection = await _connect(
                    self._dsn, self.name, asks_for_tls=self._asks_for_tls
                )
                self.is_plain = _is_plain(self._connection)

            import asyncpg  # noqa: PLC0415 - not before it is used, and by now it is

            try:
                yield self._connection
            except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError) as error:
                self._connection.terminate()
                raise unavailable(self._dsn, error) from None
            except asyncpg.PostgresError as refusal:
                raise _RefusedError(refusal) from None

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=2)
            except (OSError, TimeoutError):
                connection.terminate()


def _is_plain(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
    # As this end sees it: to ask the server by SQL would ask the one behind a pooler.
    transport = getattr(connection, "_transport", None)
    return transport is not None and transport.get_extra_info("ssl_object") is None


async def _connect(
    dsn: Dsn, name: str, *, asks_for_tls: bool
) -> asyncpg.Connection[asyncpg.Record]:
    try:
        import asyncpg  # noqa: PLC0415 - not before it is used
    except ImportError:
        raise StorageUnavailableError(
            "asyncpg is missing: pip install 'sessionstore-contract[postgres]'"
        ) from None
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            return await asyncpg.connect(
                str(dsn),
                ssl=None if asks_for_tls else False,
                timeout=ANSWER_TIMEOUT,
                command_timeout=COMMAND_TIMEOUT,
                server_settings={"application_name": name} if name else None,
            )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        failure = unavailable(dsn, error)
    raise failure


def unavailable(dsn: Dsn, error: Exception) -> StorageUnavailableError:
    """Say in one line why the server can't be used and what to do; never the password."""
    sqlstate = str(getattr(error, "sqlstate", ""))
    if sqlstate.startswith("28"):
        said = f"PostgreSQL at {dsn.where} refuses user {dsn.user!r}: check name and password"
    elif sqlstate == "3D000":
        said = f"PostgreSQL at {dsn.where} has no database {dsn.database or dsn.user!r}: create it"
    elif isinstance(error, TimeoutError):
        said = f"PostgreSQL at {dsn.where} does not answer in time: see whether it is well"
    elif isinstance(error, OSError):
        said = f"no PostgreSQL answers at {dsn.where}: start it"
    else:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if dsn.password:
            reason = reason.replace(dsn.password, "***")
        said = f"PostgreSQL at {dsn.where} can't be used ({reason}): see its log"
    return StorageUnavailableError(f"{said}, or {WAY_OUT}")
