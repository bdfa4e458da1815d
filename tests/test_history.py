"""What was asked of a store and what it answered."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sessionstore_contract.history import (
    OPERATIONS,
    Call,
    History,
    NotAwaitableError,
    Step,
    StepFailed,
    word_error,
)
from sessionstore_contract.interface import SessionStore
from sessionstore_contract.interruption import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENT = 30.0
"""Seconds that no call in these tests takes."""


def call(
    history: History, method: Callable[..., Any], *arguments: Any, **keywords: Any
) -> Call[Any]:
    return Call(history, 1, "load", method, *arguments, **keywords)


async def echo(*arguments: Any, **keywords: Any) -> Any:
    return [*arguments, keywords]


class Unreadable(Exception):  # noqa: N818 - its name is what the test reads
    """Has no text."""

    def __str__(self) -> NoReturn:
        raise ValueError


def test_the_operations_are_those_of_the_interface() -> None:
    """The list is the interface's, in its order."""
    assert set(OPERATIONS) == SessionStore.__abstractmethods__
    assert tuple(name for name in vars(SessionStore) if name in OPERATIONS) == OPERATIONS


async def test_a_call_is_a_step() -> None:
    """The step holds what was asked, what was answered, and when."""
    history = History(PATIENT)
    assert await call(history, echo, "id", n=1) == ["id", {"n": 1}]

    (step,) = history.steps
    assert (step.number, step.instance, step.operation) == (1, 1, "load")
    assert (step.arguments, step.keywords) == (("id",), {"n": 1})
    assert (step.outcome, step.error, step.is_expected) == ("answered", None, False)
    assert step.ended is not None
    assert step.began < step.ended
    assert history.lines() == ["load('id', n=1)  ->  ['id', {'n': 1}]"]


async def test_a_call_that_is_not_awaited_is_no_step() -> None:
    """A call is made when it is awaited, and again each time."""
    history = History(PATIENT)
    later = call(history, echo)
    assert history.steps == []
    await later
    await later
    assert [step.number for step in history.steps] == [1, 2]


