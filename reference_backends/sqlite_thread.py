"""One SQLite connection on a thread of its own: what the store asks of aiosqlite."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import aiosqlite

from reference_backends.sqlite_errors import translation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
ConnectionT = TypeVar("ConnectionT", bound="sqlite3.Connection")


class ThreadedConnection(Generic[ConnectionT]):
    """A connection that leaves nothing of its own running: no thread, no call half-way.

    aiosqlite runs each call on its thread, one after the other. A call whose caller is cancelled
    runs on there, and if the event loop is closed before it ends, the thread dies of it. So a
    cancelled call is waited for here; the calls of this store end within its lock time-out.
    """

    def __init__(self, connect: Callable[[], ConnectionT], path: str) -> None:
        self._connect = connect
        self._path = path
        self._thread: Future[threading.Thread] = Future()
        self._database: ConnectionT | None = None
        self._connection = self._make_connection()

    async def open(self) -> None:
        """Start the thread, and connect on it; what fails or is cancelled leaves no thread."""
        try:
            await self._connection
        except BaseException:
            # aiosqlite (from 0.22 on also when cancelled) has told its thread to end by now. Only
            # whoever ends the event loop cancels this, and must not close it before the thread has
            # ended: so the loop stands still for once.
            self._thread.result().join()
            if self._database is not None:
                self._database.close()
            raise

    @property
    def database(self) -> ConnectionT:
        """The connection, once it is open; its statements belong on its thread."""
        if self._database is None:
            raise RuntimeError("the connection is not open yet")
        return self._database

    async def fetch(self, sql: str, parameters: Iterable[Any]) -> list[Any]:
        """Answer the rows of one statement, or raise the interface's exceptions."""
        try:
            rows = await self._connection.execute_fetchall(sql, parameters)
        except asyncio.CancelledError:
            await self._wait_for_calls()
            raise
        except sqlite3.Error as error:
            raise translation(error, self._path) from error
        return rows if isinstance(rows, list) else list(rows)

    async def commit(self) -> None:
        """Call `commit` of the connection on its thread."""
        try:
            await self._connection.commit()
        except asyncio.CancelledError:
            await self._wait_for_calls()
            raise

    async def close(self) -> None:
        """Close the connection after the calls that were made, and see its thread end."""
        thread = self._thread.result()
        if thread.is_alive():
            await self._connection.close()
            thread.join()  # it has answered its last call: nothing is waited for

    async def _wait_for_calls(self) -> None:
        """The thread serves in order: when it answers this call, the earlier ones have ended."""
        while True:
            try:
                await self._connection.rollback()
            except asyncio.CancelledError:
                continue
            except ValueError:  # closed meanwhile, after the calls that were made
                return
            else:
                return

    def _connect_on_thread(self) -> sqlite3.Connection:
        self._thread.set_result(threading.current_thread())
        self._database = self._connect()
        return self._database

    def _make_connection(self) -> aiosqlite.Connection:
        """Make a connection whose thread does not keep a process from ending.

        A process that forgets `close` would wait for aiosqlite's thread for ever. A thread is a
        daemon when the thread that makes it is one: that is the way which is public. What was
        acknowledged is on the disk by then, and SQLite undoes the rest.
        """
        made: list[aiosqlite.Connection] = []

        def make() -> None:
            made.append(aiosqlite.Connection(self._connect_on_thread, iter_chunk_size=64))

        maker = threading.Thread(target=make, daemon=True)
        maker.start()
        maker.join()
        return made[0]
