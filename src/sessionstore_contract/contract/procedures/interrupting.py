"""Cancelling operations at their await points, each on a session of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...capabilities import Capability
from ...interruption import MOMENTS, Interruption, Moment
from .beginning import begin_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ...history import Call, Step
    from ...interface import Json
    from ...subject import Subject

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
OLD = [{"role": "user", "content": "old"}, {"role": "assistant", "content": "old answer"}]
NEW = [*OLD, {"role": "user", "content": "new"}]
OLD_COSTS = {"turns": 1, "tokens": 10}
NEW_COSTS = {"turns": 2, "tokens": 20, "model": "m"}

WRITES = ("create", "save", "update", "delete")
READS = ("load", "get_cost_data", "exists", "delete_before")


@dataclass(frozen=True)
class Interrupted:
    """One call that was cancelled at one of its await points."""

    step: Step
    session: str
    point: int
    moment: Moment

    @property
    def where(self) -> str:
        return f"{self.step.operation} cancelled at its await point {self.point}"


@dataclass(frozen=True)
class LongSave(Interrupted):
    """A save of many messages that was cancelled."""

    saved: list[Json]

    @property
    def where(self) -> str:
        return f"save of {len(self.saved):,} messages cancelled at its await point {self.point}"


async def at_every_point(
    store: Subject, operations: Iterable[str], moments: Iterable[Moment] = MOMENTS
) -> AsyncIterator[Interrupted]:
    """Cancel each operation at each of its await points in turn, on a session of its own."""
    for operation in operations:
        if operation not in offered(store):
            continue
        for moment in moments:
            for point in range(1, store.stand.effort.points + 1):
                store.stand.history.restart()
                session = store.unused_id()
                if operation != "create":
                    await begin_with(store, session, messages=OLD, cost_data=OLD_COSTS)
                interruption = Interruption(point, moment)
                step = await call_of(store, operation, session).perform(
                    is_expected=True, through=interruption.of
                )
                if not interruption.is_made:
                    break
                yield Interrupted(step, session, point, moment)


def offered(store: Subject) -> set[str]:
    left_out = set()
    if not store.can(Capability.COST_READ):
        left_out.add("get_cost_data")
    if not store.can(Capability.RETENTION):
        left_out.add("delete_before")
    return {*WRITES, *READS} - left_out


def call_of(store: Subject, operation: str, session: str) -> Call[Any]:
    match operation:
        case "save":
            return store.save(session, NEW)
        case "update":
            return store.update(session, cost_data=NEW_COSTS)
        case "delete_before":
            return store.delete_before(LONG_AGO)
    return store.call(operation, session)
