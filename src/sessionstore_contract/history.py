"""What was asked of a store and what it answered, with begin and end of each call."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeAlias, TypeVar

from . import values
from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping

T = TypeVar("T")

Through: TypeAlias = "Callable[[Awaitable[Any]], Awaitable[Any]]"
"""Something that a call is awaited through: it looks on, or cancels it."""

OPERATIONS = (
    "create",
    "load",
    "save",
    "update",
    "get_cost_data",
    "delete",
    "exists",
    "delete_before",
    "close",
)
"""The operations of the interface, in its order."""


@dataclass
class Step:
    """One call and its answer."""

    number: int
    instance: int
    operation: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    is_expected: bool
    """Whether a clause holds this answer against its demand; else the step only leads there."""
    began: int
    """Position of the call among all begins and ends of the history."""
    began_at: float
    """When it was called, in seconds of the monotonic clock."""
    ended: int | None = None
    outcome: Literal["pending", "answered", "raised", "hung", "spared"] = "pending"
    answer: Any = None
    """The very object that the store handed out: only this clause may change it."""
    answer_as_given: Any = None
    """A copy of the answer, made when it came."""
    error: BaseException | None = None
    timeout: float | None = None
    """Seconds that it may take, where that is not what every call may take."""
    beside: str = ""
    """What the kit did to its surroundings meanwhile."""
    waited: float = 0.0
    """Seconds until it came back, or was given up."""
    crowd: int = 1
    """How many were under way with it, at the most."""

    def require_answer(self) -> None:
        """Raise StepFailed unless the call was answered."""
        if self.outcome != "answered":
            raise StepFailed(self) from self.error

    def call(self) -> str:
        """Word the call as Python."""
        words = [values.word(value) for value in self.arguments]
        words += [f"{name}={values.word(value)}" for name, value in self.keywords.items()]
        return f"{self.operation}({', '.join(words)})"

    def short_call(self) -> str:
        """Word the call for a line that says more; the witness has all of it."""
        return values.printable(self.call(), limit=200)

    def answered(self) -> str:
        """Word what came of the call."""
        match self.outcome:
            case "answered":
                return values.word(self.answer_as_given)
            case "raised":
                return f"raised {word_error(self.error)}"
            case "hung":
                return "did not answer in time"
            case "spared":
                return "was not called again, as it did not come back before"
        return "had not answered yet"


def word_error(error: BaseException | None) -> str:
    """Word an exception in one line."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - the str of a foreign exception may do anything
        text = "(whose text can't be read)"
    message = values.printable(" ".join(text.split()), limit=300)
    name = values.printable(type(error).__name__)
    return f"{name}: {message}" if message else name


class MissingOperationError(AttributeError):
    """An operation that the store does not have."""


class NotAwaitableError(TypeError):
    """An operation that is no coroutine function."""


class StepFailed(Exception):  # noqa: N818 - named for what happened, as pytest's own outcomes are
    """A step that only leads to the judged one raised or hung: the clause could not be tried."""

    def __init__(self, step: Step) -> None:
        super().__init__(f"{step.short_call()} {step.answered()}")
        self.step = step


@dataclass
class History:
    """All steps of one trial, over every instance that takes part."""

    timeout: float
    """Seconds that one call may take."""
    on_begin: Callable[[Step], None] = lambda _: None
    """Told of each call before it is made; may raise StepFailed to refuse it."""
    steps: list[Step] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self._clock = itertools.count(1)
        self._instances = itertools.count(1)

    def new_instance(self) -> int:
        """Number an instance that takes part."""
        return next(self._instances)

    def begin(self, call: Call[Any], *, is_expected: bool) -> Step:
        """Note that a call is about to be made."""
        step = Step(
            number=len(self.steps) + 1,
            instance=call.instance,
            operation=call.operation,
            arguments=tuple(values.copy(value) for value in call.arguments),
            keywords={name: values.copy(value) for name, value in call.keywords.items()},
            is_expected=is_expected,
            began=next(self._clock),
            began_at=time.monotonic(),
        )
        self.steps.append(step)
        self.on_begin(step)
        return step

    def end(self, step: Step) -> None:
        """Note that the call has come back."""
        step.ended = next(self._clock)

    def patience(self, step: Step) -> float:
        """Answer the seconds that a call may take; one beside others waits for them, perhaps."""
        return step.timeout or max(self.timeout, self.pace.patience(self.pace.crowd))

    def restart(self) -> None:
        """Forget the steps so far: a property clause tells each example's own history."""
        self.steps.clear()

    def pending(self) -> list[Step]:
        """The calls that have not come back, oldest first."""
        return [step for step in self.steps if step.outcome == "pending"]

    def lines(self) -> list[str]:
        """Word the history, a line for a step, as a witness shows it."""
        numbers = numbered_instances(self.steps)
        several = len(numbers) > 1
        return [
            f"{f'[{numbers[step.instance]}] ' if several else ''}{step.call()}"
            f"  ->  {step.answered()}{f'   ({step.beside})' if step.beside else ''}"
            for step in self.steps
        ]


