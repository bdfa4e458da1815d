"""The writes that wait for the thread of a SQLite connection, and those that it has ended."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from sessionstore_contract.interface import SessionStoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

Statements: TypeAlias = "Callable[[sqlite3.Connection], Any]"
"""The statements of one write; may be run again after they were rolled back."""

LINGER = 0.0005
"""Seconds that the thread waits for the next write before it is asked again.

Whoever writes one thing after the other has the next one ready in a tenth of that.
"""

MAX_GROUP = 128
"""Writes in one transaction: it holds up the writers of other processes while it lasts."""


class Write:
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
        self._waiting: deque[Write] = deque()
        self._ended: list[Write] = []
        self._is_last = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, write: Write) -> None:
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

    def withdraw(self, write: Write) -> bool:
        with self._lock:
            if write not in self._waiting:
                return False
            self._waiting.remove(write)
            return True

    def waiting(self) -> list[Write]:
        with self._lock:
            return list(self._waiting)

    def take(self) -> list[Write]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]

    def end(self, writes: list[Write]) -> None:
        """Take over what was taken, and is to be delivered."""
        with self._lock:
            self._ended += writes

    def fail(self, writes: list[Write], error: Exception) -> None:
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
