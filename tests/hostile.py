"""Stores that misbehave towards the harness itself: each in `update`, and right in all else."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Generator
from typing import Any

from reference_backends.memory import MemorySessionStore


class Foreign(BaseException):
    """An exception that `except Exception` does not catch."""


class RaisesBaseException(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        raise Foreign("out of the ordinary")


class RaisesKeyboardInterrupt(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        raise KeyboardInterrupt


class RaisesCancelled(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        raise asyncio.CancelledError


class CallsSysExit(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        sys.exit(3)


class CallsOsExit(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        os._exit(3)


class KillsItself(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        return True


class HangsInAwait(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        await asyncio.Event().wait()
        return True


class SwallowsCancellation(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                continue


class BlocksTheLoop(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        time.sleep(3600)  # noqa: ASYNC251 - the defect
        return True


class SpinsForEver(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        while True:
            pass


class _NeverDone:
    def __await__(self) -> Generator[None, None, bool]:
        while True:
            yield


class AnswersWhatIsNeverDone(MemorySessionStore):
    def update(self, session_id: str, *, cost_data: Any = None) -> Any:
        return _NeverDone()


class Prints(MemorySessionStore):
    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        print('{"finding": "noise"}')  # noqa: T201 - what the test is about
        print("to standard error", file=sys.stderr)  # noqa: T201
        os.write(1, b"past Python\n")
        return await super().update(session_id, cost_data=cost_data)


class FailsToClose(MemorySessionStore):
    async def close(self) -> None:
        raise RuntimeError("close is broken")


class FailsToOpen(MemorySessionStore):
    def __init__(self) -> None:
        raise ConnectionError("nobody answers")


RAISING = (RaisesBaseException, RaisesKeyboardInterrupt, RaisesCancelled, CallsSysExit, CallsOsExit)
HANGING = (
    HangsInAwait,
    SwallowsCancellation,
    BlocksTheLoop,
    SpinsForEver,
    AnswersWhatIsNeverDone,
)
