"""Sessions beside one whose operation meets with a fault: each keeps its own."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from ...expect import violated
from ...fault import Deed, Fault
from ...subject import at_once
from ...values import word
from .network import Network, is_happening
from .outages import POOL
from .outcomes import expect_came_back, is_right, works_again

if TYPE_CHECKING:
    from ...history import Step


async def make_others(network: Network) -> dict[str, list[Any]]:
    """Make sessions, and answer by id what each of them holds."""
    found = {}
    for number in range(POOL):
        session = network.looking.unused_id("other")
        found[session] = [{"role": "user", "content": f"of {session}"}] * (number + 1)
        await network.looking.save(session, found[session])
    return found


async def expect_each_its_own(network: Network, others: dict[str, list[Any]]) -> None:
    """Demand that each session reads as it was made, one after the other and all at once."""
    for session, right in others.items():
        step = await works_again(partial(network.subject.load, session))
        expect_their_own([step], {session: right}, "after a fault in another's")
    steps = await at_once(*(network.subject.load(one) for one in others))
    expect_their_own(steps, others, "after a fault in another's")


def expect_their_own(steps: list[Step], others: dict[str, list[Any]], when: str) -> None:
    """Demand of loads that each answers what its own session holds, or raises."""
    for step, right in zip(steps, others.values(), strict=True):
        expect_came_back(step, when)
        if not is_right(step, right):
            violated(
                f"load answers {word(step.answer_as_given, limit=40)} {when}",
                demanded=word(right),
                answered=step.answered(),
            )


async def late_answer(
    network: Network, victim: str, about: bytes | None, others: dict[str, list[Any]]
) -> None:
    """Let an answer come when its caller has gone, and see who gets it."""
    network.subject.stand.history.restart()
    armed = network.proxy.arm(Fault(Deed.HOLD, about))
    task = asyncio.ensure_future(network.subject.store.load(victim))
    if await is_happening(armed, task):
        task.cancel()
        await asyncio.sleep(0)
    network.proxy.disarm()
    await asyncio.wait({task}, timeout=network.subject.stand.history.timeout)
    network.happened[str(Deed.HOLD)] = network.happened.get(str(Deed.HOLD), 0) + armed.happened
    await expect_each_its_own(network, others)
