"""What was acknowledged is there afterwards, whatever became of the instance that wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from ..expect import expect

if TYPE_CHECKING:
    from ..subject import Subject

HISTORY = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
COSTS = {"turns": 2, "usage": {"in": 3}}


@must(
    "durability.reopening-finds-everything",
    "After `close`, a new instance reads messages and cost data as they were.",
    because="Servers are restarted.",
    remedy="Write to the place, and read from it at the start; flush in close.",
    needs={Capability.DURABLE},
)
async def reopening_finds_everything(store: Subject) -> None:
    kept, deleted = await _write(store)
    await store.close()
    await _is_all_there(await store.another(), kept, deleted, "a new instance")


@must(
    "durability.close-is-not-the-commit",
    "A new instance finds every acknowledged write when the first was never closed.",
    because="Processes are killed; nobody calls close then.",
    remedy="Commit before you answer. SQLite: `await db.commit()` in every write, or "
    "`isolation_level=None`.",
    # Without it a second instance may be refused while the first is open.
    needs={Capability.DURABLE, Capability.SHARED},
)
async def close_is_not_the_commit(store: Subject) -> None:
    kept, deleted = await _write(store)
    await _is_all_there(
        await store.another(), kept, deleted, "a new instance beside an unclosed one"
    )


async def _write(store: Subject) -> tuple[str, str]:
    kept, deleted = await store.create(), await store.create()
    await store.save(kept, HISTORY)
    await store.update(kept, cost_data=COSTS)
    await store.save(deleted, HISTORY)
    await store.delete(deleted)
    return kept, deleted


async def _is_all_there(store: Subject, kept: str, deleted: str, reader: str) -> None:
    await expect(store.load(kept)).to_be(
        HISTORY,
        rather_than={
            f"{reader} does not find the session": None,
            f"{reader} finds an empty session": [],
        },
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(kept)).to_be(
            COSTS, rather_than={f"{reader} finds no cost data": {}}
        )
    await expect(store.exists(deleted)).to_be(
        False, rather_than={f"{reader} finds a deleted session": True}
    )
