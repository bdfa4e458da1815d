"""The writes that wait for the thread of a SQLite connection, and those that it has ended.

The event loop and the thread share them without a lock: what passes from one to the other is a
queue that is made for it, or one step of the interpreter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
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
        self._unclaimed = [True]
        self._is_settled = False
        self._is_delivered = False
        self._result: Any = None
        self._error: Exception | None = None

    def claim(self) -> bool:
        """Answer whether it is yours now: the thread's, to run it, or its caller's, to drop it.

        Whoever asks first has it.
        """
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False

    @property
    def is_claimed(self) -> bool:
        return not self._unclaimed

    def settle(self, result: Any = None, error: Exception | None = None) -> None:
        self._result, self._error, self._is_settled = result, error, True

    def deliver(self) -> None:
        self._is_delivered = True
        if self._outlasting is not None and not self._outlasting.done():
            self._outlasting.set_result(None)
        if self.answer.done():
            return
        if not self._is_settled:
            self._error = SessionStoreError("the write was cut off and rolled back")
        if self._error is None:
            self.answer.set_result(self._result)
        else:
            self.answer.set_exception(self._error)

    async def outlast(self) -> None:
        """Wait, however often the caller is cancelled, until the write has ended."""
        while not self._is_delivered:
            self._outlasting = asyncio.get_running_loop().create_future()
            with suppress(asyncio.CancelledError):
                await self._outlasting
        if self.answer.done() and not self.answer.cancelled():
            self.answer.exception()  # looked at: else asyncio logs that nobody did


class WriteQueue:
    """The writes that wait, and those that have ended and are not yet delivered."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived: SimpleQueue[Write | None] = SimpleQueue()
        # Those that the thread has found there and not yet run; the loop's while it is at rest.
        self._seen: deque[Write] = deque()
        self._ended: deque[Write] = deque()

    def __len__(self) -> int:
        """Answer how many wait; those that were dropped count until the thread has seen that."""
        return self._arrived.qsize() + len(self._seen)

    def add(self, write: Write) -> None:
        self._arrived.put(write)

    def expect_no_more(self) -> None:
        """Let the thread wait for no other write."""
        self._arrived.put(None)

    def has_more(self) -> bool:
        """Answer whether another write is there or comes in `LINGER` seconds, on the thread."""
        if not self._seen:
            try:
                self._see(self._arrived.get(timeout=LINGER))
            except Empty:
                return False
        self._look()
        return bool(self._seen)

    def take(self) -> list[Write]:
        """Claim up to `MAX_GROUP` of those that wait, on the thread."""
        self._look()
        group: list[Write] = []
        while self._seen and len(group) < MAX_GROUP:
            write = self._seen.popleft()
            if write.claim():
                group.append(write)
        return group

    def end(self, writes: list[Write]) -> None:
        """Take over what was taken, and is to be delivered."""
        self._ended.extend(writes)

    def fail(self, error: Exception) -> None:
        """End those that `has_more` found: those that have come since have not had their time."""
        while self._seen:
            write = self._seen.popleft()
            if write.claim():
                write.settle(error=error)
                self._ended.append(write)

    def fail_all(self, error: Exception) -> None:
        """End all that wait, while the thread is at rest."""
        self._look()
        self.fail(error)

    def deliver(self) -> None:
        while self._ended:
            self._ended.popleft().deliver()

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

    def _look(self) -> None:
        while not self._arrived.empty():
            self._see(self._arrived.get_nowait())

    def _see(self, write: Write | None) -> None:
        if write is not None and not write.is_claimed:
            self._seen.append(write)
