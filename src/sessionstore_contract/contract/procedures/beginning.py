"""What a clause begins with, made sure of: where it is missing, another clause names the defect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...capabilities import Capability
from ...history import StepFailed
from ...values import are_equal

if TYPE_CHECKING:
    from ...history import Call
    from ...interface import Json
    from ...subject import Subject


async def begin_with(
    store: Subject,
    session: str,
    *,
    messages: list[Json] | None = None,
    cost_data: dict[str, Json] | None = None,
) -> None:
    """Give a session these messages and this cost data, and make sure that they can be read.

    They are read twice: a store whose reads take away what they answer is not a matter of the
    clause that begins so.
    """
    if messages is not None:
        await store.save(session, messages)
    if cost_data is not None:
        await store.update(session, cost_data=cost_data)
    for _ in range(2):
        if messages is not None:
            await make_sure(store.load(session), messages)
        if cost_data is not None and store.can(Capability.COST_READ):
            await make_sure(store.get_cost_data(session), cost_data)


async def make_sure(call: Call[Any], answer: Json) -> Any:
    """Make a step of which the clause needs this answer, and answer it; it is not judged.

    Raises:
        StepFailed: the answer is another; the clause that owns the operation is to be seen.
    """
    step = await call.perform(is_expected=False)
    step.require_answer()
    if not are_equal(step.answer_as_given, answer):
        raise StepFailed(step)
    return step.answer
