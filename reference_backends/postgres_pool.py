"""A pool of asyncpg connections, opened once by whoever comes first, and closed for good."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast
from weakref import WeakValueDictionary

import asyncpg

from reference_backends.postgres_errors import is_lost, is_outdated
from reference_backends.postgres_gate import Gate
from sessionstore_contract.interface import (
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reference_backends.postgres_layout import Connection

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]

RELEASE_TIMEOUT = 2.0
"""Seconds for the server to confirm that a statement was cancelled."""

NEVER = 2**62
"""Statements after which a connection would be replaced; one that is idle for 5 minutes is."""

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
        self._opening: asyncio.Task[_Opened] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_doubtful = False
        self._tried: set[int] = set()
        self._releasing: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.is_closed = False

    def connection(self, turn: str | None = None) -> _Loan:
        """Lend a connection; those who name the same turn get one after the other.

        Writers of one session would wait for each other on the server, each with a connection in
        its hands: a session that is stuck would hold the whole pool.

        Raises:
            StoreClosedError: the pool was closed.
            StoreUnavailableError: there was no connection in time.
        """
        return _Loan(self, turn)

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

    async def _opened(self) -> _Opened:
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

    async def _open(self) -> _Opened:
        self._is_doubtful = False
        # No connection is opened ahead of use, none has settings to reset after use, and none is
        # closed for its age by whoever comes back from its last statement.
        pool: Pool = asyncpg.create_pool(
            self._dsn, min_size=0, max_queries=NEVER, reset=_leave_as_it_is, **self._settings
        )
        await pool
        try:
            connection = await self._acquired(pool)
            try:
                await self._prepare(connection)
            finally:
                await self._release(pool, connection)
        except BaseException:
            pool.terminate()
            raise
        return _Opened(pool, Gate(self._settings["max_size"], partial(self._give_back, pool)))

    def _forget_failed(self, opening: asyncio.Task[_Opened]) -> None:
        if opening.cancelled() or opening.exception() is not None:
            self._opening = None

    async def lend(self, loan: _Loan) -> None:
        """Give the loan its turn and its connection, in time."""
        try:
            async with asyncio.timeout(self._acquire_timeout):
                opened = await self._opened()
                if loan.turn is not None:
                    lock = self._turns.setdefault(loan.turn, asyncio.Lock())
                    await lock.acquire()
                    loan.lock = lock
                await self._let_in(loan, *opened)
        except TimeoutError:
            raise StoreUnavailableError(
                "PostgreSQL gave no connection in time", is_retry_safe=True
            ) from None

    async def _let_in(self, loan: _Loan, pool: Pool, gate: Gate[Connection]) -> None:
        while True:
            is_growing, spare = await gate.enter()
            try:
                connection = await self._usable(pool, spare)
            except BaseException as error:
                if is_growing and isinstance(error, asyncpg.TooManyConnectionsError):
                    # The others have connections, which they will leave: it needs none of its own.
                    gate.stop_growing()
                    continue
                gate.leave(is_growing=is_growing)
                raise
            break
        if is_growing:
            gate.grown()
        loan.gate, loan.pool, loan.connection = gate, pool, connection

    async def take_back(self, loan: _Loan, error: BaseException | None) -> None:
        """Take the connection back, after what happened while it was lent."""
        if loan.gate is None or loan.pool is None or loan.connection is None:
            return
        if error is None and not self.is_closed:
            loan.gate.leave(loan.connection)
            return
        try:
            await self._take_back(loan.pool, loan.connection, error)
        finally:
            loan.gate.leave()

    async def _take_back(
        self, pool: Pool, connection: Connection, error: BaseException | None
    ) -> None:
        # Of the ones that are passed over asyncpg knows what the connection is in the middle of.
        if error is not None and not isinstance(error, _KNOWN):
            if not isinstance(error, asyncpg.PostgresError) or is_outdated(error):
                _end(connection)
            if isinstance(error, Exception) and is_lost(error):
                self._is_doubtful = True
                self._tried.clear()
        await self._release(pool, connection)

    def _give_back(self, pool: Pool, connection: Connection) -> None:
        releasing = asyncio.get_running_loop().create_task(self._release(pool, connection))
        self._releasing.add(releasing)
        releasing.add_done_callback(self._releasing.discard)

    async def _usable(self, pool: Pool, spare: Connection | None) -> Connection:
        """Answer the spare, or another connection where it has ended; in doubt one that is served.

        Where one connection was lost, others may be dead too, and each would cost a write.
        """
        connection = spare
        while True:
            if connection is None:
                connection = await self._acquired(pool)
            if _is_open(connection) and await self._is_served(pool, connection):
                return connection
            _end(connection)
            await self._release(pool, connection)
            connection = None

    async def _is_served(self, pool: Pool, connection: Connection) -> bool:
        if not self._is_doubtful or connection.get_server_pid() in self._tried:
            return True
        try:
            await connection.execute("SELECT 1")
        except Exception:  # noqa: BLE001 - however it fails, it is of no use
            return False
        except BaseException:
            await self._release(pool, connection)
            raise
        self._tried.add(connection.get_server_pid())
        return True

    async def _acquired(self, pool: Pool) -> Connection:
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

    async def _release(self, pool: Pool, connection: Connection) -> None:
        try:
            await pool.release(connection, timeout=RELEASE_TIMEOUT)
        except Exception:  # noqa: BLE001 - however it fails, the connection is of no use
            # In most cases asyncpg has ended it. A pool that was closed meanwhile takes nothing
            # back, and with asyncpg 0.30 whoever waits for a connection would wait for ever.
            _end(connection)

    async def _close(self) -> None:
        opening = self._opening
        if opening is None:
            return
        if not opening.done():
            opening.cancel()
            await asyncio.wait({opening})
        if opening.cancelled() or opening.exception() is not None:
            return
        pool, gate = opening.result()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                for connection in gate.close():
                    await self._release(pool, connection)
                await pool.close()
        except Exception:  # noqa: BLE001 - whatever it was, the connections are given up
            pool.terminate()


class _Opened(NamedTuple):
    """A pool that is open, and what lets in to its connections."""

    pool: Pool
    gate: Gate[Connection]


_KNOWN = (StoreClosedError, TimeoutError, asyncio.CancelledError)


class _Loan:
    """A connection for the length of an `async with`; every operation makes one."""

    __slots__ = ("_lender", "connection", "gate", "lock", "pool", "turn")

    def __init__(self, lender: FirstUsePool, turn: str | None) -> None:
        self._lender = lender
        self.turn = turn
        self.lock: asyncio.Lock | None = None
        self.gate: Gate[Connection] | None = None
        self.pool: Pool | None = None
        self.connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        try:
            await self._lender.lend(self)
        except BaseException:
            self._end_turn()
            raise
        return cast("Connection", self.connection)

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            await self._lender.take_back(self, error)
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self.lock is not None:
            self.lock.release()


def _is_open(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # It has ended by itself, and left the pool.
        return False


def _end(connection: Connection) -> None:
    with suppress(asyncpg.InterfaceError):  # As above.
        connection.terminate()


async def _leave_as_it_is(_connection: object) -> None:
    """Do nothing: resetting would cost a round trip for each operation."""
