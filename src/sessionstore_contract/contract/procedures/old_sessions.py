"""What an earlier release has left behind, and whether a store finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...capabilities import Capability
from ...expect import NothingFound, Violation, expect
from ...old_layout import CUTOFF, MESSAGES, OLD_SESSIONS, SESSION
from .first_use import LONG_AGO

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...history import Call
    from ...interface import Json
    from ...subject import Subject

NEW_MESSAGES = [*MESSAGES, {"role": "assistant", "content": "from now"}]
NEW_COSTS = {"turns": 1, "usage": {"in": 3}}
IDLE = sum(one.last_activity < CUTOFF for one in OLD_SESSIONS)
"""How many sessions were last active before the cutoff."""

OPERATIONS = 8
"""Those that can be the first one on an old place."""

First = tuple["Callable[[Subject], Call[Any]]", "Json", "dict[str, Json]"]
"""A first operation, its answer, and answers that show that the old sessions were not found."""


def first_operations(store: Subject) -> dict[str, First]:
    """Answer every operation, to be the first one on an old place."""
    session, fresh = SESSION, store.unused_id("fresh")
    missing = "as the first operation, {} does not find an old session"
    found: dict[str, First] = {
        "load": (lambda one: one.load(session), MESSAGES, {missing.format("load"): None}),
        "exists": (lambda one: one.exists(session), True, {missing.format("exists"): False}),
        "update": (
            lambda one: one.update(session, cost_data=NEW_COSTS),
            True,
            {missing.format("update"): False},
        ),
        "save": (lambda one: one.save(session, NEW_MESSAGES), None, {}),
        "create": (lambda one: one.create(fresh), fresh, {}),
        "delete": (lambda one: one.delete(session), True, {missing.format("delete"): False}),
    }
    if store.can(Capability.COST_READ):
        found["get_cost_data"] = (lambda one: one.get_cost_data(session), {}, {})
    if store.can(Capability.RETENTION):
        found["delete_before"] = (lambda one: one.delete_before(LONG_AGO), 0, {})
    return found


async def expect_old_sessions(store: Subject, *, but: str | None = None) -> None:
    """Demand that old sessions can be read, and written to, but for one that was changed."""
    for old in OLD_SESSIONS:
        if old.session_id == but:
            continue
        await expect(store.load(old.session_id)).to_be(old.messages)
        await expect(store.exists(old.session_id)).to_be(True)
        if store.can(Capability.COST_READ):
            await expect(store.get_cost_data(old.session_id)).to_be({})
        await expect(store.update(old.session_id, cost_data=NEW_COSTS)).to_be(True)
        if store.can(Capability.COST_READ):
            await expect(store.get_cost_data(old.session_id)).to_be(NEW_COSTS)
        await expect(store.save(old.session_id, NEW_MESSAGES)).to_succeed()
        await expect(store.load(old.session_id)).to_be(NEW_MESSAGES)


async def make_sure_of_old_sessions(store: Subject) -> None:
    """Make sure that one instance by itself finds the old sessions.

    Raises:
        NothingFound: it does not: that is no matter of crashes, or of several at once.
    """
    try:
        await expect_old_sessions(store)
    except Violation as violation:
        raise NothingFound(
            f"{violation.headline}, of one instance by itself: see migration.old-sessions-are-there"
        ) from None


def in_this_case(when: str, violation: Violation) -> Violation:
    """Answer the violation with what it was that broke the clause, before its own headline."""
    return Violation(
        f"{when}: {violation.headline}",
        demanded=violation.demanded,
        answered=violation.answered,
        operation=violation.operation,
    )
