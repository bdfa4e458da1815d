"""Writes under way at once when something ends that carries them, and what may be found then."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...capabilities import Capability
from ...expect import Violation, expect
from ...history import StepFailed
from ...values import are_equal
from .beginning import make_sure

if TYPE_CHECKING:
    from ...history import Call, Step
    from ...interface import Json
    from ...subject import Subject

BEFORE = [{"role": "user", "content": "before"}]
COSTS = {"turns": 1, "usage": {"in": 3}}
MORE_COSTS = {"turns": 2, "usage": {"in": 9}, "model": "m"}
MISSING: Json = None


@dataclass(frozen=True)
class State:
    """What is to be read of a session."""

    messages: Json
    cost_data: dict[str, Json]


NOTHING = State(MISSING, {})


@dataclass
class Deed:
    """One write on a session of its own: the states before and after it, and what came of it."""

    name: str
    call: Call[Any]
    session: str
    before: State
    after: State
    answer: Json
    step: Step | None = None

    @property
    def is_acknowledged(self) -> bool:
        return self.step is not None and self.step.outcome == "answered"

    def hold(self, step: Step) -> None:
        """Keep what came of it.

        Raises:
            StepFailed: it was answered, and wrongly: that is another clause's matter.
        """
        self.step = step
        if step.outcome == "answered" and not are_equal(step.answer_as_given, self.answer):
            raise StepFailed(step)


async def write_in_turn(store: Subject) -> None:
    """Make sure that the writes of a burst are right one after the other, when nothing ends."""
    session, merged = await made(store), {**COSTS, **MORE_COSTS}
    await make_sure(store.load(session), BEFORE)
    await make_sure(store.update(session, cost_data=MORE_COSTS), answer=True)
    await store.save(session, [])
    await make_sure(store.load(session), [])
    if store.can(Capability.COST_READ):
        await make_sure(store.get_cost_data(session), merged)
    await make_sure(store.delete(session), answer=True)
    for missing in (session, store.unused_id("missing")):
        await make_sure(store.load(missing), MISSING)
        await make_sure(store.exists(missing), answer=False)
        if store.can(Capability.COST_READ):
            await make_sure(store.get_cost_data(missing), {})
    await make_sure(store.create(session), session)
    await make_sure(store.load(session), [])
    if store.can(Capability.COST_READ):
        await make_sure(store.get_cost_data(session), {})


async def prepare_burst(store: Subject, size: int) -> list[Deed]:
    """Make sessions, of which each is kept as it is made, and answer a write on each of them.

    Every operation that writes is among them; messages have `size` characters.
    """
    old, messages = State(BEFORE, COSTS), [{"role": "user", "content": "after " + "x" * size}]
    saved, again, updated, deleted, kept = [await made(store) for _ in range(5)]
    created, begun = store.unused_id("created"), store.unused_id("begun")
    merged = State(BEFORE, {**COSTS, **MORE_COSTS})
    return [
        Deed("save", store.save(saved, messages), saved, old, State(messages, COSTS), None),
        Deed("update", store.update(updated, cost_data=MORE_COSTS), updated, old, merged, True),
        Deed("create", store.create(created), created, NOTHING, State([], {}), created),
        Deed("delete", store.delete(deleted), deleted, old, NOTHING, True),
        Deed("first save", store.save(begun, messages), begun, NOTHING, State(messages, {}), None),
        Deed("second save", store.save(again, []), again, old, State([], COSTS), None),
        # Not under way at all: nothing but its neighbours is written.
        Deed("earlier save", store.load(kept), kept, old, old, BEFORE),
    ]


async def prepare_filling(store: Subject, messages: list[Json]) -> list[Deed]:
    """Make sessions, and answer writes on them for which there will be no room, and one for which.

    The messages are those that are too large.
    """
    old = State(BEFORE, COSTS)
    saved, updated = [await made(store) for _ in range(2)]
    begun = store.unused_id("begun")
    merged = State(BEFORE, {**COSTS, **MORE_COSTS})
    return [
        Deed("save", store.save(saved, messages), saved, old, State(messages, COSTS), None),
        Deed("first save", store.save(begun, messages), begun, NOTHING, State(messages, {}), None),
        Deed("update", store.update(updated, cost_data=MORE_COSTS), updated, old, merged, True),
    ]


def largest_file(place: str) -> int:
    """Answer the size of the largest file at a place, or beside it."""
    sizes = [path.stat().st_size for path in Path(place).parent.rglob("*") if path.is_file()]
    return max(sizes, default=0)


async def made(store: Subject) -> str:
    """Make a session as those are that a burst begins with, and answer its id."""
    session = store.unused_id("before")
    await store.save(session, BEFORE)
    await store.update(session, cost_data=COSTS)
    return session


async def expect_kept(store: Subject, deeds: list[Deed], when: str) -> None:
    """Demand that what was acknowledged is there, and each session as somebody has written it."""
    for deed in deeds:
        is_acknowledged = deed.is_acknowledged or deed.before == deed.after
        allowed = [deed.after] if is_acknowledged else [deed.before, deed.after]
        lost = f"an acknowledged {deed.name} is lost {when}"
        half = f"a {deed.name} under way is half done {when}"
        read = store.load(deed.session)
        try:
            await expect(read).to_be_one_of([one.messages for one in allowed])
            found = store.stand.history.steps[-1].answer_as_given
            # A server may end what its client has begun: what is found missing stays missing.
            left = [one for one in allowed if found is not None or one.messages is None]
            if store.can(Capability.COST_READ):
                await expect(store.get_cost_data(deed.session)).to_be_one_of(
                    [one.cost_data for one in left]
                )
            if found is None:
                await expect(store.exists(deed.session)).to_be(False)
        except Violation as violation:
            step = store.stand.history.steps[-1]
            if step.outcome != "answered":
                raise
            raise Violation(
                lost if is_acknowledged else half,
                demanded=violation.demanded,
                answered=violation.answered,
            ) from None
