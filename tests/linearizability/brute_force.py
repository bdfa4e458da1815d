"""Every order tried, without any reduction: what the judge is held against, for small histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionstore_contract import model
from sessionstore_contract.linearizability import Operation, Outcome
from sessionstore_contract.linearizability.replay import is_given, step

if TYPE_CHECKING:
    from collections.abc import Sequence


def has_an_order(operations: Sequence[Operation]) -> bool:
    """Answer whether some order explains the operations."""
    return _can_go_on({}, [one for one in operations if one.outcome is not Outcome.FAILED])


def _can_go_on(state: model.State, left: list[Operation]) -> bool:
    if not any(_is_bound(one) for one in left):
        return True
    return any(
        _can_go_on(after, [other for other in left if other is not one])
        for one in left
        if not any(other.ended is not None and other.ended < one.began for other in left)
        for after in _after(state, one)
    ) or any(
        # A `delete_before` may have left this session alone.
        _can_go_on(state, [other for other in left if other is not one])
        for one in left
        if one.operation == "delete_before" and one.outcome is Outcome.OK
    )


def _after(state: model.State, one: Operation) -> list[model.State]:
    after, demanded = step(state, one)
    return [after] if is_given(one, demanded) else []


def _is_bound(one: Operation) -> bool:
    return one.outcome is Outcome.OK and one.operation != "delete_before"
