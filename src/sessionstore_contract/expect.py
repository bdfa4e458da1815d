"""One answer held against what the clause demands, with its rivals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, cast

from . import values
from .differences import first_difference
from .history import MissingOperationError, NotAwaitableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .history import Call, Step
    from .interface import Json


NO_REFUSALS = (NotImplementedError, NotAwaitableError, MissingOperationError)
"""Exceptions that say of an operation that it is not there, and nothing of what it was given."""

REFUSAL = "a refusal (an exception)"
"""What is demanded where nothing may be answered."""


@dataclass(frozen=True)
class Demand:
    """What was demanded of a step, as data: another store can be held against it.

    With nothing said, an answer is demanded, whichever.
    """

    one_of: tuple[Json, ...] = ()
    none_of: tuple[str, ...] | None = None
    """The answer is a text, and none of these."""
    is_refusal: bool = False


class Violation(Exception):  # noqa: N818 - it is a finding, not an error of this program
    """An answer that breaks a clause."""

    def __init__(
        self,
        headline: str,
        *,
        demanded: str,
        answered: str,
        operation: str | None = None,
        demand: Demand | None = None,
    ) -> None:
        super().__init__(headline)
        self.headline = headline
        self.demanded = demanded
        self.answered = answered
        self.operation = operation
        """Whose answer it is, where it is not that of the last judged step."""
        self.demand = demand
        """What was demanded of the last step, where that can be said as data."""


class Drawn(Violation):
    """A violation that a picture shows better than the history that it was found in."""

    def __init__(self, headline: str, *, operation: str, timeline: str, page: str) -> None:
        said, _, lines = timeline.partition("\n\n")
        super().__init__(
            headline,
            demanded="an order of the operations that explains every answer",
            answered=" ".join(said.split()),
            operation=operation,
        )
        self.timeline = tuple(lines.split("\n"))
        """Lines for a terminal."""
        self.page = page
        """The same as a page of HTML."""


class NothingFound(Exception):  # noqa: N818 - it is an outcome, not an error of this program
    """The clause could not come to a verdict; the message says why."""


class expect:  # noqa: N801 - reads as the sentence that it is
    """Hold one answer against a demand: `await expect(store.exists(session)).to_be(True)`."""

    def __init__(self, call: Call[Any]) -> None:
        self._call = call

    async def to_be(
        self,
        demanded: Json,
        *,
        rather_than: Mapping[str, Json] | None = None,
        kinds_of_numbers: bool = True,
    ) -> None:
        """Demand this JSON value; a rival that is answered instead names the defect."""
        await self.to_be_one_of(
            [demanded], rather_than=rather_than, kinds_of_numbers=kinds_of_numbers
        )

    async def to_be_one_of(
        self,
        demanded: list[Json],
        *,
        rather_than: Mapping[str, Json] | None = None,
        kinds_of_numbers: bool = True,
    ) -> None:
        """Demand one of several JSON values."""
        step = await self._answered()
        answer = step.answer_as_given
        if any(
            values.are_equal(answer, one, kinds_of_numbers=kinds_of_numbers) for one in demanded
        ):
            return
        raise Violation(
            _diagnosis(step, demanded, rather_than or {}),
            demanded=" or ".join(values.word(one) for one in demanded),
            answered=step.answered(),
            demand=Demand(one_of=tuple(demanded)),
        )

    async def to_satisfy(self, demand: str, is_satisfied: Callable[[Any], bool]) -> Any:
        """Demand what a function decides, and answer the answer; the demand is worded."""
        step = await self._answered()
        if not _is_satisfied(is_satisfied, step.answer_as_given):
            violated(
                f"{step.operation} answers {values.word(step.answer_as_given, limit=60)}, "
                f"not {demand}",
                demanded=demand,
                answered=step.answered(),
            )
        return step.answer

    async def to_be_a_new_id(self, taken: Collection[str]) -> str:
        """Demand a text that is not empty and none of these, and answer it."""
        step = await self._answered()
        answer = step.answer_as_given
        if values.kind(answer) != "text" or not answer or answer in taken:
            violated(
                f"{step.operation} answers {values.word(answer, limit=60)}, not an id of its own",
                demanded="an id that no session has",
                answered=step.answered(),
                demand=Demand(none_of=("", *taken)),
            )
        return str(answer)

    async def to_succeed(self) -> Any:
        """Demand an answer, whichever, and answer it."""
        return (await self._answered()).answer

    async def to_be_refused(self, headline: str) -> Exception:
        """Demand an exception, and answer it; the headline says what it means when none comes."""
        step = await self._call.perform(is_expected=True)
        error = step.error
        is_refusal = isinstance(error, Exception) and not isinstance(error, NO_REFUSALS)
        if not is_refusal:
            found = headline if step.outcome == "answered" else _raised(step)
            violated(
                found,
                demanded=REFUSAL,
                answered=step.answered(),
                demand=Demand(is_refusal=True),
            )
        return cast("Exception", error)

    async def _answered(self) -> Step:
        step = await self._call.perform(is_expected=True)
        if step.outcome != "answered":
            violated(_raised(step), demanded="an answer", answered=step.answered(), demand=Demand())
        return step


def violated(
    headline: str, *, demanded: str, answered: str, demand: Demand | None = None
) -> NoReturn:
    """Say that the clause is broken, where `expect` has no word for it."""
    raise Violation(headline, demanded=demanded, answered=answered, demand=demand)


def expect_all_answered(steps: list[Step], what: str) -> None:
    """Demand of calls made at once that each came back with an answer."""
    for step in steps:
        if step.outcome != "answered":
            raise Violation(
                f"{what}: {_raised(step)}",
                demanded="an answer",
                answered=step.answered(),
                operation=step.operation,
            )


def expect_answer_or_error(step: Step, demanded: Json, when: str) -> None:
    """Demand of a call that it came back with this answer, or raised; `when` is what hinders it."""
    if step.outcome == "answered":
        if not values.are_equal(step.answer_as_given, demanded):
            violated(
                f"{step.operation} answers {values.word(step.answer_as_given, limit=60)} {when}",
                demanded=f"{values.word(demanded)}, or an exception",
                answered=step.answered(),
            )
    elif not isinstance(step.error, Exception) or isinstance(step.error, NO_REFUSALS):
        violated(
            f"{_raised(step)} {when}",
            demanded=f"{values.word(demanded)}, or an exception",
            answered=step.answered(),
        )


def _raised(step: Step) -> str:
    if step.outcome == "hung":
        return f"{step.operation} does not answer in time"
    if isinstance(step.error, NotImplementedError):
        return f"{step.operation} raises NotImplementedError: implement it, or do not claim it"
    return f"{step.operation} {step.answered()}"


def _diagnosis(step: Step, demanded: list[Json], rivals: Mapping[str, Json]) -> str:
    answer = step.answer_as_given
    for headline, rival in rivals.items():
        if values.are_equal(answer, rival):
            return headline
    wanted = " or ".join(values.word(one, limit=60) for one in demanded)
    if any(_only_the_kind_differs(answer, one) for one in demanded):
        return f"{step.operation} answers the {values.kind(answer)} {values.word(answer, limit=60)}"
    found = values.word(answer, limit=60)
    if found == wanted:
        return f"{step.operation} answers {found}: {first_difference(answer, demanded[0])}"
    return f"{step.operation} answers {found}, not {wanted}"


def _only_the_kind_differs(answer: Any, demanded: Json) -> bool:
    try:
        return values.kind(answer) != values.kind(demanded) and bool(answer == demanded)
    except BaseException:  # noqa: BLE001 - the == of a foreign object may raise anything
        return False


def _is_satisfied(demand: Callable[[Any], bool], answer: Any) -> bool:
    try:
        return bool(demand(answer))
    except Exception:  # noqa: BLE001 - an answer that can't even be looked at is not as demanded
        return False
