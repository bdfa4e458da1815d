"""The server drops what is idle, goes away, or hangs; and is well again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ...expect import NothingFound, violated
from .beginning import make_sure
from .network import COSTS, MESSAGES, Network
from .outcomes import TRIES, expect_raised, expect_raised_or_right, is_right

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...history import Call, Step


POOL = 4
"""Operations at once, so that a store has more connections to lose than there are tries."""


HEARD = 0.01
"""Seconds in which the end of a connection is heard of on this machine."""

CALLS_TO_HEAR = 2
"""The same as calls: in each something comes from the server, and more than once in some."""


def one_of_each(network: Network, session: str) -> list[Callable[[], Call[Any]]]:
    """Answer operations that may be the first after connections were dropped."""
    subject = network.subject
    return [
        lambda: subject.load(session),
        lambda: subject.save(session, MESSAGES),
        lambda: subject.update(session, cost_data=COSTS),
    ]


async def drop(network: Network, way: str) -> int:
    """End the connections that there are, and let the store be idle until they have ended."""
    if way != "terminated by the server":
        dropped = network.proxy.drop(by_reset=way == "reset")
    else:
        before = set(network.proxy.numbers())
        dropped = await network.subject.stand.terminate(network.proxy)
        deadline = time.monotonic() + network.subject.stand.history.timeout
        while dropped and time.monotonic() < deadline:
            if not before & set(network.proxy.numbers()):
                break
            await asyncio.sleep(0.001)
    # Minutes pass, in which the loop runs: a driver that can hear of it has heard of it, from a
    # server that is far away as well.
    pace = network.subject.stand.history.pace
    await asyncio.sleep(max(HEARD, CALLS_TO_HEAR * pace.of_one()))
    return dropped


def expect_recovered(step: Step, way: str) -> None:
    """Demand of the last try after connections were dropped that it is answered as ever."""
    right = {"load": MESSAGES, "save": None, "update": True}[step.operation]
    if step.outcome == "answered" and is_right(step, right):
        return
    times = "twice" if step.outcome == "raised" else "once"
    violated(
        f"{step.operation} fails {times} after idle connections were {way}",
        demanded=f"an answer, at the latest at try {TRIES}",
        answered=step.answered(),
    )


AWAY = "the server was away and is back"


def expect_survived(step: Step, right: Any, what: str) -> None:
    """Demand of an operation after an outage that it is answered as before it."""
    if step.outcome == "answered" and is_right(step, right):
        return
    violated(
        f"after {what} {step.operation} "
        + (
            f"answers {step.answered()}"
            if step.outcome == "answered"
            else "hangs"
            if step.outcome == "hung"
            else step.answered()
        ),
        demanded="the answer of before",
        answered=step.answered(),
    )


LONGEST_SILENCE = 30.0
"""Seconds that an operation is given where the backend does not say how to make it shorter."""


MOST_BOUNDS = 5
"""How often its bound an operation is given that was asked for one: machines are slow at times."""


def longest_silence(network: Network) -> float:
    """Answer the seconds within which an operation has to come back from a silent server."""
    if network.bound is None:
        return LONGEST_SILENCE
    return max(network.subject.stand.history.timeout, MOST_BOUNDS * network.bound)


WRITTEN = object()
"""Stands for the answer of a write, which is right in no case."""


async def one_on_each(network: Network, session: str) -> list[tuple[Call[Any], Any]]:
    """Make a call for each operation, on an instance of its own that is in use.

    On one instance the second of them would have to wait for the first; where nobody else may be
    in there is one.
    """
    made: list[tuple[Call[Any], Any]] = []
    asked = [(read.call, read.right) for read in network.reads()]
    asked += [(write.call, WRITTEN) for write in network.writes()]
    for number, (call, right) in enumerate(asked):
        if number and network.witness is None:
            break
        subject = network.subject if number == 0 else await network.opened()
        if subject is None:
            raise NothingFound("the store could not be opened once more")
        await make_sure(subject.exists(session), answer=True)
        made.append((call(subject, session), right))
    return made


CROWD = 40
"""Reads at once: more than a usual pool has connections, several times over."""


def crowded(network: Network, session: str) -> list[Call[Any]]:
    """Answer reads of one instance, for all of which its bound holds at once, where it is known.

    The wait for a connection is a part of it.
    """
    if network.bound is None:
        return []
    return [network.subject.load(session) for _ in range(CROWD)]


def expect_all_bounded(steps: list[Step], limit: float) -> None:
    """Demand of many reads at once that all came back from silence, and made nothing of it."""
    hung = [step for step in steps if step.outcome == "hung"]
    if hung:
        violated(
            f"{hung[0].operation} does not come back from a server that says nothing, where "
            "many ask it at once",
            demanded=f"an exception from each of {len(steps)}, within the time-out of the store",
            answered=f"nothing in {limit:g} s from {len(hung)} of them",
        )
    for step in steps:
        expect_raised_or_right(step, MESSAGES, "and the server has said nothing")


def expect_bounded(step: Step, right: Any, limit: float, *, is_known: bool) -> None:
    """Demand that an operation came back from silence, and made nothing of it.

    `is_known` says whether the store was asked for a bound: else it may have a longer one.
    """
    if step.outcome == "hung" and not is_known:
        raise NothingFound(
            f"{step.operation} did not come back from a server that says nothing within "
            f"{limit:g} s, and the store's own time-out is not known: Backend(open_bounded=...) "
            "opens a store with a short one"
        )
    if step.outcome == "hung":
        violated(
            f"{step.operation} does not come back from a server that says nothing",
            demanded="an exception, within the time-out of the store",
            answered=f"nothing in {limit:g} s",
        )
    if right is WRITTEN:
        expect_raised(step, "and the server has said nothing")
    else:
        expect_raised_or_right(step, right, "and the server has said nothing")
