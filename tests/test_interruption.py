"""Calls that are cancelled at one of their await points, and calls whose steps are timed."""

from __future__ import annotations

import asyncio
import time
import types
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.interruption import MOMENTS, QUEUED, Interruption, Moment, StallWatch

from .soak.lots import CROWD, neighbours

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator


async def three_turns(passed: list[int]) -> str:
    for number in range(3):
        await asyncio.sleep(0)
        passed.append(number)
    return "done"


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("point", [1, 2, 3])
async def test_a_call_is_cancelled_at_its_point(point: int, moment: Moment) -> None:
    """What lies before the point has happened, and nothing behind it."""
    passed: list[int] = []
    interruption = Interruption(point, moment)

    async def call() -> Any:
        return await interruption.of(three_turns(passed))

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(call())
    assert interruption.is_made
    assert passed == list(range(point - 1))


@types.coroutine
def one_turn() -> Generator[Any, Any, str]:
    yield
    return "done"


async def test_a_coroutine_that_is_a_generator_is_driven() -> None:
    """It is awaited as any other is, and has no `__await__`."""
    through = Interruption(2, "waiting").of

    async def call() -> Any:
        return await through(one_turn())

    assert await asyncio.ensure_future(call()) == "done"


async def test_a_call_with_fewer_points_comes_to_its_end() -> None:
    """Whoever tries point after point learns that there are no more."""
    interruption = Interruption(4, "waiting")

    async def call() -> Any:
        return await interruption.of(three_turns([]))

    assert await asyncio.ensure_future(call()) == "done"
    assert not interruption.is_made


async def test_what_is_awaited_is_cancelled_while_it_is_under_way() -> None:
    """As when a server cancels its task: the inner task learns of it."""
    inner = asyncio.ensure_future(asyncio.sleep(60))
    interruption = Interruption(1, "waiting")

    async def wait() -> None:
        await inner

    async def call() -> Any:
        return await interruption.of(wait())

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(call())
    assert inner.cancelled()


async def test_what_is_awaited_is_done_before_its_answer_is_lost() -> None:
    """The other moment: the inner task has come to its end, and nobody hears of it."""
    inner = asyncio.ensure_future(three_turns([]))
    interruption = Interruption(1, "done")

    async def wait() -> str:
        return await inner

    async def call() -> Any:
        return await interruption.of(wait())

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(call())
    assert inner.result() == "done"


async def test_a_shielded_task_goes_on() -> None:
    """What a store shields is its own affair."""
    passed: list[int] = []
    inner = asyncio.ensure_future(three_turns(passed))
    interruption = Interruption(1, "waiting")

    async def wait() -> str:
        return await asyncio.shield(inner)

    async def call() -> Any:
        return await interruption.of(wait())

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(call())
    assert await inner == "done"
    assert passed == [0, 1, 2]


async def test_a_call_may_answer_all_the_same() -> None:
    """It is for a clause to say that this is wrong."""

    async def swallow() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "swallowed"
        return "slept"

    async def call() -> Any:
        return await Interruption(1, "waiting").of(swallow())

    assert await asyncio.ensure_future(call()) == "swallowed"


async def test_a_step_that_waits_is_a_stall() -> None:
    """The thread does nothing, and nobody else may do anything on it."""

    async def block() -> None:
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 - what is to be seen

    watch = StallWatch()
    await watch.over(block())
    assert watch.longest > 0.015


async def computing(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def stall_of(call: Awaitable[None]) -> float:
    watch = StallWatch()
    await watch.over(call)
    return watch.longest


def is_told() -> bool:
    """Answer whether the system keeps account: one that does not says 0 of a thread that ran."""
    return QUEUED.exists() and QUEUED.read_text("ascii").split()[0] != "0"


@pytest.mark.skipif(not is_told(), reason="this system does not tell how long a thread queues")
async def test_a_step_that_computes_for_long_on_a_busy_machine_is_none() -> None:
    """What others took the processor away for is no waiting, though it happens in each step."""
    with neighbours(CROWD):
        stalls = [await stall_of(computing(0.02)) for _ in range(10)]
    assert min(stalls) < 0.001


async def test_a_step_that_computes_is_none() -> None:
    """Computing is no waiting; others that take the processor away show now and then only."""
    # Short, and many times: that nobody else had the processor meanwhile is seldom on a busy one.
    stalls = [await stall_of(computing(0.002)) for _ in range(200)]
    assert min(stalls) < 0.001
