"""An order confirmed by the model: independent of how it was found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from .. import model, values
from .operation import Operation, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME: Final = "session"
LATER: Final = model.START + timedelta(1)


def refute(operations: Sequence[Operation], order: Sequence[Operation]) -> str | None:
    """Say why an order does not explain the operations; None when it does.

    It does when it holds each operation that was answered, none twice and none that failed,
    respects real time, and the model, step by step, gives the recorded answers. An unknown
    operation, and a `delete_before`, may be left out: it had no effect on the session.
    """
    placed = {one.id for one in order}
    if len(placed) < len(order) or not placed <= {one.id for one in operations}:
        return "the order holds an operation twice, or one that was not recorded"
    for one in operations:
        if one.outcome is Outcome.OK and one.operation != "delete_before" and one.id not in placed:
            return f"the order lacks operation {one.id}"
    latest = 0
    state: model.State = {}
    for one in order:
        if one.outcome is Outcome.FAILED:
            return f"operation {one.id} failed, and has a place in the order"
        if one.ended is not None and one.ended < latest:
            return f"operation {one.id} comes after one that was called when it was over"
        latest = max(latest, one.began)
        state, demanded = step(state, one)
        if not is_given(one, demanded):
            return f"operation {one.id} answers {one.answered()}, not {values.word(demanded)}"
    return None


def step(state: model.State, one: Operation) -> tuple[model.State, Any]:
    """Take the operation on the model: answer the state after it, and what it had to answer.

    A `delete_before` is taken as one that removes the session.
    """
    match one.operation:
        case "save":
            return model.step(state, "save", NAME, one.argument, now=model.START)
        case "update":
            return model.step(state, "update", NAME, cost_data=one.argument, now=model.START)
        case "delete_before":
            return model.step(state, "delete_before", LATER, now=model.START)
    return model.step(state, one.operation, NAME, now=model.START)


def is_given(one: Operation, demanded: Any) -> bool:
    """Answer whether the recorded answer is the demanded one, as far as it is looked at."""
    if one.outcome is Outcome.UNKNOWN or one.operation in {"save", "delete_before"}:
        return True
    if one.operation == "create":
        return (one.answer is model.REFUSED) is (demanded is model.REFUSED)
    return values.are_equal(one.answer, demanded)
