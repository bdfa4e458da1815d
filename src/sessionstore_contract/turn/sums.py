"""What the totals of a session are to be, and the judgement of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..expect import expect, violated
from .answers import COMPLETE
from .script import Usage
from .system import TOTALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..history import Call
    from ..interface import Json
    from .service import Service

FIRST = Usage(100, 20, 30)
SECOND = Usage(7, 5, 0)
THIRD = Usage(1000, 300, 500)
"""Figures no sum of which is another sum of them."""


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
    judges_cached: bool = False,
) -> None:
    """Demand these totals of a session; cached tokens may be missing from them altogether.

    Where they are nought whatever was used, the clause that `judges_cached` says so, and no other.
    """
    model = service.workshop.system.model
    is_cached_judged = judges_cached or service.counts_cached_tokens()
    if not (is_cached_judged and service.keeps_cached_tokens(session)):
        names = tuple(name for name in names if name != "cached_tokens")

    def worded(totals: Mapping[str, Json]) -> dict[str, Json]:
        known = {name: value for name, value in totals.items() if name in names}
        return {**known, "model": model} if model is not None and known.get("model") else known

    rivals: dict[str, Json] = {}
    for headline, rival in (rather_than or {}).items():
        rivals[headline] = worded(rival)
    await expect(service.totals(session, names)).to_be_one_of(
        [worded(one) for one in one_of], rather_than=rivals, kinds_of_numbers=False
    )


async def expect_complete(call: Call[str], trouble: str) -> None:
    """Demand of a turn that the client's answer is complete; the headline names the trouble."""
    step = await call.perform(is_expected=True)
    if step.outcome == "answered" and step.answer == COMPLETE:
        return
    if step.outcome == "hung":
        violated(f"a turn is not over in time {trouble}", demanded=COMPLETE, answered="nothing")
    broken = "the answer is broken" if step.outcome == "answered" else "recording raises"
    violated(f"{broken} {trouble}", demanded=COMPLETE, answered=step.answered())
