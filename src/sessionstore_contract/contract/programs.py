"""Programs of calls on a few sessions, drawn so that most writes hit a session that exists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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

VALUES: tuple[Any, ...] = (
    *(0, 1, 2, None, False, True, "", "a", [], [1], [1, 2], {}),
    *({"x": 1}, {"x": 2}, {"y": 2}, {"x": {"z": 1}}, {"x": {"w": 2}}, {"y": None}),
)
"""What cost data holds: each is taken for another one by some store."""

LENGTH = 18
"""Calls of a program, but for those that are left out and those that look in the end."""

NOTHING = "nothing"

OFTEN = {
    NOTHING: 1,
    "create": 3,
    "save": 6,
    "update": 8,
    "get_cost_data": 3,
    "load": 3,
    "exists": 2,
    "delete": 3,
    "create anew": 1,
    "delete_before": 1,
}
"""How often an operation is drawn, among 31; what comes first counts as simpler."""

LOOKS = ("exists", "load", "get_cost_data", "load", "get_cost_data")
"""What a program looks at in the end; the second time, at what reading has left."""


def programs() -> SearchStrategy[Program]:
    """Draw programs for one instance."""
    from hypothesis import strategies as st  # noqa: PLC0415 - `list` must not wait for it

    return st.tuples(_body(LENGTH), _ending()).map(_joined)


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
    half = LENGTH // 2
    return st.tuples(_body(half), reopening, _body(half), _ending()).map(_joined)


def _joined(parts: tuple[Program, ...]) -> Program:
    return [one for part in parts for one in part]


def _body(length: int) -> SearchStrategy[Program]:
    # Always as long, with calls left out: hypothesis draws lists of any length much too short.
    from hypothesis import strategies as st  # noqa: PLC0415

    drawn = st.lists(_instructions(), min_size=length, max_size=length)
    return drawn.map(lambda body: [one for one in body if one.operation != NOTHING])


def _ending() -> SearchStrategy[Program]:
    """Draw what is looked at in the end: mostly everything, and nothing in the simplest case."""
    from hypothesis import strategies as st  # noqa: PLC0415

    looks = [st.sampled_from([[], *[[Instruction(operation, EVERY)]] * 3]) for operation in LOOKS]
    return st.tuples(*looks).map(_joined)


def _instructions() -> SearchStrategy[Instruction]:
    from hypothesis import strategies as st  # noqa: PLC0415

    operations = st.sampled_from([one for one, often in OFTEN.items() for _ in range(often)])
    names = st.sampled_from(NAMES)
    cost_data = st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(VALUES), max_size=2)
    values: dict[str, SearchStrategy[Any]] = {
        "save": st.lists(st.sampled_from(MESSAGES), max_size=3),
        "update": st.sampled_from([True, True, True, True, True, False]).flatmap(
            lambda has_fields: cost_data if has_fields else st.none()
        ),
        "delete_before": st.sampled_from([FAR_AHEAD, LONG_AGO]),
    }

    @st.composite
    def instruction(draw: DrawFn) -> Instruction:
        operation = draw(operations)
        name = "" if operation == "delete_before" else draw(names)
        return Instruction(operation, name, draw(values.get(operation, st.none())))

    return instruction()
