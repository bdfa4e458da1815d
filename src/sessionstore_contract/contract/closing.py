"""Closing gives back what was taken, whenever and however often it is called."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import Scope, must
from ..expect import NothingFound, expect, expect_all_answered, violated
from ..subject import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backend import Lent
    from ..subject import Subject


@must(
    "closing.is-idempotent",
    "`close` works twice, before first use, and at once with itself.",
    because="Shutdown runs through several hooks, and an error in one skips the others.",
    remedy="Remember that the store is closed, and answer at once the second time; close what was "
    "opened, if anything was.",
    scope=Scope.ANY,
)
async def is_idempotent(store: Subject) -> None:
    # One after the other: a store that is not shared may let nobody else in while it is open.
    await expect(store.close()).to_succeed()
    await expect(store.close()).to_succeed()

    used = await store.another()
    await used.exists(used.unused_id())
    await expect(used.close()).to_succeed()
    await expect(used.close()).to_succeed()

    used = await store.another()
    await used.exists(used.unused_id())
    expect_all_answered(await at_once(used.close(), used.close(), used.close()), "close at once")


@must(
    "closing.keeps-off-what-it-was-lent",
    "A connection, client or pool that the caller handed over is not closed by `close`, and work "
    "that the caller has open on it is neither committed nor rolled back.",
    because="What is handed over is shared: closing it takes it from everybody else, and ending a "
    "transaction that somebody else began makes half of it permanent, or loses it.",
    remedy="Remember whether the store made it (`self._is_lent`), and close only what it made. "
    "Leave transactions alone that the store did not begin. SQLite: no `commit` or `rollback` in "
    "close; closing a connection rolls back. HTTP: `aclose` only a client of your own.",
    needs={Capability.MANAGED},
)
async def keeps_off_what_it_was_lent(store: Subject) -> None:
    # Before: a store that is not shared may let nobody else in while it is open.
    await store.close()
    for is_used in (True, False):
        async with store.stand.lend() as (subject, lent):
            await _close_on(subject, lent, is_used=is_used)


async def _close_on(subject: Subject, lent: Lent, *, is_used: bool) -> None:
    if is_used:
        await subject.exists(await subject.create())
    if not await _answered(lent.is_usable):
        raise NothingFound("what was lent does not work before the store is closed")
    if lent.begin is not None:
        await _answered(lent.begin)
    await subject.close()
    if not await _answered(lent.is_usable):
        violated(
            "close closes what was lent",
            demanded="that it still works",
            answered="is_usable() answered False",
        )
    if lent.is_pending is not None and not await _answered(lent.is_pending):
        violated(
            "close commits or rolls back work that the caller has open",
            demanded="that it is still open",
            answered="is_pending() answered False",
        )


async def _answered(look: Callable[[], Any]) -> Any:
    """Call what the backend lends, a function or a coroutine function."""
    found = look()
    return await found if inspect.isawaitable(found) else found
