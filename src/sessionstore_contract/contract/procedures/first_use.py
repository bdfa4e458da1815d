"""First operations on a store: each of them on its own id, and whose fault it is when one fails."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...capabilities import Capability
from ...expect import violated
from ...history import StepFailed
from ...subject import at_once
from .beginning import make_sure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...effort import Effort
    from ...history import Call, Step
    from ...subject import Subject

CALLERS = 16
"""Callers at once: twice as many as there are operations."""

PROCESSES = 4
"""Processes at once."""

LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)
MESSAGES = [{"role": "user", "content": "first"}]
MAKING = ("create", "save")
"""Operations after which the session exists."""


def rounds(effort: Effort) -> int:
    """Answer how often a first use is tried; each takes a fresh place, which is not free."""
    return max(2, min(20, (effort.rounds + 1) // 2))


def operations(store: Subject) -> dict[str, Callable[[str], Call[Any]]]:
    """Answer the operations that the store has to have, each as a function of a session's id."""
    keeps_nothing = not store.can(Capability.PERSISTENCE)
    found: dict[str, Callable[[str], Call[Any]]] = {
        "create": store.create,
        "save": lambda session: store.save(session, MESSAGES),
        "update": lambda session: store.update(session, cost_data={"turns": 1}),
        "exists": store.exists,
        "load": store.load,
        "delete": store.delete,
    }
    if keeps_nothing or store.can(Capability.COST_READ):
        found["get_cost_data"] = store.get_cost_data
    if keeps_nothing or store.can(Capability.RETENTION):
        found["delete_before"] = lambda _: store.delete_before(LONG_AGO)
    return found


def mixed_calls(*stores: Subject) -> list[Call[Any]]:
    """Prepare a call for each caller, of all operations in turn and on all the stores."""
    calls = []
    for number in range(CALLERS):
        known = operations(stores[(number + number // len(operations(stores[0]))) % len(stores)])
        operation = list(known)[number % len(known)]
        calls.append(known[operation](stores[0].unused_id(operation)))
    return calls


async def expect_first_use_works(what: str, *stores: Subject) -> None:
    """Demand that first operations at once all work, and that what they made is there."""
    for step in await at_once(*mixed_calls(*stores)):
        await expect_worked(step, what, stores)


async def expect_first_use_works_in_processes(what: str, user: Subject, turn: int) -> None:
    """Demand the same of some operations, in a process each: of others in each turn."""
    first = turn * PROCESSES % CALLERS
    calls = mixed_calls(user)[first : first + PROCESSES]
    for step in await at_once_together(*calls, users=[user]):
        await expect_worked(step, what, (user,))


async def at_once_together(*calls: Call[Any], users: list[Subject]) -> list[Step]:
    """Make the calls of these users at once, in processes that keep in step with each other.

    To begin one takes longer than what it does: one after the other would be done before the next.
    """
    for one in users:
        one.store.together = len(calls)
    try:
        return await at_once(*calls)
    finally:
        for one in users:
            one.store.together = 1


async def expect_worked(step: Step, what: str, stores: tuple[Subject, ...]) -> None:
    """Demand of a first operation that it was answered, and that what it made is there."""
    # Whether the others see it is another clause's question.
    store = next(one for one in stores if one.instance_number == step.instance)
    if step.outcome != "answered":
        await _fails_only_at_first(step.operation, stores)
        said = "does not answer in time" if step.outcome == "hung" else step.answered()
        violated(f"{what}: {step.operation} {said}", demanded="an answer", answered=step.answered())
    if step.operation in MAKING and store.can(Capability.PERSISTENCE):
        session = step.arguments[0]
        found = await store.exists(session).perform(is_expected=True)
        if found.outcome == "answered" and found.answer is not True:
            await _fails_only_at_first(step.operation, stores)
            violated(
                f"{what}: what {step.operation} made is gone",
                demanded="True",
                answered=found.answered(),
            )


async def _fails_only_at_first(operation: str, stores: tuple[Subject, ...]) -> None:
    """Make sure that an operation works where it is not the first.

    Raises:
        StepFailed: it does not: that is no matter of first use.
    """
    for store in stores:  # some let nobody else in while they are open
        await store.close().perform(is_expected=False)
    used = await stores[0].another()
    known = operations(used)
    for other in known:
        if other != operation:
            await known[other](used.unused_id(other)).perform(is_expected=False)
    session = used.unused_id(operation)
    step = await known[operation](session).perform(is_expected=False)
    if step.outcome != "answered":
        raise StepFailed(step)
    for other in known:
        await known[other](used.unused_id(other)).perform(is_expected=False)
    if operation in MAKING and used.can(Capability.PERSISTENCE):
        await make_sure(used.exists(session), answer=True)
