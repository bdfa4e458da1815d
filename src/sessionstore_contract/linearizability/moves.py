"""A history of one session as moves between states, with every value that is never read left out.

A state is None while the session is missing, else a pair: the token of its messages, and a tuple
of tokens, one for each key of its cost data that is ever written. Values are told apart by their
JSON text. A token says which value that was read is meant, and UNSEEN stands for all the others:
two states that no read can tell apart are one state.

With foresight the moves say what the answers to come imply:

- an unknown write whose values are never read is left out, where it can't have made the session
- an unknown write, the only writer of a value that is read, was made before that read came back

Both are exact: the moves have an order if and only if the operations have one. See decision 020.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .. import values
from ..model import REFUSED
from .operation import READS, Operation, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..interface import Json

NEVER: Final = 1 << 62
"""The end of what may take effect at any time."""

EMPTY: Final = 0
"""The token of no messages, and of a key that is not there."""
UNSEEN: Final = -1
"""The token of every value that is never read."""
IMPOSSIBLE: Final = -2
"""The token of an answer that no session can give."""

State = tuple[int, tuple[int, ...]] | None
Item = tuple[int, int]
"""A place and the token in it: MESSAGES, or the number of a key."""
MESSAGES: Final = -1


class Kind(IntEnum):
    """What a move asks of the state, and does to it. Reads come first."""

    LOAD = 0
    COSTS = 1
    EXISTS = 2
    SAVE = 3
    MERGE = 4
    CREATE = 5
    DELETE = 6


class Move(NamedTuple):
    """One operation between states."""

    kind: Kind
    argument: Any
    """A token or None (load), a tuple of tokens, a boolean (exists), or items that are written."""
    began: int
    ended: int
    is_required: bool
    """Whether the move was made for certain; else it may be left out."""
    operation: Operation

    @property
    def is_read(self) -> bool:
        return self.kind <= Kind.EXISTS

    def items(self) -> Iterator[Item]:
        """Each place and token that is read, or written."""
        if self.kind is Kind.LOAD and self.argument is not None:
            yield MESSAGES, self.argument
        elif self.kind is Kind.COSTS:
            yield from enumerate(self.argument)
        elif self.kind in {Kind.SAVE, Kind.MERGE}:
            yield from self.argument


@dataclass(frozen=True)
class Puzzle:
    """The moves that an order is looked for, by their calls, and the keys of the cost data."""

    moves: list[Move]
    keys: list[str]

    def strangers(self) -> list[Move]:
        """The reads that answer what had not been written when they were over."""
        first_written: dict[Item, int] = {}
        for item, writers in writers_of(self.moves).items():
            first_written[item] = min(move.began for move in writers)
        return [
            move
            for move in self.moves
            if (move.kind is Kind.EXISTS and move.argument is None)
            or any(
                token != EMPTY and first_written.get((place, token), NEVER) > move.ended
                for place, token in move.items()
                if move.is_read
            )
        ]


@dataclass
class _Tokens:
    """The values that are read, by place and text."""

    keys: dict[str, int]
    of_value: dict[tuple[int, str], int] = field(default_factory=dict)

    def read(self, place: int, value: Json) -> int:
        text = _text(value)
        if text is None:
            return IMPOSSIBLE
        if place == MESSAGES and text == "[]":
            return EMPTY
        return self.of_value.setdefault((place, text), len(self.of_value) + 1)

    def written(self, place: int, value: Json) -> int:
        text = _text(value)
        if place == MESSAGES and text == "[]":
            return EMPTY
        return UNSEEN if text is None else self.of_value.get((place, text), UNSEEN)


def _text(value: Json) -> str | None:
    """Answer a text that equal JSON values share and others do not; None for what is no JSON."""
    try:
        text = json.dumps(value, sort_keys=True)
        return text if values.are_equal(json.loads(text), value) else None
    except BaseException:  # noqa: BLE001 - a store's own objects may raise anything
        return None


def puzzle_of(operations: Iterable[Operation], *, foresight: bool) -> Puzzle:
    """Read the operations as moves; what failed is left out."""
    heard = sorted(filter(_counts, operations), key=lambda one: one.began)
    keys = sorted({key for one in heard if one.operation == "update" for key in one.argument or {}})
    tokens = _Tokens({key: number for number, key in enumerate(keys)})
    # Reads first: what they do not name need not be told apart.
    read = {one.id: _read(one, tokens) for one in heard}
    moves = [read[one.id] or _write(one, tokens) for one in heard]
    return Puzzle(list(_foresee(moves)) if foresight else moves, keys)


def _counts(one: Operation) -> bool:
    if one.outcome is Outcome.UNKNOWN:
        return one.operation not in READS and (one.operation != "update" or bool(one.argument))
    return one.outcome is Outcome.OK


def _read(one: Operation, tokens: _Tokens) -> Move | None:
    """Read the operation as a question, when it is one, or turned out to be."""
    match one.operation, one.answer:
        case _ if one.outcome is Outcome.UNKNOWN:
            return None
        case "load", None:
            return _asked(one, Kind.LOAD, None)
        case "load", answer:
            token = tokens.read(MESSAGES, answer) if isinstance(answer, list) else IMPOSSIBLE
            return _asked(one, Kind.LOAD, token)
        case "get_cost_data", answer:
            return _asked(one, Kind.COSTS, _costs(answer, tokens))
        case "exists", answer:
            return _asked(one, Kind.EXISTS, answer)
        case "create", answer if answer is REFUSED:
            return _asked(one, Kind.EXISTS, True)
        case (("update" | "delete"), True):
            is_question = one.operation == "update" and not one.argument
            return _asked(one, Kind.EXISTS, True) if is_question else None
        case (("update" | "delete"), answer):
            # False changes nothing; and what is no boolean, no state gives.
            return _asked(one, Kind.EXISTS, answer)
    return None


def _asked(one: Operation, kind: Kind, argument: Any) -> Move:
    if kind is Kind.EXISTS and not isinstance(argument, bool):
        argument = None
    return Move(kind, argument, one.began, _end(one), True, one)


def _costs(answer: Any, tokens: _Tokens) -> tuple[int, ...]:
    row = [EMPTY] * len(tokens.keys)
    if not isinstance(answer, dict) or not tokens.keys.keys() >= answer.keys():
        return (IMPOSSIBLE,)
    for key, value in answer.items():
        row[tokens.keys[key]] = tokens.read(tokens.keys[key], value)
    return tuple(row)


def _write(one: Operation, tokens: _Tokens) -> Move:
    is_required = one.outcome is Outcome.OK
    match one.operation:
        case "save":
            kind, items = Kind.SAVE, [(MESSAGES, tokens.written(MESSAGES, one.argument))]
        case "update":
            kind, items = (
                Kind.MERGE,
                [
                    (tokens.keys[key], tokens.written(tokens.keys[key], value))
                    for key, value in sorted(one.argument.items())
                ],
            )
        case "create":
            kind, items = Kind.CREATE, []
        case "delete":
            kind, items = Kind.DELETE, []
        case "delete_before":
            # It may have removed this session, within its time, or not: its count is of all.
            kind, items, is_required = Kind.DELETE, [], False
        case other:
            raise ValueError(f"the judge knows no operation {other}")
    return Move(kind, tuple(items), one.began, _end(one), is_required, one)


def _end(one: Operation) -> int:
    return NEVER if one.ended is None else one.ended


def writers_of(moves: Iterable[Move]) -> dict[Item, list[Move]]:
    """The moves that write each item."""
    writers: dict[Item, list[Move]] = {}
    for move in moves:
        if not move.is_read:
            for item in move.items():
                writers.setdefault(item, []).append(move)
    return writers


def _foresee(moves: Sequence[Move]) -> Iterator[Move]:
    writers = writers_of(moves)
    first_read: dict[Item, int] = {}
    for move in moves:
        if move.is_read:
            for item in move.items():
                first_read[item] = min(first_read.get(item, NEVER), move.ended)
    made = exists_from(moves)
    for move in moves:
        if move.is_required or move.kind is Kind.DELETE:
            yield move
            continue
        seen = [item for item in move.items() if item in first_read and item[1] > EMPTY]
        alone = [first_read[item] for item in seen if len(writers[item]) == 1]
        if alone:
            yield move._replace(is_required=True, ended=min(alone))
        else:
            is_told_apart = bool(seen) or any(token == EMPTY for _, token in move.items())
            may_make = move.kind is not Kind.MERGE and move.began <= made
            if is_told_apart or may_make:
                yield move


def exists_from(moves: Iterable[Move]) -> int:
    """The moment from which on the session exists for certain, and for good."""
    made = NEVER
    for move in moves:
        if move.kind is Kind.DELETE:
            return NEVER
        if move.kind in {Kind.SAVE, Kind.CREATE} and move.is_required:
            made = min(made, move.ended)
    return made
