"""The body of a request as it comes, and what is done with the rest of one that nobody reads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

MOST_READ_ON: Final = 64 * 2**20
"""Bytes of a body that are read and thrown away after it was refused."""

PAUSE: Final = 0.25
"""Seconds without a byte after which no more of such a body is waited for."""

LONGEST: Final = 10.0
"""Seconds after which no more of it is waited for, whatever comes."""


class Reading:
    """What an application receives by, which knows whether there is more."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        names = {name for name, _ in scope["headers"]}
        self._receive = receive
        # Who expects to be told to go on has sent nothing yet, and is not told.
        self._is_whole = not names & {b"content-length", b"transfer-encoding"} or b"expect" in names

    async def __call__(self) -> Message:
        """Receive the next piece."""
        message = await self._receive()
        self._is_whole = not message.get("more_body", False)
        return message

    async def read_on(self) -> None:
        """Throw away what is left of the body, before an answer that did not need it.

        A connection that is closed with bytes unread is reset, and the client, which is still
        sending, may never see why. One that has paused is waiting for the answer.
        """
        if not self._is_whole:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST):
                    await self._throw_away()

    async def _throw_away(self) -> None:
        left = MOST_READ_ON
        while not self._is_whole and left > 0:
            async with asyncio.timeout(PAUSE):
                left -= len((await self()).get("body", b""))
