"""Calls made in a second event loop, on a thread of its own, while the first one goes on."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .history import Call, Step

ENDING = 2.0
"""Seconds for the second loop to begin and to end, beyond what its calls may take."""


async def in_second_loop(*calls: Call[Any]) -> list[Step]:
    """Make the calls one after the other in a second loop, and answer their steps.

    After one that hangs no other is made. A loop that does not come to its end is left behind.
    """
    steps: list[Step] = []
    failures: list[BaseException] = []
    first = asyncio.get_running_loop()
    ended = asyncio.Event()

    async def make() -> None:
        for call in calls:
            steps.append(await call.perform(is_expected=True))
            if steps[-1].outcome == "hung":
                break

    def run() -> None:
        try:
            with asyncio.Runner() as runner:
                # What a store leaves behind there is not news for the log.
                runner.get_loop().set_exception_handler(lambda loop, context: None)
                runner.run(make())
        except BaseException as error:  # noqa: BLE001 - raised where the steps are waited for
            failures.append(error)
        finally:
            with suppress(RuntimeError):  # the first loop has ended, nobody waits any more
                first.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, name="sessionstore-contract second loop", daemon=True).start()
    patience = sum(call.history.timeout for call in calls) + ENDING
    with suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), patience)
    if failures:
        raise failures[0]
    return list(steps)
