"""Operations at once on one session, of which some order explains every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...capabilities import Capability
from ...expect import Drawn, NothingFound
from ...linearizability import Judgement, Ruling, judge, operations_on, overlapping_pairs
from ...timeline import draw
from ...timeline_page import page
from ...workload import play, workload
from .in_turn import create_in_turn, delete_in_turn, save_in_turn, update_in_turn

if TYPE_CHECKING:
    from ...subject import Subject


async def expect_an_order(store: Subject, instances: list[Subject]) -> None:
    """Use one session from all instances at once, and look for an order that explains the answers.

    Raises:
        Drawn: there is none.
        NothingFound: there was none to find.
        StepFailed: an operation does not work in turn either.
    """
    for control in (create_in_turn, delete_in_turn, save_in_turn, update_in_turn):
        await control(instances)
    overlaps = 0
    for _ in range(2 * store.stand.effort.rounds):
        store.stand.history.restart()
        session = store.unused_id("hot")
        claims = [Capability(one) for one in store.stand.capabilities]
        for turn in workload(store.stand.random, clients=16, operations=6, claims=claims, rounds=1):
            await play(turn, instances, [session])
        operations = operations_on(session, store.stand.history.steps)
        overlaps += overlapping_pairs(operations)
        _is_explained(judge(operations))
    if not overlaps:
        raise NothingFound(
            "no two operations were under way at once, so there was no order to find"
        )


def _is_explained(judgement: Judgement) -> None:
    match judgement.ruling:
        case Ruling.UNEXPLAINED:
            at = judgement.breaks_at.operation if judgement.breaks_at else "an operation"
            raise Drawn(
                f"no order explains what {at} answers",
                operation=at,
                timeline=draw(judgement, width=78),
                page=page(judgement),
            )
        case Ruling.UNDECIDED:
            raise NothingFound(judgement.headline())
