"""Group commit: the writes of many callers in one transaction, each with its own fate."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from reference_backends.sqlite_queue import Write, WriteQueue

if TYPE_CHECKING:
    from reference_backends.sqlite_queue import Statements
    from reference_backends.sqlite_thread import ThreadedConnection


class GroupConnection(sqlite3.Connection):
    """A connection whose `commit` runs the writes that wait, and commits them together.

    aiosqlite has no public call that runs a function on its thread, and a trip to the thread for
    each statement costs more than the statement. Its `commit` calls ours there: one trip for as
    many groups as come one after the other.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.queue = WriteQueue()
        self._path: str | None = None
        self._file: tuple[int, int] | None = None

    def watch(self, path: str) -> None:
        """Acknowledge no write from now on when another file is at the path, or none."""
        self._path, self._file = path, _file_at(path)

    def commit(self) -> None:
        """Run groups for as long as there are writes; each is settled and delivered."""
        while self.queue.has_more():
            try:
                self.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                self.queue.fail(error)
            else:
                self._commit_next()
            self.queue.deliver_soon()

    def _commit_next(self) -> None:
        """Commit the next group in the transaction that was begun."""
        # Only now, with the lock held, are writes taken: until then each can be dropped at once.
        group = self.queue.take()
        try:
            if len(group) == 1:
                self._commit_one(group[0])
            else:
                self._commit_all(group)
        finally:
            self.queue.end(group)

    def _commit_all(self, group: list[Write]) -> None:
        try:
            self._commit_group(group)
        except sqlite3.Error as error:
            self._commit_each(group, error)

    def _commit_group(self, group: list[Write]) -> None:
        """Run the group in the open transaction and commit it, or raise and have no effect."""
        try:
            outcomes = [self._run_in_savepoint(write) for write in group]
            self._commit_in_place()
        finally:
            self._end_transaction()
        for write, (result, error) in zip(group, outcomes, strict=True):
            write.settle(result, error)

    def _run_in_savepoint(self, write: Write) -> tuple[Any, Exception | None]:
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

    def _commit_each(self, group: list[Write], failure: Exception | None) -> None:
        """Commit each write for itself: a disk that is full may be the fault of one of them."""
        for write in group:
            # The lock time-out is waited for once, not by each in turn.
            if _is_busy(failure) or _is_moved(failure):
                write.settle(error=failure)
            else:
                failure = self._commit_alone(write)

    def _commit_alone(self, write: Write) -> Exception | None:
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            write.settle(error=error)
            return error
        return self._commit_one(write)

    def _commit_one(self, write: Write) -> Exception | None:
        """Run one write in the open transaction and commit it, and answer what went wrong."""
        try:
            result = write.statements(self)
            self._commit_in_place()
        except Exception as error:  # noqa: BLE001 - it is raised at the caller of this write
            write.settle(error=error)
            return error
        finally:
            self._end_transaction()
        write.settle(result)
        return None

    def _commit_in_place(self) -> None:
        self.execute("COMMIT")
        # With a log of its own (WAL) SQLite looks no more whether its file is still where it was:
        # whatever is written then is gone when it is closed.
        if self._path is not None and _file_at(self._path) != self._file:
            moved = sqlite3.OperationalError("the file is not where it was")
            moved.sqlite_errorcode = sqlite3.SQLITE_READONLY_DBMOVED  # as SQLite itself has it
            raise moved

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
        write = Write(statements, asyncio.get_running_loop().create_future())
        self._queue.add(write)
        self._start()
        try:
            return await write.answer
        except asyncio.CancelledError:
            if not write.claim():
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
            self._queue.fail_all(error)
        finally:
            self._queue.deliver()
            self._drain = None
            if self._queue:  # this task was cancelled, not the callers of the writes that wait
                self._start()


def _file_at(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - at each commit, and a Path costs as much again
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_moved(error: Exception | None) -> bool:
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED


def _is_busy(error: Exception | None) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
