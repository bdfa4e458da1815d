"""Closing gives back what was taken, whenever and however often it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..clause import Scope, must
from ..expect import expect, expect_all_answered
from ..subject import at_once

if TYPE_CHECKING:
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
