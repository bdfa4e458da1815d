"""An operation that raised has done nothing, and will do nothing later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must
from ..expect import NothingFound, expect, violated
from .beginning import begin_with, make_sure
from .messages import UNSTORABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..history import Call, Step
    from ..subject import Subject

HI = [{"role": "user", "content": "hi"}]
COSTS = {"turns": 1}


def _failing(store: Subject, session: str) -> Iterator[Call[Any]]:
    """Make calls of which a store refuses some; that of create every store refuses."""
    yield store.create(session)
    yield store.save(session, None)
    for value in UNSTORABLE:
        yield store.save(session, [{"role": "user", "content": "new"}, {"content": value}])
        yield store.update(session, cost_data={"turns": 2, "bad": value})


@must(
    "failure.leaves-no-transaction-open",
    "After an operation that raised, another instance can write at once.",
    because="A transaction that an error has left open holds its locks until the process ends, and "
    "every other writer waits for it.",
    remedy="`async with connection.transaction()`; sqlite3: `with connection`, or rollback in an "
    "`except BaseException`. An error of a constraint leaves the transaction open like any other.",
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


def _locked_out(step: Step, failed: Step) -> None:
    how = "does not answer" if step.outcome == "hung" else step.answered()
    violated(
        f"{step.operation} of another instance {how} after a {failed.operation} that raised",
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
    stored_later = f"a later operation commits a {operation} that raised"
    await expect(store.load(session)).to_be(HI, rather_than={stored_later: []})
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(session)).to_be(COSTS, rather_than={stored_later: {}})
