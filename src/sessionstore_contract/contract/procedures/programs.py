"""Programs of calls on a few sessions, drawn so that most writes hit a session that exists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from ...interface import Json

NAMES = ("a", "b", "c")
"""The sessions of a program; each time it is played they get ids that nobody has used."""

EVERY = "*"
"""Names every session that the program has named so far."""

LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(max(2037, datetime.now(UTC).year + 1), 12, 31, tzinfo=UTC)
"""Cutoffs that decide alike by every clock. A TIMESTAMP of MySQL ends in January 2038."""


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

MESSAGES = (
    {"role": "user", "content": "one"},
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": None},
)

LENGTH = 20
"""Calls of a program, but for those that are left out and those that look in the end."""

NOTHING = "nothing"

OFTEN = {
    NOTHING: 1,
    "create": 3,
    "save": 6,
    "update": 7,
    "get_cost_data": 3,
    "load": 3,
    "exists": 2,
    "delete": 4,
    "create anew": 1,
    "delete_before": 2,
}
"""How often an operation is drawn, among 32; what comes first counts as simpler."""

OPERATIONS = tuple(one for one, often in OFTEN.items() for _ in range(often))

LOOKS = ("exists", "load", "get_cost_data", "load", "get_cost_data")
"""What a program looks at in the end; the second time, at what reading has left."""

WIDTH = 5
"""Bytes that one call is read from."""


def programs() -> SearchStrategy[Program]:
    """Draw programs for one instance."""
    return _bytes().map(_read)


def programs_for_two_instances() -> SearchStrategy[Program]:
    """Draw programs each call of which is made on one of two instances."""
    return _bytes().map(partial(_read, instances=2))


def programs_with_reopening() -> SearchStrategy[Program]:
    """Draw programs in the middle of which the store is mostly closed and opened anew."""
    return _bytes().map(partial(_read, reopens=True))


def _bytes() -> SearchStrategy[bytes]:
    # Drawn at once and read afterwards: of what it draws piece by piece, hypothesis makes most
    # examples from one another, and lists much too short. A zero is always the simplest.
    from hypothesis import strategies as st  # noqa: PLC0415 - `list` must not wait for it

    size = LENGTH * WIDTH + len(LOOKS) + 1
    return st.binary(min_size=size, max_size=size)


def _read(drawn: bytes, *, instances: int = 1, reopens: bool = False) -> Program:
    pieces = (drawn[at : at + WIDTH] for at in range(0, LENGTH * WIDTH, WIDTH))
    program = [_instruction(piece, instances) for piece in pieces]
    looks = drawn[LENGTH * WIDTH : -1]
    for operation, look in zip(LOOKS, looks, strict=True):
        if look % 4:
            program.append(Instruction(operation, EVERY, None, look // 4 % instances == 1))
    if reopens and drawn[-1]:
        program.insert(LENGTH // 2 + drawn[-1] % 7, Instruction("reopen"))
    return [one for one in program if one.operation != NOTHING]


def _instruction(piece: bytes, instances: int) -> Instruction:
    operation, name, where, first, second = piece
    chosen = OPERATIONS[operation % len(OPERATIONS)]
    value: Json = None
    match chosen:
        case "save":
            value = [MESSAGES[second // 3**place % 3] for place in range(first % 4)]
        case "update" if where % 6 < 5:
            value = _cost_data(first, second)
        case "delete_before":
            value = LONG_AGO if first % 4 == 3 else FAR_AHEAD
    # The first name most often: a long sequence on one session shows more than three short ones.
    named = "" if chosen == "delete_before" else "aaabbc"[name % 6]
    return Instruction(chosen, named, value, where // 6 % instances == 1)


def _cost_data(first: int, second: int) -> dict[str, Json]:
    """Read a value for each of two keys; a zero, and half of the second bytes, are no value."""
    cells = {"k": first % (len(VALUES) + 1), "l": second % (2 * len(VALUES) + 1)}
    return {key: VALUES[cell - 1] for key, cell in cells.items() if 0 < cell <= len(VALUES)}
