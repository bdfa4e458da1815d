"""Programs of calls on a few sessions, drawn so that most writes hit a session that exists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .cost import small_values

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from ..interface import Json

NAMES = ("a", "b", "c")
"""The sessions of a program; each time it is played they get ids that nobody has used."""

EVERY = "*"
"""Names every session that the program has named so far."""

LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(max(2037, datetime.now(UTC).year + 1), 12, 31, tzinfo=UTC)
"""Cutoffs that decide alike by every clock. A TIMESTAMP of MySQL ends in January 2038."""

MESSAGES = tuple({"role": "user", "content": content} for content in ("one", "two", "three"))


@dataclass(frozen=True)
class Instruction:
    """One call of a program, by the name of its session."""

    operation: str
    """One of the interface, or `create anew` (without an id) or `reopen`."""
    name: str = ""
    value: Json = None
    """Messages, cost data or a cutoff."""
    is_second: bool = False
    """Whether the second instance makes the call."""


Program = list[Instruction]

OFTEN = {
    "create": 3,
    "save": 6,
    "update": 8,
    "get_cost_data": 3,
    "load": 3,
    "exists": 1,
    "delete": 3,
    "create anew": 1,
    "delete_before": 1,
}
"""How often an operation is drawn, among 29; what comes first counts as simpler."""

LOOKS = ("get_cost_data", "load", "exists")


def programs() -> SearchStrategy[Program]:
    """Draw programs for one instance."""
    from hypothesis import strategies as st  # noqa: PLC0415 - `list` must not wait for it

    return st.tuples(_body(), _body(), _ending()).map(_joined)


def programs_for_two_instances() -> SearchStrategy[Program]:
    """Draw programs each call of which is made on one of two instances."""
    from hypothesis import strategies as st  # noqa: PLC0415

    @st.composite
    def on_two(draw: DrawFn) -> Program:
        return [replace(one, is_second=draw(st.booleans())) for one in draw(programs())]

    return on_two()


def programs_with_reopening() -> SearchStrategy[Program]:
    """Draw programs in the middle of which the store is mostly closed and opened anew."""
    from hypothesis import strategies as st  # noqa: PLC0415

    reopening = st.sampled_from([[], *[[Instruction("reopen")]] * 4])
    return st.tuples(_body(), reopening, _body(), _ending()).map(_joined)


def _joined(parts: tuple[Program, ...]) -> Program:
    return [one for part in parts for one in part]


def _body() -> SearchStrategy[Program]:
    # Lists are drawn half as long as they may be.
    from hypothesis import strategies as st  # noqa: PLC0415

    return st.lists(_instructions(), max_size=12)


def _ending() -> SearchStrategy[Program]:
    """Draw what is looked at in the end: mostly everything, and nothing in the simplest case."""
    from hypothesis import strategies as st  # noqa: PLC0415

    looks = [st.sampled_from([[], *[[Instruction(operation, EVERY)]] * 3]) for operation in LOOKS]
    return st.tuples(*looks).map(_joined)


def _instructions() -> SearchStrategy[Instruction]:
    from hypothesis import strategies as st  # noqa: PLC0415

    operations = st.sampled_from([one for one, often in OFTEN.items() for _ in range(often)])
    names = st.sampled_from(NAMES)
    values: dict[str, SearchStrategy[Any]] = {
        "save": st.lists(st.sampled_from(MESSAGES), max_size=3),
        "update": st.none() | st.dictionaries(names, small_values(), max_size=2),
        "delete_before": st.sampled_from([FAR_AHEAD, LONG_AGO]),
    }

    @st.composite
    def instruction(draw: DrawFn) -> Instruction:
        operation = draw(operations)
        name = "" if operation == "delete_before" else draw(names)
        return Instruction(operation, name, draw(values.get(operation, st.none())))

    return instruction()
