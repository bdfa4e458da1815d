"""Group commit: the writes of many callers in one transaction, each with its own fate."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from sessionstore_contract.interface import SessionStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_backends.sqlite_thread import ThreadedConnection

Statements: TypeAlias = "Callable[[sqlite3.Connection], Any]"
"""The statements of one write; may be run again after they were rolled back."""

LINGER = 0.0005
"""Seconds that the thread waits for the next write before it is asked again.

Whoever writes one thing after the other has the next one ready in a tenth of that.
"""

MAX_GROUP = 128
"""Writes in one transaction: it holds up the writers of other processes while it lasts."""


class _Write:
    """One write: its statements, what became of them, and where the caller waits."""

    def __init__(self, statements: Statements, answer: asyncio.Future[Any]) -> None:
        self.statements = statements
        self.answer = answer
        self._outlasting: asyncio.Future[None] | None = None
        self._is_delivered = False
        self.result: Any = None
        self.error: Exception | None = SessionStoreError("the write was cut off and rolled back")

    def settle(self, result: Any = None, error: Exception | None = None) -> None:
        self.result, self.error = result, error

    def deliver(self) -> None:
        self._is_delivered = True
        if self._outlasting is not None and not self._outlasting.done():
            self._outlasting.set_result(None)
        if self.answer.done():
            return
        if self.error is None:
            self.answer.set_result(self.result)
        else:
            self.answer.set_exception(self.error)

    async def outlast(self) -> None:
        """Wait, however often the caller is cancelled, until the write has ended."""
        while not self._is_delivered:
            self._outlasting = asyncio.get_running_loop().create_future()
            with suppress(asyncio.CancelledError):
                await self._outlasting
        if self.answer.done() and not self.answer.cancelled():
            self.answer.exception()  # looked at: else asyncio logs that nobody did


class WriteQueue:
    """The writes that wait, and those that have ended and are not yet delivered.

    The event loop and the writing thread share it. Whoever takes a write out owns it: the thread
    to run it, or its cancelled caller to drop it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[_Write] = deque()
        self._ended: list[_Write] = []
        self._is_last = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, write: _Write) -> None:
        with self._lock:
            self._waiting.append(write)
            self._is_last = False
            self._changed.notify()

    def expect_no_more(self) -> None:
        """Let the thread wait for no other write."""
        with self._lock:
            self._is_last = True
            self._changed.notify()

    def has_more(self) -> bool:
        """Answer whether another write is there or comes in `LINGER` seconds, on the thread."""
        with self._lock:
            if not self._waiting and not self._is_last:
                self._changed.wait(LINGER)
            return bool(self._waiting)

    def withdraw(self, write: _Write) -> bool:
        with self._lock:
            if write not in self._waiting:
                return False
            self._waiting.remove(write)
            return True

    def waiting(self) -> list[_Write]:
        with self._lock:
            return list(self._waiting)

    def take(self) -> list[_Write]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]

    def end(self, writes: list[_Write]) -> None:
        """Take over what was taken, and is to be delivered."""
        with self._lock:
            self._ended += writes

    def fail(self, writes: list[_Write], error: Exception) -> None:
        """End those of the writes that still wait."""
        for write in writes:
            if self.withdraw(write):
                write.settle(error=error)
                self.end([write])

    def deliver(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, []
        for write in ended:
            write.deliver()

    def deliver_soon(self) -> None:
        """Have them delivered, from the thread.

        So the callers are awake before the task that waits for the thread, and may have the next
        write ready for it.
        """
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed, and nobody waits
                self._loop.call_soon_threadsafe(self.deliver)

    def deliver_in(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop


class GroupConnection(sqlite3.Connection):
    """A connection whose `commit` runs the writes that wait, and commits them together.

    aiosqlite has no public call that runs a function on its thread, and a trip to the thread for
    each statement costs more than the statement. Its `commit` calls ours there: one trip for as
    many groups as come one after the other.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.queue = WriteQueue()

    def commit(self) -> None:
        """Run groups for as long as there are writes; each is settled and delivered."""
        while self.queue.has_more():
            awaited = self.queue.waiting()
            try:
                self.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                # Those that came during the wait have not had their time yet.
                self.queue.fail(awaited, error)
            else:
                self._commit_next()
            self.queue.deliver_soon()

    def _commit_next(self) -> None:
        """Commit the next group in the transaction that was begun."""
        # Only now, with the lock held, are writes taken: until then each can be withdrawn at once.
        group = self.queue.take()
        try:
            if len(group) == 1:
                self._commit_one(group[0])
            else:
                self._commit_all(group)
        finally:
            self.queue.end(group)

    def _commit_all(self, group: list[_Write]) -> None:
        try:
            self._commit_group(group)
        except sqlite3.Error as error:
            self._commit_each(group, error)

    def _commit_group(self, group: list[_Write]) -> None:
        """Run the group in the open transaction and commit it, or raise and have no effect."""
        try:
            outcomes = [self._run_in_savepoint(write) for write in group]
            self.execute("COMMIT")
        finally:
            self._end_transaction()
        for write, (result, error) in zip(group, outcomes, strict=True):
            write.settle(result, error)

    def _run_in_savepoint(self, write: _Write) -> tuple[Any, Exception | None]:
        self.execute("SAVEPOINT one_write")
        result, failure = None, None
        try:
            result = write.statements(self)
        except Exception as error:  # noqa: BLE001 - it is raised at the caller of this write
            failure = error
            # Some failures make SQLite roll back the whole transaction. Then this raises, and the
            # whole group is run again, each write for itself.
            self.execute("ROLLBACK TO one_write")
        self.execute("RELEASE one_write")
        return result, failure

    def _commit_each(self, group: list[_Write], failure: Exception | None) -> None:
        """Commit each write for itself: a disk that is full may be the fault of one of them."""
        for write in group:
            if _is_busy(failure):  # the lock time-out is waited for once, not by each in turn
                write.settle(error=failure)
            else:
                failure = self._commit_alone(write)

    def _commit_alone(self, write: _Write) -> Exception | None:
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            write.settle(error=error)
            return error
        return self._commit_one(write)

    def _commit_one(self, write: _Write) -> Exception | None:
        """Run one write in the open transaction and commit it, and answer what went wrong."""
        try:
            result = write.statements(self)
            self.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - it is raised at the caller of this write
            write.settle(error=error)
            return error
        finally:
            self._end_transaction()
        write.settle(result)
        return None

    def _end_transaction(self) -> None:
        if self.in_transaction:
            self.execute("ROLLBACK")


class GroupWriter:
    """Hands writes to the connection in groups, for as long as there are any."""

    def __init__(self, connection: ThreadedConnection[GroupConnection]) -> None:
        self._connection = connection
        self._queue = connection.database.queue
        self._queue.deliver_in(asyncio.get_running_loop())
        self._drain: asyncio.Task[None] | None = None

    async def write(self, statements: Statements) -> Any:
        """Run the statements in one transaction; answer their result once it is committed.

        A cancelled write that has not begun is dropped; one that has begun is waited for, since
        what was raised at the caller must not take effect afterwards.
        """
        write = _Write(statements, asyncio.get_running_loop().create_future())
        self._queue.add(write)
        self._start()
        try:
            return await write.answer
        except asyncio.CancelledError:
            if not self._queue.withdraw(write):
                await write.outlast()
            raise

    async def finish(self) -> None:
        """Wait until no write is under way."""
        self._queue.expect_no_more()
        while self._drain is not None:
            await asyncio.wait({self._drain})

    def _start(self) -> None:
        # The task begins in the next round of the loop: the writes of this round are one group,
        # unless the thread was there still and has taken the first.
        if self._drain is None:
            self._drain = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._connection.commit()
                self._queue.deliver()
        except Exception as error:  # noqa: BLE001 - raised at the callers, who must not wait in vain
            self._queue.fail(self._queue.waiting(), error)
        finally:
            self._queue.deliver()
            self._drain = None
            if self._queue:  # this task was cancelled, not the callers of the writes that wait
                self._start()


def _is_busy(error: Exception | None) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
