"""How many connections of a pool are in use, and that they are opened one after the other."""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """Lets in as many as there are connections, and one more at a time, to open another one.

    To open a connection takes a server ten times as long as a statement. So of many who come at
    once one opens a connection, and the others take what comes first: a connection that is given
    back, or the leave to open the next one. Whatever is stuck, the pool grows to its size. From
    then on everybody is let in, to wait for what the pool has.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 1
        self._free = 1
        self._is_growing = False
        self._is_open = most <= 1
        # Each is told whether it opens another connection.
        self._waiting: deque[asyncio.Future[bool]] = deque()

    async def enter(self) -> bool:
        """Return when a connection is free, or is to be opened: True, and `grown` is due."""
        if self._is_open:
            return False
        if self._free:
            self._free -= 1
            return False
        if self._size < self._most and not self._is_growing:
            self._grow()
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # It had its turn, and can't take it.
                self.leave(is_growing=turn.result())
            raise

    def grown(self) -> None:
        """Tell that the connection is open: the next one may be."""
        self._is_growing = False
        if self._size >= self._most:
            self._is_open = True
            while self._tell(is_growing=False):
                pass
        elif self._tell(is_growing=True):
            self._grow()

    def leave(self, *, is_growing: bool = False) -> None:
        """Let the next one in; `is_growing` where a connection was to be opened, and is not."""
        if not self._is_open:
            self._pass_on(is_growing=is_growing)

    def _grow(self) -> None:
        self._is_growing = True
        self._size += 1

    def _pass_on(self, *, is_growing: bool) -> None:
        if self._tell(is_growing=is_growing):
            return
        if is_growing:
            self._is_growing = False
            self._size -= 1
        else:
            self._free += 1

    def _tell(self, *, is_growing: bool) -> bool:
        """Let the first in who still waits; answer whether there is one."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(is_growing)
                return True
        return False
