"""Operations on one session that are held in mid-answer, and what becomes of the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..expect import NothingFound, violated
from ..fault import Deed, Fault
from .network import MESSAGES, is_happening, is_right, overheard

if TYPE_CHECKING:
    from ..fault import Armed
    from ..history import Call
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
    asked: list[tuple[Call[Any], Any]] = [
        (subject.load(other), MESSAGES),
        (subject.update(other, cost_data={"turns": 9}), True),
        (subject.save(subject.unused_id("third"), MESSAGES), None),
    ]
    try:
        for call, right in asked:
            await _expect_served(call, right, armed, tasks[0])
    finally:
        network.proxy.disarm()
        for step in await asyncio.gather(*tasks):
            step.beside = HELD


async def _expect_served(
    call: Call[Any], right: Any, armed: Armed, held: asyncio.Task[Any]
) -> None:
    if held.done():
        raise NothingFound("what was held came back before it was let go")
    said = armed.said_after
    step = await call.perform(is_expected=True)
    step.beside = "those on the other session are held"
    if step.outcome == "answered" and is_right(step, right) and not held.done():
        return
    if armed.said_after > said:
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
