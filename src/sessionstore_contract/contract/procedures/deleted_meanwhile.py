"""Updates of a session that is deleted at the same time, or deleted and made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...expect import expect, expect_all_answered, violated
from ...subject import side_by_side
from .beginning import begin_with
from .clients import message, twelve_of

if TYPE_CHECKING:
    from ...history import Call, Step
    from ...subject import Subject


def expect_false_when_gone(step: Step, deleted: Step) -> None:
    """Demand of an update that began after the delete had answered that it was told False."""
    if deleted.ended is not None and step.began > deleted.ended and step.answer_as_given is True:
        violated(
            "update answers True for a session that was deleted before it began",
            demanded="False",
            answered=step.answered(),
        )


async def expect_gone(store: Subject, session: str) -> None:
    """Demand that neither the session nor its cost data is there; it is made anew by that."""
    await expect(store.exists(session)).to_be(
        False, rather_than={"an update at once with a delete brings the session back": True}
    )
    await store.save(session, [])
    step = await store.get_cost_data(session).perform(is_expected=True)
    step.require_answer()
    if step.answer_as_given != {}:
        violated(
            "an update at once with a delete leaves its cost data behind",
            demanded="{}",
            answered=step.answered(),
        )


async def make_again_beside_updates(store: Subject, instances: list[Subject]) -> None:
    """Delete a session that was written once, and write it once again, as many updates begin."""
    session = store.unused_id("again")
    await begin_with(store, session, messages=[message("old")])
    updates: list[list[Call[Any]]] = [
        [one.update(session, cost_data={f"key {number}": 1})]
        for number, one in enumerate(twelve_of(instances)[:8])
    ]
    again: list[Call[Any]] = [
        instances[-1].delete(session),
        instances[-1].save(session, [message("new")]),
    ]
    sequences = await side_by_side(*updates, again, stagger=store.stand.random)
    expect_all_answered(
        [step for steps in sequences for step in steps], "updates beside delete and save"
    )
    # Read where it was written: that others see it at once is another clause's.
    await expect(instances[-1].load(session)).to_be(
        [message("new")],
        rather_than={"an update at once with a delete brings old messages back": [message("old")]},
    )
