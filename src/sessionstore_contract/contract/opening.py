"""The first use of a store: whatever comes first, however many at once, and when it fails."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must
from ..expect import NothingFound, violated
from .beginning import make_sure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..faults import Proxy
    from ..history import Call, Step
    from ..subject import Subject


# A place that was away at first ------------------------------------------------------------------


@must(
    "opening.failed-first-use-can-be-retried",
    "When the place was not reachable at first, the first operation raises, and the same object "
    "works once the place is there.",
    because="Servers start in any order. A store that remembers its first failure has to be thrown "
    "away with the process; one that answers as if nothing were stored has the chat begin anew.",
    remedy="Keep no connection, pool or task that failed: make it again at the next operation. "
    "Don't set the flag that says opened before it is. Don't catch the driver's error in a read.",
    needs={Capability.FAULTS},
)
async def failed_first_use_can_be_retried(store: Subject) -> None:
    # One after the other: a store that is not shared may let nobody else in while it is open.
    await store.close()
    proxy = await store.stand.stand_between()
    proxy.forward()
    control = await store.stand.open_at(proxy.place)
    await make_sure(control.exists(control.unused_id()), False)
    await control.close()
    for first in _first_operations(store):
        proxy.refuse()
        await _fail_and_retry(store, proxy, first)


def _first_operations(store: Subject) -> list[Callable[[Subject], Call[Any]]]:
    session = store.unused_id("away")
    chosen: list[Callable[[Subject], Call[Any]]] = [
        lambda one: one.exists(session),
        lambda one: one.load(session),
        lambda one: one.update(session, cost_data={"turns": 1}),
        lambda one: one.save(session, []),
    ]
    if store.can(Capability.COST_READ):
        chosen.append(lambda one: one.get_cost_data(session))
    return chosen


async def _fail_and_retry(
    store: Subject, proxy: Proxy, first: Callable[[Subject], Call[Any]]
) -> None:
    try:
        subject = await store.stand.open_at(proxy.place)
    except Exception:  # noqa: BLE001 - opening that fails is a failed first use too
        proxy.forward()
        subject = await store.stand.open_at(proxy.place)
    else:
        step = await first(subject).perform(is_expected=True)
        if step.outcome == "hung":
            # It hung for want of a server, which says nothing of the clauses that have one.
            subject.stand.history.restart()
        _expect_failed(step)
        proxy.forward()
    await _expect_works(subject, step_that_failed=subject.stand.history.steps[-1].operation)
    await subject.close()


def _expect_failed(step: Step) -> None:
    if step.outcome == "hung":
        raise NothingFound(
            f"{step.operation} neither answered nor raised while connections were refused"
        )
    if step.outcome == "answered":
        violated(
            f"{step.operation} answers {step.answered()} although the place can't be reached",
            demanded="an exception",
            answered=step.answered(),
        )


async def _expect_works(subject: Subject, *, step_that_failed: str) -> None:
    """Demand that a write and a read work; a driver may wait a while before it tries again."""
    deadline = time.monotonic() + subject.stand.history.timeout
    session, pause = subject.unused_id("back"), 0.02
    while True:
        step = await subject.save(session, [{"role": "user", "content": "hi"}]).perform(
            is_expected=True
        )
        if step.outcome == "answered":
            break
        if step.outcome == "hung" or time.monotonic() > deadline:
            violated(
                f"after a failed first {step_that_failed} the store stays broken: {step.operation} "
                f"{step.answered()}",
                demanded="an answer, once the place is there",
                answered=step.answered(),
            )
        await asyncio.sleep(pause)
        pause *= 2
    await make_sure(subject.load(session), [{"role": "user", "content": "hi"}])
