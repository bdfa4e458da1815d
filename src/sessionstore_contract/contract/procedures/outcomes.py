"""What may come of an operation whose surroundings fail, and demanding that of it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ...expect import NothingFound, violated
from ...values import are_equal, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...history import Call, Step
    from ...interface import Json

TRIES = 2
"""How often an operation is tried once the server is well again: the first may find a connection
that is dead."""


def is_right(step: Step, right: Json) -> bool:
    """Answer whether it raised, or answered what is stored."""
    if step.outcome == "raised":
        return isinstance(step.error, Exception)
    return step.outcome == "answered" and are_equal(step.answer_as_given, right)


def expect_raised_or_right(step: Step, right: Json, situation: str) -> None:
    """Demand of a read that it raised, or answered what is stored; the situation is worded."""
    expect_came_back(step, situation)
    if not is_right(step, right):
        violated(
            f"{step.operation} answers {word(step.answer_as_given, limit=40)} {situation}"
            if step.outcome == "answered"
            else f"{step.operation} {step.answered()} {situation}",
            demanded=f"an exception, or {word(right, limit=100)}",
            answered=step.answered(),
        )


def expect_raised(step: Step, situation: str) -> None:
    """Demand of an operation that it raised; the situation is worded."""
    expect_came_back(step, situation)
    if step.outcome == "answered":
        violated(
            f"{step.operation} answers {word(step.answer_as_given, limit=40)} {situation}",
            demanded="an exception",
            answered=step.answered(),
        )


def expect_came_back(step: Step, situation: str) -> None:
    """Leave it to the clause of that if an operation did not come back."""
    if step.outcome == "hung":
        raise NothingFound(
            f"{step.operation} neither answered nor raised {situation}: see "
            "faults.operations-are-bounded"
        )


async def works_again(call: Callable[[], Call[Any]], *, tries: int = TRIES) -> Step:
    """Make a call until it is answered, so often at the most; answer its last step."""
    for _ in range(tries):
        step = await call().perform(is_expected=True)
        if step.outcome == "answered":
            break
    return step


async def works_in_time(
    call: Callable[[], Call[Any]],
    timeout: float,  # noqa: ASYNC109
    *,
    is_expected: bool = True,
) -> Step:
    """Make a call until it is answered: a driver may wait a while before it connects again."""
    deadline = time.monotonic() + timeout
    pause = 0.02
    while True:
        step = await call().perform(is_expected=is_expected)
        if step.outcome != "raised" or time.monotonic() > deadline:
            return step
        await asyncio.sleep(pause)
        pause *= 2