def forget_frames(error: BaseException) -> None:
    """Let go of the frames through which an exception came, and all along its chain.

    An exception that is kept keeps what was in their variables: a connection whose opening was
    cancelled would stay open, and its store be taken for one that leaks.
    """
    pending, seen = [error], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        pending += [more for more in (one.__cause__, one.__context__) if more is not None]
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions


def _as_it_is(awaitable: Awaitable[Any]) -> Awaitable[Any]:
    return awaitable


def numbered_instances(steps: Iterable[Step]) -> dict[int, int]:
    """Number the instances that took part in these steps from 1 on, in the order of opening."""
    return {one: number for number, one in enumerate(sorted({step.instance for step in steps}), 1)}


class Call(Generic[T]):
    """A call that was not made yet: await it as a step, or hand it to `expect`."""

    def __init__(
        self,
        history: History,
        instance: int,
        operation: str,
        method: Callable[..., Any],
        *arguments: Any,
        **keywords: Any,
    ) -> None:
        self.history = history
        self.instance = instance
        self.operation = operation
        self.arguments = arguments
        self.keywords = keywords
        self._method = method
        self._seconds: float | None = None

    def given(self, seconds: float) -> Self:
        """Give the call so much time, where that is more than every call has."""
        self._seconds = max(seconds, self.history.timeout)
        return self

    def __await__(self) -> Generator[Any, None, T]:
        return self._answer().__await__()

    async def _answer(self) -> T:
        step = await self.perform(is_expected=False)
        step.require_answer()
        answer: T = step.answer
        return answer

    async def perform(
        self,
        *,
        is_expected: bool,
        through: Through = _as_it_is,
        timeout: float | None = None,  # noqa: ASYNC109 - the call is abandoned, not cancelled
    ) -> Step:
        """Make the call and answer its step, whatever came of it."""
        step = self.history.begin(self, is_expected=is_expected)
        step.timeout = timeout or self._seconds
        self.history.pace.begin()
        task = asyncio.ensure_future(self._guarded(step, through))
        try:
            await self._wait(step, task)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            step.waited = time.monotonic() - step.began_at
            step.crowd = self.history.pace.crowd
            self.history.pace.end(step.operation if step.outcome == "answered" else None)
        if step.outcome == "pending":
            step.outcome = "hung"
            task.cancel()
        self.history.end(step)
        return step

    async def _wait(self, step: Step, task: asyncio.Future[None]) -> None:
        """Wait until the call has come back, or its time is over.

        Not by wait_for: it awaits the call that it cancelled, and a store that swallows the
        cancellation would never come back. Here the call is abandoned.
        """
        while not task.done():
            # How many it is beside is known when those have begun: the first was before them.
            left = step.began_at + self.history.patience(step) - time.monotonic()
            if left <= 0:
                break
            await asyncio.wait({task}, timeout=left)

    async def _guarded(self, step: Step, through: Through) -> None:
        """Make the call; let nothing out that would end the loop."""
        outcome: Literal["answered", "raised"] = "raised"
        answer, error = None, None
        try:
            awaitable = self._method(*self.arguments, **self.keywords)
            if not inspect.isawaitable(awaitable):
                raise NotAwaitableError(
                    f"{self.operation} answers {values.word(awaitable)} without being awaited"
                )
            answer = await through(awaitable)
            outcome = "answered"
        except BaseException as raised:  # noqa: BLE001 - what a store raises is data
            error = raised
            forget_frames(raised)
        if step.outcome == "pending":
            step.answer, step.error = answer, error
            step.answer_as_given = values.copy(answer)
            step.outcome = outcome
