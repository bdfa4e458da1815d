"""Operations on one session that are held in mid-answer, and what becomes of the others."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NoReturn

from ...expect import NothingFound, violated
from ...fault import Deed, Fault
from .network import MESSAGES, is_happening, overheard
from .outcomes import is_right

if TYPE_CHECKING:
    from ...fault import Armed
    from ...history import Call, Step
    from .network import Network


HELD = "its answer was held back"


async def expect_others_are_served(network: Network, stuck: str, calls: list[Call[Any]]) -> None:
    """Hold these calls on one session, and demand that those on others come back before them.

    Judged by what comes first: the held are let go when the others have answered.
    """
    subject = network.subject
    other = await network.session("other")
    about, _ = await overheard(network, subject.exists(stuck), stuck)
    if about is None:
        raise NothingFound("what is said of one session can't be told from what is said of another")
    subject.stand.history.restart()
    armed = network.proxy.arm(Fault(Deed.HOLD, about, times=None))
    # Longer than the others are given: what is held must not be given up before them.
    patience = 3 * subject.stand.history.timeout
    tasks = [
        asyncio.ensure_future(call.perform(is_expected=False, timeout=patience)) for call in calls
    ]
    if not await is_happening(armed, tasks[0]):
        network.proxy.disarm()
        steps = await asyncio.gather(*tasks)
        steps[0].require_answer()
        raise NothingFound(f"{steps[0].operation} asked the server nothing, and was not held")
    await _are_still(armed, tasks)
    asked: list[tuple[Call[Any], Any]] = [
        (subject.load(other), MESSAGES),
        (subject.update(other, cost_data={"turns": 9}), True),
        (subject.save(other, MESSAGES), None),
    ]
    try:
        for call, right in asked:
            step = await _served_first(call, right, tasks[0])
            if step is not None:
                _blame(step, is_on_one_connection=other.encode() in armed.said_after)
    finally:
        network.proxy.disarm()
        for step in await asyncio.gather(*tasks):
            step.beside = HELD


STILL = 0.2
"""Seconds without another that is held, after which no more are to come."""

LOOK = 0.02
"""Seconds between two looks at it."""


async def _are_still(armed: Armed, tasks: list[asyncio.Task[Step]]) -> None:
    """Wait until all are held, or no more come to be: a pool grows by and by."""
    seen, since = 0, time.monotonic()
    while armed.happened < len(tasks) and not tasks[0].done():
        now = time.monotonic()
        if armed.happened != seen:
            seen, since = armed.happened, now
        elif now - since > STILL:
            return
        await asyncio.sleep(LOOK)


async def _served_first(call: Call[Any], right: Any, held: asyncio.Task[Any]) -> Step | None:
    """Make a call; answer its step if it did not come back before what is held."""
    if held.done():
        raise NothingFound("what was held came back before it was let go")
    step = await call.perform(is_expected=True)
    step.beside = "those on the other session are held"
    is_served = step.outcome == "answered" and is_right(step, right) and not held.done()
    return None if is_served else step


def _blame(step: Step, *, is_on_one_connection: bool) -> NoReturn:
    if is_on_one_connection:
        raise NothingFound(
            "the store says everything on one connection: what the kit holds there holds all"
        )
    violated(
        f"{step.operation} {step.answered()} while those of another session are stuck"
        if step.outcome == "raised"
        else f"{step.operation} of one session waits for those of another",
        demanded="an answer, before those that are held",
        answered=step.answered(),
    )
