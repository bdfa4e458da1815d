"""Operations at once have the effect of the same operations in some order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from ..expect import expect, expect_all_answered, violated
from ..subject import at_once

if TYPE_CHECKING:
    from ..subject import Subject

WRITERS = 20
"""Updates in a round: what upstream's SQLite store kept 1 of."""

BECAUSE = (
    "Tools and turns of one chat report their figures at the same moment; what is lost is never "
    "billed."
)
REMEDY = (
    "Merge in the storage, in one statement (`cost_data || $1`), or read, merge and write in a "
    "transaction that holds the row or the write lock from the read on (SELECT ... FOR UPDATE, "
    "BEGIN IMMEDIATE). Redis: a hash field for each key, or a script. A lock in the process does "
    "not help other instances."
)


@must(
    "concurrency.disjoint-updates-all-survive",
    "Updates of different keys at once, on one instance, all stand.",
    because=BECAUSE,
    remedy=REMEDY,
    needs={Capability.COST_READ},
    evidence=["origin", "langgraph#8796"],
)
async def disjoint_updates_all_survive(store: Subject) -> None:
    for _ in range(store.stand.effort.rounds):
        await _write_disjoint_keys([store])


@must(
    "concurrency.disjoint-updates-survive-across-instances",
    "Updates of different keys at once, on several instances, all stand.",
    because=BECAUSE,
    remedy=REMEDY,
    needs={Capability.COST_READ, Capability.SHARED},
    follows=["concurrency.disjoint-updates-all-survive"],
)
async def disjoint_updates_survive_across_instances(store: Subject) -> None:
    instances = [store] + [await store.another() for _ in range(3)]
    for _ in range(store.stand.effort.rounds):
        await _write_disjoint_keys(instances)


async def _write_disjoint_keys(instances: list[Subject]) -> None:
    first = instances[0]
    first.stand.history.restart()
    session = await first.create()
    # The first use of an instance is another clause's: here each has been used.
    for instance in instances:
        await instance.exists(session)
    written = {f"key {number}": number for number in range(WRITERS)}
    steps = await at_once(
        *(
            instances[number % len(instances)].update(session, cost_data={key: number})
            for number, key in enumerate(written)
        )
    )
    expect_all_answered(steps, "updates at once")
    answer = await expect(first.get_cost_data(session)).to_succeed()
    stand = [key for key in written if isinstance(answer, dict) and key in answer]
    if len(stand) < WRITERS:
        violated(
            f"{len(stand)} of {WRITERS} updates at once stand",
            demanded=f"all {WRITERS} keys",
            answered=", ".join(stand) or "none of them",
        )
    await expect(first.get_cost_data(session)).to_be(written)
