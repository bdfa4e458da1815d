"""A counterexample as a program of calls that can be pasted into an asynchronous test.

The store is called `store` in it, several instances on one place `first`, `second` and so on.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .history import numbered_instances

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .expect import Demand
    from .history import Step

MOST_LINES = 60
MOST_CHARACTERS = 8_000
TOO_LONG = (
    f"# it takes more than {MOST_LINES} lines or {MOST_CHARACTERS:,} characters: "
    "run the clause again with the same seed"
)
UNWRITABLE = "# a value in it can't be written as Python: run the clause again with the same seed"

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


class _UnwritableError(Exception):
    """A value that no literal stands for."""


def written(steps: Sequence[Step], demand: Demand | None) -> tuple[str, ...]:
    """Write steps as Python, the last of which was not answered as demanded."""
    try:
        lines = tuple(_Writer(steps).lines(demand))
    except (_UnwritableError, RecursionError, ValueError):
        return (UNWRITABLE,)
    if len(lines) > MOST_LINES or sum(map(len, lines)) > MOST_CHARACTERS:
        return (TOO_LONG,)
    return lines


class _Writer:
    """Writes one history."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        numbers = numbered_instances(steps)
        self.stores = {one: _store(number, len(numbers)) for one, number in numbers.items()}
        self.variables = dict(_variables(steps))
        """The ids that the store made up, by the variable that holds each."""
        self.modules: set[str] = set()

    def lines(self, demand: Demand | None) -> Iterator[str]:
        *leading, judged = self.steps
        body = [*self._opened(), *(line for step in leading for line in self._leading(step))]
        body += self._remark_on(judged)
        body += self._judged(judged, demand)
        yield from sorted(self.modules)
        yield from body

    def _opened(self) -> list[str]:
        names = [name for one, name in self.stores.items() if self._closed_before(one) is None]
        return [f"# {', '.join(names)}: instances on one place"] if len(names) > 1 else []

    def _closed_before(self, instance: int) -> str | None:
        """Name the instance that was closed before this one was used, if any was."""
        closed = None
        for step in self.steps:
            if step.instance == instance:
                return closed
            if step.operation == "close":
                closed = self.stores[step.instance]
        return closed

    def _remark_on(self, step: Step) -> list[str]:
        """Say where an instance comes from that is opened in the middle."""
        is_first = next(one for one in self.steps if one.instance == step.instance) is step
        closed = self._closed_before(step.instance)
        if closed is None or not is_first:
            return []
        name = self.stores[step.instance]
        return [f"# {name}: opened on the same place, now that {closed} is closed"]

    def _leading(self, step: Step) -> list[str]:
        remark = self._remark_on(step)
        if step.outcome == "raised":
            # Whether another store raises here as well is not asked.
            self.modules.add("import contextlib")
            return [
                *remark,
                "with contextlib.suppress(Exception):",
                f"    await {self._call(step)}",
            ]
        variable = self.variables.get(_made(step) or "")
        return [*remark, f"{f'{variable} = ' if variable else ''}await {self._call(step)}"]

    def _judged(self, step: Step, demand: Demand | None) -> list[str]:
        call = f"await {self._call(step)}"
        if demand is None:
            return [f"{call}  # not as demanded"]
        if demand.is_refusal:
            self.modules.add("import pytest")
            return ["with pytest.raises(Exception):", f"    {call}"]
        if demand.none_of is not None:
            taken = ", ".join(map(self._literal, demand.none_of))
            return [
                f"made = {call}",
                f"assert isinstance(made, str) and made not in [{taken}]",
            ]
        if demand.one_of:
            return [self._compared(call, step, demand.one_of)]
        return [call]

    def _compared(self, call: str, step: Step, wanted: tuple[Any, ...]) -> str:
        literals = [self._literal(one) for one in wanted]
        if not any(map(_is_strange, literals)) and not _is_among(step.answer_as_given, wanted):
            if literals in (["None"], ["True"], ["False"]):
                return f"assert {call} is {literals[0]}"
            if len(literals) == 1:
                return f"assert {call} == {literals[0]}"
            return f"assert {call} in [{', '.join(literals)}]"
        # == does not see it: 1 and True and 1.0 are the same to it, and nan is nothing's equal.
        self.modules.add("import json")
        worded = ", ".join(f"json.dumps({one}, sort_keys=True)" for one in literals)
        return f"assert json.dumps({call}, sort_keys=True) in [{worded}]"

    def _call(self, step: Step) -> str:
        arguments = [self._literal(one) for one in step.arguments]
        arguments += [f"{name}={self._literal(one)}" for name, one in step.keywords.items()]
        return f"{self.stores[step.instance]}.{step.operation}({', '.join(arguments)})"

    def _literal(self, value: Any) -> str:
        """Write a value so that it evaluates to its equal, in ASCII: no editor changes it then."""
        if type(value) is str:
            return self.variables.get(value) or ascii(value)
        if type(value) is list:
            return f"[{', '.join(map(self._literal, value))}]"
        if type(value) is dict:
            members = (f"{self._literal(key)}: {self._literal(one)}" for key, one in value.items())
            return f"{{{', '.join(members)}}}"
        if type(value) is float:
            return repr(value) if abs(value) < float("inf") else f'float("{value}")'
        if type(value) is datetime:
            self.modules.add("from datetime import datetime")
            return f'datetime.fromisoformat("{value.isoformat()}")'
        if value is None or type(value) in {bool, int}:
            return repr(value)
        raise _UnwritableError


def _store(number: int, instances: int) -> str:
    if instances == 1:
        return "store"
    return ORDINALS[number - 1] if number <= len(ORDINALS) else f"store_{number}"


def _made(step: Step) -> str | None:
    """Answer the id that the store made up in a step."""
    is_made = step.operation == "create" and not step.arguments and not step.keywords
    return step.answer_as_given if is_made and type(step.answer_as_given) is str else None


def _variables(steps: Sequence[Step]) -> Mapping[str, str]:
    made = [one for one in map(_made, steps[:-1]) if one]
    return {
        one: "session" if number == 1 else f"session_{number}"
        for number, one in enumerate(dict.fromkeys(made), 1)
    }


def _is_strange(literal: str) -> bool:
    return 'float("nan")' in literal


def _is_among(answer: Any, wanted: tuple[Any, ...]) -> bool:
    try:
        return bool(answer in wanted)
    except BaseException:  # noqa: BLE001 - the == of a foreign object may raise anything
        return False
