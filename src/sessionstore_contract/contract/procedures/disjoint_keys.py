"""Updates of different keys of one session, at once."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...expect import expect, expect_all_answered, violated
from ...subject import at_once
from .beginning import make_sure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...history import Call, Step
    from ...interface import Json
    from ...subject import Subject

WRITERS = 20
"""Updates in a round: what upstream's SQLite store kept 1 of."""


async def write_disjoint_keys(
    instances: list[Subject],
    before: Mapping[str, Json] = MappingProxyType({}),
    *,
    beside: int = 0,
) -> None:
    """Update different keys of a session at once, and so many sessions that are missing.

    The session has the cost data `before` when that begins.
    """
    first = instances[0]
    session = await _begun(instances, before)
    written = {f"key {number}": number for number in range(WRITERS)}
    updates: list[Call[Any]] = [
        instances[number % len(instances)].update(session, cost_data={key: number})
        for number, key in enumerate(written)
    ]
    updates[WRITERS // 2 : WRITERS // 2] = [
        first.update(first.unused_id(), cost_data={"key": 0}) for _ in range(beside)
    ]
    steps = await at_once(*updates)
    refused = [step for step in steps if beside and step.outcome == "raised"]
    expect_all_answered([step for step in steps if step not in refused], "updates at once")
    # What was refused may be missing. What was acknowledged is to stand, however many there were.
    kept = [key for key in written if key in _answered(steps)]
    answer = await expect(first.get_cost_data(session)).to_succeed()
    stand = [key for key in kept if isinstance(answer, dict) and key in answer]
    if len(stand) < len(kept):
        violated(
            f"{len(stand)} of {len(kept)} updates at once stand",
            demanded=f"all {len(kept)} keys",
            answered=", ".join(stand) or "none of them",
        )
    if not refused:
        await expect(first.get_cost_data(session)).to_be({**before, **written})
        return
    # A queue may be bounded, in length or in time, and refuse the last: those on one session are
    # fewer.
    first.stand.note(
        f"{len(steps)} updates at once are too many for it: one {refused[0].answered()}"
    )
    await write_disjoint_keys(instances, before)


async def _begun(instances: list[Subject], before: Mapping[str, Json]) -> str:
    """Make a session with this cost data."""
    first = instances[0]
    first.stand.history.restart()
    session = await first.create()
    # One after the other: that few keys join large ones is another clause's.
    for key, value in before.items():
        await first.update(session, cost_data={key: value})
    if before:
        await make_sure(first.get_cost_data(session), {**before})
    # The first use of an instance is another clause's: here each has been used.
    for instance in instances:
        await make_sure(instance.exists(session), answer=True)
    return session


def _answered(steps: list[Step]) -> set[str]:
    answered = (step for step in steps if step.outcome == "answered")
    return {key for step in answered for key in step.keywords["cost_data"]}
