"""Processes that are killed at a chosen call of a write, and what they leave behind."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ...capabilities import Capability
from ...effort import THOROUGH
from ...expect import NothingFound, Violation, expect
from ...history import StepFailed
from .batches import FEWER, history_in_batches
from .burst import BEFORE, COSTS, MORE_COSTS, NOTHING, Deed, State, expect_kept, made
from .first_use import LONG_AGO
from .old_sessions import in_this_case
from .outcomes import works_in_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...subject import Subject

AFTER = [{"role": "user", "content": "after"}]
WHEN = "when its process is killed"
PATIENCE = 2
"""How long a dead process may keep a place locked, as a multiple of what a call may take."""
LONG_SAVE = "long save"
"""A save of more messages than a store may write in one transaction."""
OPERATIONS = ("create", "save", LONG_SAVE, "update", "delete")


async def expect_kept_when_killed_at_calls(store: Subject) -> None:
    """Demand that a write which is killed at one of its last calls is made or not made.

    And that all else works afterwards. Before the last call is before the commit, or before what
    tidies up; the one before that makes whole what was written. Each write is made to its end
    first, which tells how many calls it has.
    """
    maker = await store.another()
    try:
        user = await maker.first_user(is_counted=True)
    except NothingFound as nothing:
        store.stand.note(f"no process was killed at a chosen call: {nothing}")
        return
    deeds: list[Deed] = []
    refusal = None
    try:
        for operation in OPERATIONS:
            await _kill(operation, maker, user, deeds)
    except StepFailed as failed:
        refusal = failed  # Perhaps for what a process has left behind that was killed: seen below.
    await maker.close()
    await _expect_all_works(await store.another(), deeds)
    if refusal is not None:
        raise refusal


async def _kill(operation: str, maker: Subject, user: Subject, deeds: list[Deed]) -> None:
    whole = await _write(operation, maker, user)
    deeds.append(whole)
    step = await whole.call.perform(is_expected=False)
    step.require_answer()
    whole.hold(step)
    calls = user.store.calls
    for call in range(calls, max(0, calls - _most(maker, operation)), -1):
        killed = await _write(operation, maker, user)
        deeds.append(killed)
        user.store.kill_at = call
        killed.hold(await killed.call.perform(is_expected=False))
        user.store.kill_at = None


def _most(store: Subject, operation: str) -> int:
    """Answer how many calls of an operation it is killed at."""
    if store.stand.effort.name == THOROUGH.name:
        return THOROUGH.kills
    return 2 if operation == "save" else 1


async def _write(operation: str, maker: Subject, user: Subject) -> Deed:
    """Make a session, and answer a write on it that a process of its own makes."""
    if operation == "create":
        new = maker.unused_id("created")
        return Deed("create", user.create(new), new, NOTHING, State([], {}), new)
    session, before = await made(maker), State(BEFORE, COSTS)
    if operation in ("save", LONG_SAVE):
        messages = AFTER if operation == "save" else history_in_batches(FEWER, "after")
        after = State(messages, COSTS)
        return Deed(operation, user.save(session, messages), session, before, after, None)
    if operation == "update":
        after = State(BEFORE, {**COSTS, **MORE_COSTS})
        call = user.update(session, cost_data=MORE_COSTS)
        return Deed("update", call, session, before, after, True)
    return Deed("delete", user.delete(session), session, before, NOTHING, True)


async def _expect_all_works(fresh: Subject, deeds: list[Deed]) -> None:
    # Who waits for a lock of the dead one's to run out may do so for a while.
    patience = PATIENCE * fresh.stand.history.timeout
    await works_in_time(partial(fresh.load, deeds[0].session), patience)
    with where_it_was_killed():
        await expect_kept(fresh, deeds, WHEN)
        await expect(fresh.save(deeds[0].session, AFTER)).to_succeed()
        await expect(fresh.load(deeds[0].session)).to_be(AFTER)
        if fresh.can(Capability.RETENTION):
            await expect(fresh.delete_before(LONG_AGO)).to_be(0)
    await fresh.close()


@contextmanager
def where_it_was_killed() -> Iterator[None]:
    """Say of a violation in what case it is one."""
    try:
        yield
    except Violation as violation:
        if violation.headline.endswith(WHEN):
            raise
        raise in_this_case(WHEN, violation) from None
