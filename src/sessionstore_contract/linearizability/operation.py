"""One call on one session as the judge sees it, made from the steps of a history."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .. import values
from ..history import MissingOperationError, word_error
from ..interface import InvalidSessionIdError, SessionExistsError, UnstorableValueError
from ..model import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..history import Step
    from ..interface import Json

READS = frozenset({"load", "get_cost_data", "exists"})
"""Operations that never change a session."""

REFUSALS = (InvalidSessionIdError, UnstorableValueError, MissingOperationError)
"""Exceptions that come before any I/O, by the interface: the call had no effect."""


class Outcome(StrEnum):
    """What is known of a call."""

    OK = "ok"
    """It was answered; the exception by which `create` says that an id is taken is an answer."""
    FAILED = "failed"
    """It had no effect for certain, and never will."""
    UNKNOWN = "unknown"
    """It may have taken effect, may take effect at any time from its call on, or never."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call on one session."""

    id: int
    operation: str
    argument: Json
    """The messages of a save, the cost data of an update, the cutoff of a `delete_before`."""
    answer: Any
    """What was answered; REFUSED for a `create` of an id that is taken."""
    outcome: Outcome
    began: int
    ended: int | None
    """Position of the answer among all begins and ends; None for what is unknown."""
    instance: int = 1
    """The instance that was called."""
    error: str = ""
    """What it raised, in words, where the outcome is not ok."""

    def call(self, *, limit: int = 400) -> str:
        """Word the call, without its session."""
        if self.operation in {"save", "update", "delete_before"}:
            return f"{self.operation}({values.word(self.argument, limit=limit)})"
        return f"{self.operation}()"

    def answered(self, *, limit: int = 400) -> str:
        """Word what came of it."""
        if self.outcome is Outcome.OK:
            is_refused = self.answer is REFUSED
            return "refused" if is_refused else values.word(self.answer, limit=limit)
        known = "failed" if self.outcome is Outcome.FAILED else "?"
        return f"{known} ({self.error})" if self.error else known


def outcome_of_error(step: Step) -> Outcome:
    """Say what is known of a call that raised, from the interface alone.

    What the interface does not promise to come before any I/O is unknown: to take an error for
    "no effect" would accuse a store whose answer was lost after the write was made. A clause that
    knows more of its backend hands another function to `operations_on`.
    """
    error = step.error
    if step.operation == "create" and isinstance(error, SessionExistsError):
        return Outcome.OK
    if step.operation in READS or isinstance(error, REFUSALS):
        return Outcome.FAILED
    return Outcome.UNKNOWN


def operations_on(
    session: str,
    steps: Iterable[Step],
    *,
    outcome_of_error: Callable[[Step], Outcome] = outcome_of_error,
) -> list[Operation]:
    """Pick from a history what was asked of one session, in the order of the calls.

    Every `delete_before` is among it, as it may have removed the session; so is a `create`
    without an id that answered this one. A `create` that raised and whose outcome is said to be
    ok was refused because the id is taken. A call that hung or was cancelled is unknown.
    """
    picked = (step for step in steps if _concerns(step, session))
    return [_operation(step, outcome_of_error) for step in picked]


def _concerns(step: Step, session: str) -> bool:
    if step.operation == "close":
        return False
    if step.operation == "delete_before":
        return True
    if step.operation == "create" and not step.arguments:
        return values.are_equal(step.answer_as_given, session)
    return step.arguments[:1] == (session,)


def _operation(step: Step, outcome_of_error: Callable[[Step], Outcome]) -> Operation:
    answer, error = None, ""
    match step.outcome:
        case "answered":
            outcome, answer = Outcome.OK, step.answer_as_given
        case "raised":
            outcome = outcome_of_error(step)
            answer = REFUSED if outcome is Outcome.OK else None
            error = "" if outcome is Outcome.OK else word_error(step.error)
        case "spared":
            outcome = Outcome.FAILED
        case _:
            outcome, error = Outcome.UNKNOWN, "no answer"
    return Operation(
        id=step.number,
        operation=step.operation,
        argument=_argument(step),
        answer=answer,
        outcome=outcome,
        began=step.began,
        ended=None if outcome is Outcome.UNKNOWN else step.ended,
        instance=step.instance,
        error=error,
    )


def _argument(step: Step) -> Json:
    match step.operation:
        case "save":
            return step.arguments[1] if len(step.arguments) > 1 else step.keywords.get("messages")
        case "update":
            return step.keywords.get("cost_data")
        case "delete_before":
            return step.arguments[0]
    return None


def overlapping_pairs(operations: Iterable[Operation]) -> int:
    """Count the pairs of operations that were under way at the same time.

    A race whose calls came one after the other shows nothing, whatever it was meant to be.
    """
    seen = sorted(operations, key=lambda one: one.began)
    ends = sorted(one.ended for one in seen if one.ended is not None)
    # Of the pairs of a later and an earlier one, those whose earlier one was over do not overlap.
    return sum(number - bisect.bisect_left(ends, one.began) for number, one in enumerate(seen))
