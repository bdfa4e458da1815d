"""Operations that wait for their storage, and the loop that is to be free meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...expect import violated
from ...interruption import StallWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...history import Call

STALL = 0.001
"""Seconds that a store has to wait in each of many calls before it counts as blocking: a commit
on a disk takes as long, and a thread that is interrupted by others now and then does not."""


async def expect_free(call: Callable[[int], Call[Any]]) -> None:
    """Demand of one of many calls that it does not wait in the loop."""
    watches: list[StallWatch] = []
    for number in range(15):
        watch = StallWatch()
        step = await call(number).perform(is_expected=False, through=watch.over)
        step.require_answer()
        watches.append(watch)
        if watch.longest <= STALL:
            return
    least = min(watch.longest for watch in watches)
    # Not each system tells for how long others had the processor: who computes loses it as long.
    # The least of all, as any of them may have met with the collector of garbage.
    if least <= STALL + min(watch.computed for watch in watches):
        return
    violated(
        f"{step.operation} blocks the event loop: {least * 1000:.0f} ms in each of 15",
        demanded="that other tasks run while it waits",
        answered=f"waited in the loop for {least * 1000:.1f} ms and more each time",
    )
