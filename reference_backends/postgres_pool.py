"""A pool of asyncpg connections, opened once by whoever comes first, and closed for good."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import asyncpg

from reference_backends.postgres_errors import is_lost
from sessionstore_contract.interface import (
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from reference_backends.postgres_layout import Connection

RELEASE_TIMEOUT = 2.0
"""Seconds for the server to confirm that a statement was cancelled."""

CLOSE_TIMEOUT = 5.0
"""Seconds for operations under way to finish when the store is closed."""


class FirstUsePool:
    """Opens itself on first use, in that event loop, and lends connections.

    However many come first at once, one pool is opened. An opening that fails is tried again by
    the next use.
    """

    def __init__(
        self,
        dsn: str,
        prepare: Callable[[Connection], Awaitable[None]],
        *,
        acquire_timeout: float,
        **settings: Any,
    ) -> None:
        self._dsn = dsn
        self._prepare = prepare
        self._acquire_timeout = acquire_timeout
        self._settings = settings
        self._opening: asyncio.Task[asyncpg.Pool[asyncpg.Record]] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_doubtful = False
        self._tried: set[int] = set()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.is_closed = False

    @asynccontextmanager
    async def connection(self, turn: str | None = None) -> AsyncIterator[Connection]:
        """Lend a connection; those who name the same turn get one after the other.

        Writers of one session would wait for each other on the server, each with a connection in
        its hands: a session that is stuck would hold the whole pool.

        Raises:
            StoreClosedError: the pool was closed.
            StoreUnavailableError: there was no connection in time.
        """
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._acquire_timeout):
                    pool = await self._opened()
                    if turn is not None:
                        await held.enter_async_context(self._turns.setdefault(turn, asyncio.Lock()))
                    connection = await held.enter_async_context(self._lent(pool))
            except TimeoutError:
                raise StoreUnavailableError(
                    "PostgreSQL gave no connection in time", is_retry_safe=True
                ) from None
            yield connection

    async def close(self) -> None:
        """Close every connection; operations under way have some seconds to finish."""
        self.is_closed = True
        if self._loop is None:
            return
        if self._loop is not asyncio.get_running_loop():
            if self._loop.is_running():
                asyncio.run_coroutine_threadsafe(self.close(), self._loop)
            return
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _opened(self) -> asyncpg.Pool[asyncpg.Record]:
        if self.is_closed:
            raise StoreClosedError("the store was closed: open another one")
        loop = asyncio.get_running_loop()
        if self._opening is None:
            self._loop = loop
        elif self._loop is not loop:
            raise SessionStoreError(
                "the store is in use by another event loop: open one store for each loop"
            )
        opening = self._opening
        if opening is None:
            opening = self._opening = loop.create_task(self._open())
            opening.add_done_callback(self._forget_failed)
        if not opening.done():
            await asyncio.wait({opening})  # Cancelling one who waits does not cancel the others.
        if opening.cancelled():
            raise StoreClosedError("the store was closed while it was opened")
        return opening.result()

    async def _open(self) -> asyncpg.Pool[asyncpg.Record]:
        self._is_doubtful = False
        # No connection is opened ahead of use, and none has settings to reset after use.
        pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            self._dsn, min_size=0, reset=_leave_as_it_is, **self._settings
        )
        await pool
        try:
            async with self._lent(pool) as connection:
                await self._prepare(connection)
        except BaseException:
            pool.terminate()
            raise
        return pool

    def _forget_failed(self, opening: asyncio.Task[asyncpg.Pool[asyncpg.Record]]) -> None:
        if opening.cancelled() or opening.exception() is not None:
            self._opening = None

    @asynccontextmanager
    async def _lent(self, pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
        connection = await self._acquired(pool)
        try:
            if self._is_doubtful:
                connection = await self._tried_out(pool, connection)
            yield connection
        except (StoreClosedError, TimeoutError, asyncio.CancelledError):
            raise  # asyncpg knows what the connection is in the middle of, and cancels that
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError):
                _end(connection)
            if isinstance(error, Exception) and is_lost(error):
                self._is_doubtful = True
                self._tried.clear()
            raise
        finally:
            await self._release(pool, connection)

    async def _acquired(self, pool: asyncpg.Pool[asyncpg.Record]) -> Connection:
        # The pool's own time-out can swallow a cancellation on Python 3.11; ours is outside.
        try:
            connection = await pool.acquire()
        except asyncpg.InterfaceError:
            if not self.is_closed:
                raise
        else:
            if not self.is_closed:
                return connection
            await self._release(pool, connection)
        raise StoreClosedError("the store was closed")

    async def _release(self, pool: asyncpg.Pool[asyncpg.Record], connection: Connection) -> None:
        # When this fails, asyncpg has ended the connection.
        with suppress(Exception):
            await pool.release(connection, timeout=RELEASE_TIMEOUT)

    async def _tried_out(
        self, pool: asyncpg.Pool[asyncpg.Record], connection: Connection
    ) -> Connection:
        """Answer a connection that the server is known to serve.

        Where one connection was lost, others may be dead too, and each would cost a write.
        """
        while (server_process := connection.get_server_pid()) not in self._tried:
            try:
                await connection.execute("SELECT 1")
            except Exception:  # noqa: BLE001 - however it fails, it is of no use
                _end(connection)
                await self._release(pool, connection)
                connection = await self._acquired(pool)
            else:
                self._tried.add(server_process)
        return connection

    async def _close(self) -> None:
        opening = self._opening
        if opening is None:
            return
        if not opening.done():
            opening.cancel()
            await asyncio.wait({opening})
        if opening.cancelled() or opening.exception() is not None:
            return
        pool = opening.result()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await pool.close()
        except Exception:  # noqa: BLE001 - whatever it was, the connections are given up
            pool.terminate()


def _end(connection: Connection) -> None:
    with suppress(asyncpg.InterfaceError):  # It has ended by itself, and left the pool.
        connection.terminate()


async def _leave_as_it_is(_connection: object) -> None:
    """Do nothing: resetting would cost a round trip for each operation."""
