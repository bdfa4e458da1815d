"""An operation that raised has done nothing, and will do nothing later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must
from ..expect import NothingFound, expect, violated
from ..subject import at_once
from .messages import UNSTORABLE
from .procedures.beginning import begin_with, make_sure
from .procedures.many import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..history import Call, Step
    from ..subject import Subject

HI = [{"role": "user", "content": "hi"}]
COSTS = {"turns": 1}
MANY_REFUSALS = 64
MANY = 16
"""Calls after which a pool is empty that loses a connection at each: most have 15 at the most."""


def _failing(store: Subject, session: str) -> Iterator[Call[Any]]:
    """Make calls of which a store refuses some; that of create every store refuses."""
    yield store.create(session)
    yield store.save(session, None)
    for value in UNSTORABLE:
        yield store.save(session, [{"role": "user", "content": "new"}, {"content": value}])
        yield store.update(session, cost_data={"turns": 2, "bad": value})


@must(
    "failure.leaves-no-transaction-open",
    "After an operation that raised, another instance can write at once; after many that raised or "
    "found no session, operations are still answered.",
    because="A transaction that an error has left open holds its locks until the process ends, and "
    "every other writer waits for it. A connection that an error keeps from its pool is gone; with "
    "the last of them everything stands still.",
    remedy="`async with connection.transaction()`; sqlite3: `with connection`, or rollback in an "
    "`except BaseException`. An error of a constraint leaves the transaction open like any other. "
    "`async with pool.acquire()`, or give back in a `finally`: early returns count, too.",
    needs={Capability.SHARED},
    evidence=["origin"],
)
async def leaves_no_transaction_open(store: Subject) -> None:
    other = await store.another()
    await other.exists(other.unused_id())
    raised = 0
    session = await store.create()
    await begin_with(store, session, messages=HI)
    for call in _failing(store, session):
        failed = await call.perform(is_expected=True)
        if failed.outcome == "answered":
            continue
        raised += 1
        for write in (other.save(other.unused_id(), HI), other.save(session, HI)):
            step = await write.perform(is_expected=True)
            if step.outcome != "answered":
                _locked_out(step, failed)
    if not raised:
        raise NothingFound("no operation raised: see lifecycle.create-refuses-a-taken-id")
    for make, times in _in_vain(store, session):
        await _goes_on_after(store, session, make, times)


def _in_vain(store: Subject, session: str) -> Iterator[tuple[Callable[[], Call[Any]], int]]:
    """Say how calls are made that find the id taken, or no session, and how often."""
    missing = store.unused_id("missing")
    yield lambda: store.create(session), MANY_REFUSALS
    yield lambda: store.load(missing), MANY
    yield lambda: store.exists(missing), MANY
    yield lambda: store.update(missing, cost_data=COSTS), MANY
    yield lambda: store.delete(missing), MANY
    if store.can(Capability.COST_READ):
        yield lambda: store.get_cost_data(missing), MANY


async def _goes_on_after(
    store: Subject, session: str, make: Callable[[], Call[Any]], times: int
) -> None:
    first = await make().perform(is_expected=True)
    for _ in range(times // GROUP):
        store.stand.history.restart()
        steps = await at_once(*(make() for _ in range(GROUP)))
        if any(_word(step) != _word(first) for step in steps):
            break  # each that comes now may take as long as it may
    step = await store.exists(session).perform(is_expected=True)
    if step.outcome != "answered":
        how = "does not answer" if step.outcome == "hung" else step.answered()
        violated(
            f"exists {how} after many calls of {first.operation} in vain",
            demanded="an answer",
            answered=step.answered(),
        )


def _word(step: Step) -> tuple[str, type]:
    """Say what came of a call, but for the words of an exception."""
    return step.outcome, type(step.error)


def _one(operation: str) -> str:
    return f"{'an' if operation == 'update' else 'a'} {operation}"


def _locked_out(step: Step, failed: Step) -> None:
    how = "does not answer" if step.outcome == "hung" else step.answered()
    violated(
        f"{step.operation} of another instance {how} after {_one(failed.operation)} that raised",
        demanded="an answer",
        answered=step.answered(),
    )


@must(
    "failure.raised-means-not-stored-later",
    "A write that raised is not committed by a later operation.",
    because="The caller was told that it failed and has tried again, or has told a person so.",
    remedy="Roll back before you raise. One connection with one implicit transaction for all "
    "callers commits what the others have left in it: give each operation a transaction of its "
    "own.",
    needs={Capability.SHARED},
    evidence=["origin"],
)
async def raised_means_not_stored_later(store: Subject) -> None:
    other = await store.another()
    session = await store.create()
    await begin_with(store, session, messages=HI, cost_data=COSTS)
    await make_sure(other.load(session), HI)
    raised = 0
    for call in _failing(store, session):
        failed = await call.perform(is_expected=True)
        if failed.outcome == "answered":
            session = await store.create()
            await begin_with(store, session, messages=HI, cost_data=COSTS)
            continue
        raised += 1
        # Whatever commits: it must not take along what was left of the failed one.
        await store.save(store.unused_id(), HI)
        await _is_as_it_was(other, session, failed.operation)
    if not raised:
        raise NothingFound("no operation raised: see lifecycle.create-refuses-a-taken-id")


async def _is_as_it_was(store: Subject, session: str, operation: str) -> None:
    stored_later = f"a later operation commits {_one(operation)} that raised"
    await expect(store.load(session)).to_be(HI, rather_than={stored_later: []})
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(session)).to_be(COSTS, rather_than={stored_later: {}})