async def test_arguments_and_answers_are_kept_as_they_were() -> None:
    """What the store or the clause changes later does not change the history."""

    async def keep(messages: list[Any], *, cost_data: dict[str, Any]) -> Any:
        messages.append("by the store")
        cost_data["in"]["by"] = "the store"
        return messages

    history = History(PATIENT)
    answer = await call(history, keep, ["a"], cost_data={"in": {}})
    answer.append("by the clause")
    (step,) = history.steps
    assert step.arguments == (["a"],)
    assert step.keywords == {"cost_data": {"in": {}}}
    assert step.answer is answer
    assert step.answer_as_given == ["a", "by the store"]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        ExceptionGroup("several", [ValueError("no")]),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError("by the store"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_a_store_raises_is_data(error: BaseException) -> None:
    """Nothing that a store raises ends the loop: it is the step's error."""

    async def fail() -> NoReturn:
        raise error

    def fail_at_once() -> NoReturn:
        raise error

    history = History(PATIENT)
    for method in (fail, fail_at_once):
        step = await call(history, method).perform(is_expected=True)
        assert step.outcome == "raised"
        assert step.error is error
        assert step.answered().startswith(f"raised {type(error).__name__}")


async def test_what_was_raised_keeps_nothing_of_the_store_alive() -> None:
    """A driver may close its connection with the last frame that holds it."""

    class Held:
        pass

    alive: list[weakref.ref[Held]] = []

    def fail(_: Held) -> NoReturn:
        raise ValueError

    async def raising() -> None:
        held = Held()
        alive.append(weakref.ref(held))
        try:
            await asyncio.sleep(PATIENT)
        except asyncio.CancelledError as cancelled:
            try:
                fail(held)
            except ValueError as error:
                raise BaseExceptionGroup("both", [error, cancelled]) from cancelled

    interruption = Interruption(1, "waiting")
    gc.disable()  # there is nothing that only this would find
    try:
        step = await call(History(PATIENT), raising).perform(
            is_expected=True, through=interruption.of
        )
        assert isinstance(step.error, BaseExceptionGroup)
        assert isinstance(step.error.__cause__, asyncio.CancelledError)
        assert alive[0]() is None
    finally:
        gc.enable()


async def test_a_failed_step_stops_what_builds_on_it() -> None:
    """Awaiting a call that raises is StepFailed, which names the step; the cause is kept."""

    async def fail() -> NoReturn:
        raise ValueError("no\nroom")

    history = History(PATIENT)
    with pytest.raises(StepFailed, match=r"load\('id'\) raised ValueError: no room") as caught:
        await call(history, lambda _: fail(), "id")
    assert caught.value.step is history.steps[0]
    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_reason_does_not_repeat_a_long_call() -> None:
    """It is read in one line; the history has more of it, and the answer comes at its end."""

    async def fail() -> NoReturn:
        raise ValueError("too large")

    history = History(PATIENT)
    with pytest.raises(StepFailed) as caught:
        await call(history, lambda *_: fail(), "id", ["x" * 90] * 9)
    assert len(str(caught.value)) < 250
    assert str(caught.value).endswith("... raised ValueError: too large")
    assert len(history.lines()[0]) > 400


async def test_a_call_that_hangs_is_abandoned() -> None:
    """After the time-out the step has hung, and the call is cancelled."""
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    history = History(timeout=0.01)
    step = await call(history, hang).perform(is_expected=True)
    assert step.outcome == "hung"
    assert step.answered() == "did not answer in time"
    assert step.ended is not None
    assert history.pending() == []
    await cancelled.wait()
    with pytest.raises(StepFailed, match="did not answer in time"):
        step.require_answer()


async def test_a_store_that_swallows_the_cancellation_is_not_waited_for() -> None:
    """The call is left alone, and what it answers in the end changes nothing."""
    swallowed, released, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stubborn() -> str:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                swallowed.set()
        ended.set()
        return "too late"

    history = History(timeout=0.01)
    step = await call(history, stubborn).perform(is_expected=True)
    await swallowed.wait()
    released.set()
    await ended.wait()
    await asyncio.sleep(0)
    assert (step.outcome, step.answer) == ("hung", None)


async def test_a_cancelled_call_is_cancelled_in_the_store_and_stays_pending() -> None:
    """A clause that cancels a call cancels what the store was doing."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    history = History(PATIENT)
    task = asyncio.ensure_future(call(history, wait).perform(is_expected=True))
    await begun.wait()
    assert history.pending() == history.steps
    assert history.lines() == ["load()  ->  had not answered yet"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await cancelled.wait()


async def test_an_operation_that_is_not_awaitable_raises() -> None:
    """A plain function is no operation of an async store; what it answers is said."""
    step = await call(History(PATIENT), lambda: ["a"]).perform(is_expected=True)
    assert isinstance(step.error, NotAwaitableError)
    assert step.answered() == ("raised NotAwaitableError: load answers ['a'] without being awaited")


async def test_an_awaitable_object_is_as_good_as_a_coroutine() -> None:
    """Drivers answer futures and objects with `__await__`."""
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    assert await call(History(PATIENT), lambda: future) == 1


async def test_a_call_can_be_refused_before_it_is_made() -> None:
    """`on_begin` is told of the call first, and what it raises is raised."""
    made: list[str] = []

    def refuse(step: Step) -> None:
        step.outcome = "hung"
        raise StepFailed(step)

    async def note() -> None:
        made.append("made")

    history = History(PATIENT, on_begin=refuse)
    with pytest.raises(StepFailed):
        await call(history, note)
    assert made == []
    assert history.lines() == ["load()  ->  did not answer in time"]


async def test_several_instances_are_told_apart() -> None:
    """A history over several instances numbers them; one of a single instance does not."""
    history = History(PATIENT)
    first, second = history.new_instance(), history.new_instance()
    await Call(history, first, "create", echo)
    assert history.lines() == ["create()  ->  [{}]"]
    await Call(history, second, "load", echo)
    assert history.lines() == ["[1] create()  ->  [{}]", "[2] load()  ->  [{}]"]
    history.restart()
    assert history.lines() == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (None, "NoneType: None"),
        (ValueError("two\n lines"), "ValueError: two lines"),
        (ValueError(), "ValueError"),
        (ValueError("\x1b[31mred"), r"ValueError: \x1b[31mred"),
        (ValueError("x" * 1000), f"ValueError: {'x' * 300}..."),
        (Unreadable(), "Unreadable: (whose text can't be read)"),
        (type("Evil\x1b", (Exception,), {})("no"), r"Evil\x1b: no"),
    ],
)
def test_exceptions_are_worded_in_one_line(error: BaseException | None, text: str) -> None:
    """Type and text, cut and escaped."""
    assert word_error(error) == text
