"""Many calls, a group of them at once: quick where a store is, and never a crowd."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from ...subject import at_once

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...history import Call, Step

GROUP = 8
"""Calls at once: each waits for few others, however small the pool of connections. With more of
them a store is no quicker, and the pools of HTTP clients look at each connection in each call."""


async def in_groups(calls: Iterable[Call[Any]]) -> list[Step]:
    """Make the calls, and answer their steps in the order given.

    The first is made alone: a first use by many at once is another clause's.
    """
    coming = iter(calls)
    steps = await at_once(*islice(coming, 1))
    while group := list(islice(coming, GROUP)):
        steps += await at_once(*group)
    return steps
