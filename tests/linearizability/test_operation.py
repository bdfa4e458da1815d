"""What the judge is given of a history."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionstore_contract.history import Call, History, MissingOperationError, Step
from sessionstore_contract.interface import (
    InvalidSessionIdError,
    SessionExistsError,
    StoreUnavailableError,
    UnstorableValueError,
)
from sessionstore_contract.linearizability import (
    Operation,
    Outcome,
    Ruling,
    judge,
    operations_on,
    overlapping_pairs,
)
from sessionstore_contract.model import REFUSED

from .brute_force import has_an_order
from .histories import HALF, drawn, written


async def step_of(operation: str, result: Any, *arguments: Any, **keywords: Any) -> Step:
    """A step of a store that answers, or raises, the result."""

    async def answer(*_: Any, **__: Any) -> Any:
        if isinstance(result, BaseException):
            raise result
        return result

    call: Call[Any] = Call(History(60), 3, operation, answer, *arguments, **keywords)
    return await call.perform(is_expected=True)


async def one(operation: str, result: Any, *arguments: Any, **keywords: Any) -> Operation:
    """The operation on session `s` that a step is read as."""
    step = await step_of(operation, result, *arguments, **keywords)
    [found] = operations_on("s", [step])
    assert (found.id, found.instance, found.began) == (1, 3, 1)
    return found


@pytest.mark.parametrize(
    ("operation", "error", "outcome"),
    [
        ("create", SessionExistsError("s"), Outcome.OK),
        ("create", KeyError("s"), Outcome.UNKNOWN),
        ("update", SessionExistsError("s"), Outcome.UNKNOWN),
        ("save", UnstorableValueError("s"), Outcome.FAILED),
        ("save", InvalidSessionIdError("s"), Outcome.FAILED),
        ("delete", MissingOperationError("s"), Outcome.FAILED),
        ("save", TimeoutError(), Outcome.UNKNOWN),
        ("update", StoreUnavailableError("s", is_retry_safe=True), Outcome.UNKNOWN),
        ("delete", asyncio.CancelledError(), Outcome.UNKNOWN),
        ("load", TimeoutError(), Outcome.FAILED),
    ],
)
async def test_errors_have_outcomes(operation: str, error: BaseException, outcome: Outcome) -> None:
    """Unknown, unless the interface promises that nothing happened, or nothing could."""
    found = await one(operation, error, "s")
    assert found.outcome is outcome
    assert found.answer is (REFUSED if outcome is Outcome.OK else None)
    assert (found.ended is None) is (outcome is Outcome.UNKNOWN)
    assert bool(found.error) is (outcome is not Outcome.OK)


async def test_a_clause_may_know_more_of_its_backend() -> None:
    """What it says of an error goes before what the interface says."""
    steps = [await step_of("create", KeyError("taken"), "s")]
    [taken] = operations_on("s", steps, outcome_of_error=lambda _: Outcome.OK)
    assert taken.answer is REFUSED
    [failed] = operations_on("s", steps, outcome_of_error=lambda _: Outcome.FAILED)
    assert (failed.outcome, failed.answer) == (Outcome.FAILED, None)


async def test_what_hangs_is_unknown() -> None:
    """It has no end, as it may still take effect."""
    call: Call[Any] = Call(History(0.01), 1, "save", lambda *_: asyncio.Event().wait(), "s", HALF)
    step = await call.perform(is_expected=True)
    [found] = operations_on("s", [step])
    assert (found.outcome, found.ended, found.argument) == (Outcome.UNKNOWN, None, HALF)
    assert found.answered() == "? (no answer)"
    step.outcome = "spared"
    [spared] = operations_on("s", [step])
    assert spared.outcome is Outcome.FAILED


async def test_arguments_and_answers_are_kept() -> None:
    """Whether they were given by position or by name."""
    assert (await one("save", None, "s", HALF)).argument == HALF
    assert (await one("save", None, "s", messages=HALF)).argument == HALF
    assert (await one("update", True, "s", cost_data={"a": 1})).argument == {"a": 1}
    assert (await one("update", True, "s")).argument is None
    assert (await one("delete_before", 2, "2100")).argument == "2100"
    assert (await one("create", "s")).answer == "s"


async def test_other_sessions_are_left_out() -> None:
    """And `close`, and a fresh id that is another."""
    steps = [
        await step_of("create", "t"),
        await step_of("load", None, "t"),
        await step_of("close", None),
    ]
    assert operations_on("s", steps) == []


@pytest.mark.parametrize(
    ("windows", "pairs"),
    [
        ([], 0),
        ([(1, 2), (3, 4)], 0),
        ([(1, 3), (2, 4)], 1),
        ([(1, 6), (2, 3), (4, 5)], 2),
        ([(1, None), (2, 3), (4, 5)], 2),
        ([(1, 6), (2, 5), (3, 4)], 3),
    ],
)
def test_overlapping_pairs_are_counted(windows: list[tuple[int, Any]], pairs: int) -> None:
    """A call without an answer overlaps all that come after it."""
    operations = written(*((began, ended, "exists", True) for began, ended in windows))
    assert overlapping_pairs(operations) == pairs
    assert overlapping_pairs(reversed(operations)) == pairs


def test_the_simulation_without_a_defect_is_right() -> None:
    """Its serial order explains the history, so the judge and brute force find one too."""
    for seed in range(200):
        simulation, operations = drawn(seed)
        if not simulation.is_planted:
            assert has_an_order(operations), seed
            assert judge(operations).ruling is Ruling.EXPLAINED, seed
