"""A cancelled operation has had its whole effect or none, and harms nobody afterwards."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ..capabilities import Capability
from ..clause import must
from ..expect import NothingFound, Violation, expect_all_answered, violated
from ..history import word_error
from ..interruption import MOMENTS, Interruption
from ..subject import at_once
from ..values import are_equal, word
from .procedures import leaks
from .procedures.batches import MORE, history_in_batches
from .procedures.beginning import begin_with, make_sure
from .procedures.first_use import mixed_calls
from .procedures.interrupting import (
    NEW,
    NEW_COSTS,
    OLD,
    OLD_COSTS,
    READS,
    WRITES,
    Interrupted,
    LongSave,
    at_every_point,
    call_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from random import Random

    from ..history import Call, Step
    from ..interface import Json
    from ..subject import Subject

SETTLED = 1.0
"""Seconds in which what a cancelled request has set off in a service comes to its end."""

LOOKS = 3
"""Looks at a session before it is judged, however long one takes: what a request does at one
instant falls into one of them at most."""

REMEDY = (
    "Let CancelledError pass: `except Exception` does not catch it, a bare `except` does. Keep the "
    "transaction in `async with`, so that it is rolled back; where the driver goes on in a thread "
    "(aiosqlite), shield the whole transaction and wait for its end before you raise. asyncpg "
    "cancels its statement; a connection whose state is not known is closed, not given back."
)


# First of its area: an operation that hangs after a cancellation is to be named as that.
@must(
    "cancellation.leaves-the-store-usable",
    "After a cancelled operation, its instance's first one too, and after many at once, every "
    "later operation, of this instance and of others, works.",
    because="People close their browsers all day. A lock, a transaction or a pool slot that each "
    "of them leaves behind brings the server down by the evening.",
    remedy=REMEDY + " Opening on first use is one task that all callers wait for with a shield, "
    "so that the one who is cancelled does not take it along.",
    evidence=["origin"],
)
async def leaves_the_store_usable(store: Subject) -> None:
    other = await store.another() if store.can(Capability.SHARED) else None
    for one in filter(None, (store, other)):
        session = one.unused_id()
        await begin_with(one, session, messages=OLD, cost_data=OLD_COSTS)
        await one.create()
        await one.delete(session)
    async for interrupted in at_every_point(store, (*WRITES, "load")):
        # The other one first: what was left open may be closed by this one's next operation.
        if other is not None:
            await _works(other, f"{interrupted.where}, in another instance")
        await _works(store, interrupted.where)
    if other is not None:
        await _first_use_may_be_cancelled(store)
    await _storm(store, partial(_drawn, store.stand.random))
    for point in TURNS:
        await _storm(store, partial(_when_it_is_their_turn, point))
    for one in filter(None, (store, other)):
        await _works(one, "many cancelled at once")


async def _works(store: Subject, after: str) -> None:
    session = store.unused_id()
    for call in (
        store.save(session, NEW),
        store.update(session, cost_data=NEW_COSTS),
        store.load(session),
    ):
        step = await call.perform(is_expected=True)
        if step.outcome != "answered":
            violated(
                f"{step.operation} {_short(step)} after {after}",
                demanded="an answer",
                answered=step.answered(),
            )


def _short(step: Step) -> str:
    return "does not answer" if step.outcome == "hung" else step.answered()


KEYS = 20
"""Updates of a session that are served while others of it are cancelled."""

WAITED = (0.01, 0.04)
"""Seconds after which those who wait for something are cancelled, at the most."""

FIRST_USES = 12
"""Await points of a first use that are tried: opening has most of them, and takes most time."""


async def _first_use_may_be_cancelled(store: Subject) -> None:
    for point in range(1, min(FIRST_USES, store.stand.effort.points) + 1):
        store.stand.history.restart()
        fresh = await store.another()
        interruption = Interruption(point, "waiting")
        await fresh.save(fresh.unused_id(), OLD).perform(is_expected=True, through=interruption.of)
        await _works(fresh, f"its first use was cancelled at its await point {point}")
        await fresh.close()
        if not interruption.is_made:
            return


STORMS = (60, 20, 7)
"""Pairs of operations at once; fewer where the store can't take so many, cancelled or not: a queue
may be bounded, in length or in time, and refuse the last."""


TURNS = (1, 2)
"""Await points of a read at which it may be given a slot, a lock or a connection."""

_Cancelled: TypeAlias = "tuple[list[str], list[Interruption]]"
"""Operations, and when each of them is cancelled."""


async def _storm(store: Subject, cancelled: Callable[[int], _Cancelled]) -> None:
    """Cancel half of many operations at once; the other half is served all the same."""
    for pairs in STORMS:
        drawn, interruptions = cancelled(pairs)
        try:
            lost = await _lost_in_a_storm(store, drawn, interruptions)
        except Violation:
            if await _are_served(store, drawn):
                await _ask_alone(store)
                raise
            if pairs == STORMS[-1]:
                raise
            store.stand.note(
                f"{2 * pairs} operations at once are too many for it, cancelled or not"
            )
            continue
        if lost:
            await _blame_for_loss(store, drawn, lost)
        return


def _drawn(random: Random, pairs: int) -> _Cancelled:
    drawn = [random.choice(("save", "update", "load")) for _ in range(pairs)]
    # Some wait a while before, as others do by then: for a lock, for a connection.
    interruptions = [
        Interruption(1, "waiting", delay=random.choice(WAITED) * random.random())
        if random.random() < 0.6
        else Interruption(random.randint(1, 6), random.choice(MOMENTS))
        for _ in drawn
    ]
    return drawn, interruptions


def _when_it_is_their_turn(point: int, pairs: int) -> _Cancelled:
    """Have so many go that what is given to them, and taken by none, is soon missed."""
    return ["load"] * pairs, [Interruption(point, "done") for _ in range(pairs)]


async def _are_served(store: Subject, drawn: list[str]) -> bool:
    """Answer whether as many operations at once are served where none of them is cancelled."""
    storm = store.stand.history.steps[:]
    is_alone = not store.can(Capability.SHARED)
    if is_alone and any(step.outcome == "hung" for step in storm):
        return True  # nobody else may be in, and this one may not come back to itself
    other = store if is_alone else await store.another()
    try:
        await _lost_in_a_storm(other, drawn, [])
    except Violation:
        return False
    finally:
        if other is not store:
            await other.close().perform(is_expected=False)
        store.stand.history.steps[:] = storm
    return True


async def _ask_alone(store: Subject) -> None:
    """Let calls that wait for nobody show whether it is for others that none comes back."""
    if store.can(Capability.SHARED):
        with suppress(Violation):
            await _works(store, "many cancelled at once")


async def _blame_for_loss(store: Subject, drawn: list[str], lost: list[str]) -> None:
    storm = store.stand.history.steps[:]
    # Some let nobody else in while they are open.
    await store.close().perform(is_expected=False)
    if await _lost_in_a_storm(await store.another(), drawn, []):
        raise NothingFound("updates at once are lost: see concurrency.disjoint-updates-all-survive")
    store.stand.history.steps[:] = storm
    violated(
        "updates are lost beside many operations that are cancelled",
        demanded="the keys of all that were answered True",
        answered=f"without {', '.join(lost)}",
    )


async def _lost_in_a_storm(
    store: Subject, drawn: list[str], interruptions: list[Interruption]
) -> list[str]:
    """Serve updates of one session, and saves of others, beside operations on that session.

    Answers the keys that are not there afterwards.
    """
    store.stand.history.restart()
    session = await store.create()
    performed = []
    for number, operation in enumerate(drawn):
        if number % max(2, len(drawn) // KEYS):
            served: Call[Any] = store.save(store.unused_id(f"served-{number}"), OLD)
        else:
            served = store.update(session, cost_data={f"key {number}": number})
        beside = call_of(store, operation, session)
        performed.append(served.perform(is_expected=True))
        if interruptions:
            through = interruptions[number].of
            performed.append(beside.perform(is_expected=True, through=through))
        else:
            performed.append(beside.perform(is_expected=False))
    # Each waits behind those before it: whoever is cancelled has others before and after him.
    steps = await asyncio.gather(*performed)
    expect_all_answered(steps[::2], "operations beside many that are cancelled")
    if not store.can(Capability.COST_READ):
        return []
    step = await store.get_cost_data(session).perform(is_expected=True)
    step.require_answer()
    told = [one for one in steps[::2] if one.operation == "update" and one.answer_as_given is True]
    written = [key for one in told for key in one.keywords["cost_data"]]
    return [key for key in written if key not in (step.answer_as_given or {})]


@must(
    "cancellation.is-passed-on",
    "A cancelled operation raises CancelledError; it is not swallowed and not turned into another "
    "exception.",
    because="A server cancels what a client has hung up on, and its time-outs are cancellations: "
    "swallowed, the task goes on for nobody, and shutdown waits for it.",
    remedy=REMEDY,
)
async def is_passed_on(store: Subject) -> None:
    # When the answer is there already, `asyncio.wait_for` of Python 3.11 swallows by itself.
    async for interrupted in at_every_point(store, (*WRITES, *READS), ["waiting"]):
        step = interrupted.step
        if isinstance(step.error, asyncio.CancelledError):
            continue
        if step.outcome == "answered":
            headline = f"{step.operation} swallows its cancellation"
        elif step.outcome == "hung":
            headline = f"{step.operation} does not come back when it is cancelled"
        else:
            headline = f"{step.operation} turns its cancellation into {word_error(step.error)}"
        violated(headline, demanded="CancelledError", answered=step.answered())


@must(
    "cancellation.is-all-or-nothing",
    "Cancelled at any await, an operation has had its whole effect or none.",
    because="A client that hangs up in the middle of a turn must not leave half a turn behind: "
    "tokens without their price, a session without its messages.",
    remedy="One statement or one transaction for each operation, and its commit is the last thing "
    "it does. " + REMEDY,
)
async def is_all_or_nothing(store: Subject) -> None:
    before = {"exists": True, "messages": OLD, "cost data": OLD_COSTS}
    gone: dict[str, Json] = {"exists": False, "messages": None, "cost data": {}}
    states: dict[str, list[dict[str, Json]]] = {
        "create": [gone, {"exists": True, "messages": [], "cost data": {}}],
        "save": [before, {**before, "messages": NEW}],
        "update": [before, {**before, "cost data": {**OLD_COSTS, **NEW_COSTS}}],
        "delete": [before, gone],
        **{operation: [before] for operation in READS},
    }
    for operation in WRITES:
        await _does_in_turn(store, operation, states[operation][-1])
    async for interrupted in at_every_point(store, (*WRITES, *READS)):
        await _is_one_of(store, interrupted, states[interrupted.step.operation])
    async for interrupted in _long_saves(store):
        await _is_one_of(store, interrupted, [before, {**before, "messages": interrupted.saved}])


async def _long_saves(store: Subject) -> AsyncIterator[LongSave]:
    """Cancel a save of many messages in the middle, and where it is nearly made."""
    history = history_in_batches(MORE, "new")
    # How many await points it has is seen where nobody cancels it.
    whole, step, session = await _long_save(store, history, 0)
    step.require_answer()
    await make_sure(store.load(session), history)
    for point in sorted({whole.passed // 2, whole.passed} - {0}):
        interruption, step, session = await _long_save(store, history, point)
        if interruption.is_made:
            yield LongSave(step, session, point, "waiting", history)


async def _long_save(
    store: Subject, history: list[Json], point: int
) -> tuple[Interruption, Step, str]:
    """Save a history over another; it is cancelled at an await point, if there is one."""
    store.stand.history.restart()
    session, interruption = store.unused_id(), Interruption(point, "waiting")
    await begin_with(store, session, messages=OLD, cost_data=OLD_COSTS)
    call = store.save(session, history)
    step = await call.perform(is_expected=point > 0, through=interruption.of)
    return interruption, step, session


async def _does_in_turn(store: Subject, operation: str, after: dict[str, Json]) -> None:
    """Make sure that an operation which nobody cancels has its whole effect."""
    session = store.unused_id()
    if operation != "create":
        await begin_with(store, session, messages=OLD, cost_data=OLD_COSTS)
    await call_of(store, operation, session)
    await make_sure(store.exists(session), after["exists"])
    await make_sure(store.load(session), after["messages"])
    if store.can(Capability.COST_READ):
        await make_sure(store.get_cost_data(session), after["cost data"])


async def _is_one_of(
    store: Subject, interrupted: Interrupted, states: list[dict[str, Json]]
) -> None:
    can_read_costs = store.can(Capability.COST_READ)
    allowed = [
        {name: value for name, value in state.items() if can_read_costs or name != "cost data"}
        for state in states
    ]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLED
    for look in itertools.count(1):
        seen = await _look(store, interrupted.session)
        if any(are_equal(seen, state) for state in allowed):
            return
        if look >= LOOKS and loop.time() > deadline:
            break
        # A service may come to an end with the request while one part after another is looked at.
        await asyncio.sleep(0.02)
    violated(
        f"{interrupted.where} has had half of its effect",
        demanded=" or ".join(map(word, allowed)),
        answered=word(seen),
    )


async def _look(store: Subject, session: str) -> dict[str, Json]:
    seen: dict[str, Json] = {
        "exists": await store.exists(session),
        "messages": await store.load(session),
    }
    if store.can(Capability.COST_READ):
        seen["cost data"] = await store.get_cost_data(session)
    return seen


@must(
    "cancellation.leaks-nothing",
    "Operations that are cancelled or refused leave no connection, thread, file handle or task "
    "behind, and a first use that is cancelled leaves none after `close`.",
    because="A server runs for weeks, and its clients hang up all day: what one cancellation "
    "leaves is a thousand connections by then, and nobody else gets one.",
    remedy="Acquire and release in one `async with`; what is acquired in a task of its own "
    "(asyncio.wait_for, shield) is given back by that task's callback when nobody waits for it any "
    "longer. aiosqlite: await `close()` of a connection whose opening was cancelled, else its "
    "thread stays. httpx: leave the client's stream by `aclose()`, shielded.",
    needs={Capability.CENSUS},
    evidence=["aiosqlite#259", "httpcore#1093"],
)
async def leaks_nothing(store: Subject) -> None:
    # A pool has grown before it is counted: to what as many callers at once need.
    for step in await at_once(*mixed_calls(store)):
        step.require_answer()

    async def cancelled() -> None:
        async for _ in at_every_point(store, (*WRITES, "load")):
            pass

    taken = await store.create()

    async def refused() -> None:
        for call in (store.create(taken), store.save(taken, None)):
            await call.perform(is_expected=True)

    async def both() -> None:
        await cancelled()
        await refused()

    grown = await leaks.left_behind(store, both)
    if grown:
        # Which of them it was is looked for where there is something to look for.
        left = await leaks.left_behind(store, refused)
        _expect_none(left, "operations that are refused leave")
    _expect_none(grown, "operations that are cancelled leave")
    await store.close()

    async def first_uses() -> None:
        for point in range(1, min(FIRST_USES, store.stand.effort.points) + 1):
            fresh = await store.another()
            interruption = Interruption(point, "waiting")
            call = fresh.save(fresh.unused_id(), OLD)
            await call.perform(is_expected=True, through=interruption.of)
            await fresh.close()
            if not interruption.is_made:
                return

    _expect_none(await leaks.left_behind(store, first_uses), "a first use that is cancelled leaves")


def _expect_none(grown: dict[str, int], who: str) -> None:
    if grown:
        violated(
            f"{who} {leaks.worded(grown)} behind",
            demanded="what was taken is given back",
            answered=f"after {leaks.CYCLES} rounds of cancellations, {leaks.counted(grown)}",
        )
