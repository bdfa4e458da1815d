"""A value on its way into a session and back: kept as it is, or refused at the write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...capabilities import Capability
from ...expect import NO_REFUSALS, Demand, violated
from ...history import StepFailed
from ...values import are_equal, word
from .beginning import make_sure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...history import Call, Step
    from ...interface import Json
    from ...subject import Subject

BEFORE = "before"

MANY = 100
"""Messages, or members of cost data: stores look at so many at once, or by a faster library."""


@dataclass(frozen=True)
class Way:
    """A place in a session where a value can be kept."""

    is_cost_data: bool
    is_key: bool = False
    """The value, a text, is a key there, and not what is under one."""
    is_last_of_many: bool = False

    def wrap(self, value: Json) -> Json:
        """Put a value into messages or cost data."""
        before = range(MANY - 1 if self.is_last_of_many else 0)
        if self.is_cost_data:
            whole = {value: 1} if self.is_key else {"value": value}
            return {**{f"key {number}": "kept" for number in before}, **whole}
        last = {"role": "user", **({value: 1} if self.is_key else {"content": value})}
        return [*({"role": "user", "content": f"turn {number}"} for number in before), last]

    def write(self, store: Subject, session: str, value: Json) -> Call[Any]:
        whole = self.wrap(value)
        if self.is_cost_data:
            return store.update(session, cost_data=whole)
        return store.save(session, whole)

    def read(self, store: Subject, session: str) -> Call[Any]:
        return store.get_cost_data(session) if self.is_cost_data else store.load(session)

    def after(self, earlier: Json, value: Json) -> Json:
        """Answer what is to be read when the value was written after an earlier one."""
        if self.is_cost_data:
            return {**self.wrap(earlier), **self.wrap(value)}
        return self.wrap(value)


def ways(store: Subject, *, is_key: bool = False) -> list[Way]:
    """Answer the places whose values the store lets be read again."""
    places = [False, True] if store.can(Capability.COST_READ) else [False]
    return [Way(is_cost_data, is_key) for is_cost_data in places]


def ways_of_many(store: Subject) -> list[Way]:
    """Answer the same places where the value comes after many that are ordinary.

    What is found in one message may be passed over where all of them are looked at together.
    """
    return [
        replace(way, is_last_of_many=True)
        for is_key in (False, True)
        for way in ways(store, is_key=is_key)
    ]


async def performed(call: Call[Any]) -> Step:
    """Make a call that may be refused, and answer its step.

    Raises:
        StepFailed: the operation is not there, or raised what is no Exception.
    """
    step = await call.perform(is_expected=True)
    if step.outcome == "hung":
        violated(
            f"{step.operation} does not answer in time",
            demanded="an answer or a refusal",
            answered=step.answered(),
        )
    if step.outcome != "answered" and not is_refusal(step):
        raise StepFailed(step)
    return step


def is_refusal(step: Step) -> bool:
    """Answer whether the operation is there and raised for what it was given."""
    return isinstance(step.error, Exception) and not isinstance(step.error, NO_REFUSALS)


async def expect_kept(
    store: Subject,
    way: Way,
    value: Json,
    name: str,
    *,
    rather_than: Mapping[str, Json] | None = None,
    alike: Callable[[Any, Any], bool] = are_equal,
) -> None:
    """Demand that a value is accepted and comes back; a rival names the defect."""
    session = await store.create()
    write = await performed(way.write(store, session, value))
    if write.outcome == "raised":
        violated(
            f"{write.operation} refuses {name}",
            demanded="that it is kept",
            answered=write.answered(),
            demand=Demand(),
        )
    rivals = {headline: way.wrap(rival) for headline, rival in (rather_than or {}).items()}
    read = await performed(way.read(store, session))
    judge(write, read, way.wrap(value), name, rivals, alike=alike)


async def expect_kept_or_refused(
    store: Subject,
    way: Way,
    value: Json,
    name: str,
    *,
    rather_than: Mapping[str, Json] | None = None,
    alike: Callable[[Any, Any], bool] = are_equal,
) -> None:
    """Demand that a value comes back, or that its write raises and the earlier one stands."""
    session = await begin_before(store, way)
    write = await performed(way.write(store, session, value))
    if write.outcome == "raised":
        await expect_as_before(store, way, session, write, name)
        return
    rivals = {headline: way.after(BEFORE, rival) for headline, rival in (rather_than or {}).items()}
    read = await performed(way.read(store, session))
    judge(write, read, way.after(BEFORE, value), name, rivals, alike=alike)


async def begin_before(store: Subject, way: Way) -> str:
    """Make a session with an ordinary value, and answer its id."""
    session: str = await store.create()
    await way.write(store, session, BEFORE)
    await make_sure(way.read(store, session), way.wrap(BEFORE))
    return session


async def expect_as_before(store: Subject, way: Way, session: str, write: Step, name: str) -> None:
    """Demand that a refused write has stored nothing."""
    read = await performed(way.read(store, session))
    if read.outcome == "raised":
        violated(
            f"{write.operation} refuses {name}, and then {read.operation} {read.answered()}",
            demanded=word(way.wrap(BEFORE)),
            answered=read.answered(),
        )
    if are_equal(read.answer_as_given, way.wrap(BEFORE)):
        return
    if not read.answer_as_given or way.is_last_of_many:
        # Emptied, or what came before it: that a refused write changes nothing has clauses of
        # its own.
        raise StepFailed(read)
    violated(
        f"{write.operation} refuses {name} after it has stored it",
        demanded=word(way.wrap(BEFORE)),
        answered=read.answered(),
    )


def judge(
    write: Step,
    read: Step,
    demanded: Json,
    name: str,
    rivals: Mapping[str, Json],
    *,
    alike: Callable[[Any, Any], bool] = are_equal,
) -> None:
    """Hold what was read after an accepted write against what was written."""
    answer = read.answer_as_given
    if read.outcome == "answered" and alike(answer, demanded):
        return
    if read.outcome == "raised":
        headline = f"{write.operation} accepts {name}, and then {read.operation} {read.answered()}"
    else:
        named = (one for one, rival in rivals.items() if are_equal(answer, rival))
        headline = next(named, "") or first_difference(answer, demanded, alike)
    violated(
        headline,
        demanded=word(demanded),
        answered=read.answered(),
        demand=Demand(one_of=(demanded,)),
    )


def first_difference(answer: Json, demanded: Json, alike: Callable[[Any, Any], bool]) -> str:
    """Word the innermost value that differs, so that a long answer need not be searched."""
    while True:
        if type(answer) is type(demanded) is list and len(answer) == len(demanded):
            pairs = list(zip(answer, demanded, strict=True))
        elif type(answer) is type(demanded) is dict and answer.keys() == demanded.keys():
            pairs = [(answer[key], demanded[key]) for key in demanded]
        else:
            break
        different = [pair for pair in pairs if not alike(*pair)]
        if not different:
            break
        answer, demanded = different[0]
    return f"{word(demanded, limit=60)} comes back as {word(answer, limit=60)}"
