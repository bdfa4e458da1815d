"""Fresh places on a PostgreSQL server: a database each, made ahead and dropped behind."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sessionstore_contract.storage import StorageUnavailableError
from sessionstore_contract.storage.dsn import Dsn, MalformedDsnError
from sessionstore_contract.storage.postgres_server import WAY_OUT, Place, PlaceServer
from sessionstore_contract.storage.service_loop import ServiceLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from contextlib import AbstractContextManager

    from sessionstore_contract.storage import OwnServer

T = TypeVar("T")

TIMEOUT = 45.0
"""Seconds for anything that is asked of the server from outside its loop."""


class PostgresStorage:
    """Provides databases on the server of a DSN, or schemas if its role may make no database.

    A place is a DSN that asyncpg and psycopg read alike. Names are random for each run, so
    that several runs can share a server. Nothing is made before the first `fresh`.
    """

    name = "postgres"

    def __init__(
        self,
        server_dsn: str,
        own_server: Callable[[], AbstractContextManager[OwnServer | None]] = nullcontext,
        mark: str = "",
    ) -> None:
        """Provide places on the server of this DSN; `own_server` starts one for a place alone.

        Processes of one run have one `mark`, by which `drop_left` finds their places.
        """
        try:
            dsn = Dsn.parse(server_dsn)
        except MalformedDsnError as error:
            raise StorageUnavailableError(f"{error}, or {WAY_OUT}") from None
        self._loop = ServiceLoop()
        self._places = _Places(PlaceServer(dsn, mark))
        self._is_closed = False
        self.own_server = own_server
        """Gives a server that serves one place alone; None where the kit starts none."""

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Make a place that nobody has used; drop it afterwards, whoever is connected to it.

        Raises:
            StorageUnavailableError: the server can't be reached or refuses; one line that says
                why and the way out, never the password.
        """
        if self._is_closed:
            raise StorageUnavailableError("the storage was closed: open another one")
        place = self._run(self._places.take())
        try:
            yield place.dsn
        finally:
            if not self._is_closed:
                self._run(self._places.give_back(place))

    def connections(self, place: str) -> int | None:
        """Count the connections to a place, as the server sees them.

        None where places are schemas: a connection does not show which of them it is for.
        """
        return self._run(self._places.connections(place))

    @property
    def is_plain(self) -> bool:
        """Whether the server was found to encrypt no connection; False before the first place."""
        return self._places.server.is_plain

    def server(self) -> str | None:
        """Answer for example `PostgreSQL 18.1`, or None before the first place was made."""
        version = self._places.server.version
        return None if version is None else f"PostgreSQL {version}"

    def close(self) -> None:
        """Drop what is left and wait until it is dropped; may be called again."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._places.is_used:
                self._run(self._places.close())
        finally:
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._loop.run(work, timeout=TIMEOUT)
        except TimeoutError:
            pass
        raise StorageUnavailableError(
            f"PostgreSQL did not make or drop a place within {TIMEOUT:.0f} s: "
            f"see whether it is well, or {WAY_OUT}"
        )


def drop_left(server_dsn: str, mark: str) -> None:
    """Drop the places of a run whose processes are gone; quiet where that can't be done."""

    async def drop() -> None:
        server = PlaceServer(Dsn.parse(server_dsn), mark)
        try:
            await server.drop_marked()
        finally:
            await server.close()

    with suppress(MalformedDsnError, StorageUnavailableError, TimeoutError):
        asyncio.run(asyncio.wait_for(drop(), TIMEOUT))


class _Places:
    """What lives on the service loop: the place made ahead, those in use, those being dropped."""

    def __init__(self, server: PlaceServer) -> None:
        self.server = server
        self.is_used = False
        self._next: asyncio.Task[Place] | None = None
        self._in_use: set[Place] = set()
        self._drops: set[asyncio.Task[None]] = set()

    async def take(self) -> Place:
        self.is_used = True
        ahead, self._next = self._next, None
        place = await self._made(ahead)
        self._in_use.add(place)
        if self._next is None:
            self._next = asyncio.create_task(self.server.make())
            # Told to whoever takes this place, or to nobody.
            self._next.add_done_callback(lambda made: made.cancelled() or made.exception())
        return place

    async def give_back(self, place: Place) -> None:
        if place in self._in_use:
            self._in_use.remove(place)
            self._drop_soon(place)

    async def connections(self, dsn: str) -> int | None:
        found = next((place for place in self._in_use if place.dsn == dsn), None)
        return None if found is None else await self.server.connections(found)

    async def close(self) -> None:
        if self._next is not None:
            await asyncio.wait({self._next})
            if self._next.exception() is None:
                self._drop_soon(self._next.result())
        for place in tuple(self._in_use):
            await self.give_back(place)
        if self._drops:
            await asyncio.wait(self._drops)
        await self.server.close()

    async def _made(self, ahead: asyncio.Task[Place] | None) -> Place:
        if ahead is not None:
            try:
                return await ahead
            except StorageUnavailableError:
                pass  # What failed then may work now.
        return await self.server.make()

    def _drop_soon(self, place: Place) -> None:
        drop = asyncio.create_task(self.server.drop(place))
        self._drops.add(drop)
        drop.add_done_callback(self._drops.discard)
