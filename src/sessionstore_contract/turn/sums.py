"""What the totals of a session are to be, and the judgement of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..expect import expect, violated
from .answers import COMPLETE
from .asking import WORD_OF_THE_CLIENT
from .script import Usage
from .system import TOTALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..history import Call, Step
    from ..interface import Json
    from .service import Service

FIRST = Usage(100, 20, 30)
SECOND = Usage(7, 5, 0)
THIRD = Usage(1000, 300, 500)
"""Figures no sum of which is another sum of them."""


ONE_DEFECT: dict[str, Json] = {"cached_tokens": 0, "model": WORD_OF_THE_CLIENT}
"""What a system has in all its totals that has this one defect, which is told once."""


def total(
    *turns: Usage, model: str | None = "model-a", count: int | None = None
) -> dict[str, Json]:
    """Add turns up."""
    return {
        "input_tokens": sum(one.input_tokens for one in turns),
        "output_tokens": sum(one.output_tokens for one in turns),
        "cached_tokens": sum(one.cached_tokens for one in turns),
        "turn_count": len(turns) if count is None else count,
        "model": model,
    }


async def expect_totals(
    service: Service,
    session: str,
    *one_of: Mapping[str, Json],
    rather_than: Mapping[str, Mapping[str, Json]] | None = None,
    names: tuple[str, ...] = TOTALS,
    judges_all: bool = False,
) -> None:
    """Demand these totals of a session; cached tokens may be missing from them altogether.

    Where they are nought whatever was used, or the model is the client's word, the clause that
    `judges_all` says so, and no other.
    """
    model = service.workshop.system.model
    left_out = {"cached_tokens"} if not service.keeps_cached_tokens(session) else set()
    if not judges_all:
        left_out |= {name for name, value in ONE_DEFECT.items() if service.has_only(name, value)}
    names = tuple(name for name in names if name not in left_out)

    def worded(totals: Mapping[str, Json]) -> dict[str, Json]:
        known = {name: value for name, value in totals.items() if name in names}
        is_of_agent = known.get("model") not in {None, WORD_OF_THE_CLIENT}
        return {**known, "model": model} if model is not None and is_of_agent else known

    rivals: dict[str, Json] = {}
    for headline, rival in (rather_than or {}).items():
        rivals[headline] = worded(rival)
    await expect(service.totals(session, names)).to_be_one_of(
        [worded(one) for one in one_of], rather_than=rivals, kinds_of_numbers=False
    )


async def expect_complete(call: Call[str], trouble: str) -> None:
    """Demand of a turn that the client's answer is complete; the headline names the trouble."""
    judge_complete(await call.perform(is_expected=True), trouble)


def judge_complete(step: Step, trouble: str) -> None:
    """Demand of a turn that was taken what `expect_complete` does."""
    if step.outcome == "answered" and step.answer == COMPLETE:
        return
    if step.outcome == "hung":
        violated(f"a turn is not over in time {trouble}", demanded=COMPLETE, answered="nothing")
    broken = "the answer is broken" if step.outcome == "answered" else "recording raises"
    violated(f"{broken} {trouble}", demanded=COMPLETE, answered=step.answered())
