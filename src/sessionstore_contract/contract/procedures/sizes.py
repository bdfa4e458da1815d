"""What is so large that a store may refuse it, as long as it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ...effort import NORMAL
from ...expect import expect, expect_all_answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...history import Call
    from ...subject import Subject

T = TypeVar("T")


async def is_kept(call: Call[Any]) -> bool:
    """Make a write, and answer whether its value was taken: a refusal of it is a ValueError."""
    step = await call.perform(is_expected=False)
    if isinstance(step.error, ValueError):
        return False
    step.require_answer()
    return True


async def written(
    store: Subject,
    write: Callable[[T], Call[Any]],
    make: Callable[[int], T],
    counted: Literal["size", "members"],
) -> T:
    """Write what is made of a size of the effort, and answer it; where it is refused, of a smaller.

    Databases and services have limits for a value, some of 400 KB. What `normal` asks for is
    below them, and has to be kept; more than that may be refused, but not cut.
    """
    size, must = getattr(store.stand.effort, counted), getattr(NORMAL, counted)
    if size > must:
        step = await write(value := make(size)).perform(is_expected=True)
        if not isinstance(step.error, ValueError):
            expect_all_answered([step], "a large value")
            return value
        store.stand.note(f"{step.operation} refuses a value of {size:,} characters or members")
    await expect(write(value := make(min(size, must)))).to_succeed()
    return value
