"""What many calls at once may take, measured on those that were alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionstore_contract.crowding import LEAST_WAIT, gave_up_waiting
from sessionstore_contract.history import Call, History, Step
from sessionstore_contract.pace import MARGIN, Pace

CALL = 0.05
"""Seconds of a call of the store below."""


class OneConnection:
    """Serves one call after the other, each of which takes a while."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def exists(self) -> bool:
        async with self.lock:
            await asyncio.sleep(CALL)
        return True

    async def hang(self) -> None:
        await asyncio.Event().wait()


def calls(history: History, method: Any, count: int) -> list[Call[Any]]:
    return [Call(history, 1, "exists", method) for _ in range(count)]


async def at_once(made: list[Call[Any]]) -> list[Step]:
    return await asyncio.gather(*(call.perform(is_expected=True) for call in made))


async def test_the_last_of_many_has_the_time_of_those_before_it() -> None:
    """A time-out for one call says nothing of what waits for others in a correct store."""
    store, history = OneConnection(), History(timeout=12 * CALL)
    for call in calls(history, store.exists, 3):
        await call
    steps = await at_once(calls(history, store.exists, 20))
    assert [step.outcome for step in steps] == ["answered"] * 20


async def test_what_hangs_beside_others_has_hung_all_the_same() -> None:
    """It has as much time as they, and no more; alone it has that of one call."""
    store, history = OneConnection(), History(timeout=12 * CALL)
    await calls(history, store.exists, 1)[0]
    hanging = calls(history, store.hang, 3)
    for steps in (await at_once(hanging), [await hanging[0].perform(is_expected=True)]):
        assert {step.outcome for step in steps} == {"hung"}


def slow(seconds: float) -> Pace:
    pace = Pace()
    pace.note("load", seconds)
    return pace


def test_the_slowest_operation_is_what_counts() -> None:
    """Reads may be quick where writes wait for a disk; and the first call of all connects."""
    pace = slow(9)
    assert pace.of_one() == 9
    for operation, seconds in (("load", 1), ("save", 3), ("save", 5), ("load", 1)):
        pace.note(operation, seconds)
    assert pace.of_one() == 4


def test_only_what_is_alone_is_measured() -> None:
    """A call that waits for others takes longer than a call takes."""
    pace = Pace()
    for _ in range(2):
        pace.begin()
    for _ in range(2):
        pace.end("load")
    assert pace.of_one() == 0
    pace.begin()
    pace.end(None)
    assert pace.of_one() == 0
    pace.begin()
    pace.end("load")
    assert pace.of_one() > 0


def test_patience_is_for_those_that_are_under_way_together() -> None:
    """Those that came back before the next ones began are not waited for any more."""
    pace = Pace()
    pace.begin()
    pace.end("load")
    for _ in range(5):
        pace.begin()
    pace.end("load")
    assert pace.crowd == 5
    assert pace.patience(pace.crowd) == pytest.approx(MARGIN * 5 * pace.of_one())
    for _ in range(4):
        pace.end("load")
    pace.begin()
    assert pace.crowd == 1


@pytest.mark.parametrize(
    ("outcome", "waited", "of_one", "timeout", "is_so"),
    [
        ("raised", 5.0, 0.5, None, True),
        ("raised", 5.0, 0.01, None, False),
        ("raised", LEAST_WAIT / 100, 0.5, None, False),
        ("hung", 5.0, 0.5, None, True),
        ("hung", 5.0, 0.5, 5.0, False),
        ("answered", 5.0, 0.5, None, False),
    ],
    ids=["slow", "of a quick store", "at once", "hung", "hung for its own time", "answered"],
)
def test_who_gave_up_waiting_for_others_has_waited_and_they_explain_it(
    outcome: Any, waited: float, of_one: float, timeout: float | None, is_so: bool
) -> None:
    """A quick store that gives up after seconds waits for no turn; a refusal comes at once."""
    step = Step(1, 1, "update", (), {}, is_expected=True, began=1, began_at=0.0)
    step.outcome, step.waited, step.timeout, step.crowd = outcome, waited, timeout, 20
    assert gave_up_waiting(step, slow(of_one)) is is_so


def test_who_is_alone_waits_for_nobody() -> None:
    """What it raises after a while is its failure, however slow the store is."""
    step = Step(1, 1, "update", (), {}, is_expected=True, began=1, began_at=0.0)
    step.outcome, step.waited, step.crowd = "raised", 5.0, 1
    assert not gave_up_waiting(step, slow(2.0))
