"""Updates of different keys of one session, at once."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...expect import expect, expect_all_answered, violated
from ...subject import at_once
from .beginning import make_sure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...history import Call
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
    written = {f"key {number}": number for number in range(WRITERS)}
    updates: list[Call[Any]] = [
        instances[number % len(instances)].update(session, cost_data={key: number})
        for number, key in enumerate(written)
    ]
    updates[WRITERS // 2 : WRITERS // 2] = [
        first.update(first.unused_id(), cost_data={"key": 0}) for _ in range(beside)
    ]
    steps = await at_once(*updates)
    if beside and any(step.outcome == "raised" for step in steps):
        # A queue may be bounded, and refuse the last: those on one session are fewer.
        first.stand.note(f"{len(steps)} updates at once are too many for it")
        await write_disjoint_keys(instances, before)
        return
    expect_all_answered(steps, "updates at once")
    answer = await expect(first.get_cost_data(session)).to_succeed()
    stand = [key for key in written if isinstance(answer, dict) and key in answer]
    if len(stand) < WRITERS:
        violated(
            f"{len(stand)} of {WRITERS} updates at once stand",
            demanded=f"all {WRITERS} keys",
            answered=", ".join(stand) or "none of them",
        )
    await expect(first.get_cost_data(session)).to_be({**before, **written})
