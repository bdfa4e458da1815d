"""A counterexample made small, by removals that can't make a right history look wrong.

Each removal keeps this: had some order explained the history before it, some order would explain
what is left. So what is left shows that the store is wrong, and not that something is missing.

- the end: what was called after a moment; what was under way then is unknown
- a read, or an operation that changed nothing
- an update, with every read that shows a value of it
- a save, with every load that shows its messages, where the session exists for certain without it
- a key of the cost data, everywhere
- any operation before a moment at which nothing was under way, when every state that the session
  could have been in at that moment is still possible
"""

from __future__ import annotations

import bisect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .moves import EMPTY, NEVER, UNSEEN, Kind, Puzzle, exists_from, puzzle_of, writers_of
from .operation import READS, Operation, Outcome
from .search import Search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .moves import Item, State

Operations = list[Operation]

LEAST_FOR_ONE = 10_000
"""Situations that any removal may take: about half a second's."""


def shrink(operations: Sequence[Operation], *, limit: int) -> Operations:
    """Make a history that no order explains smaller, as long as no order explains it.

    A read of what was not written before it came back stands alone, with the late writer if any.
    """
    history = sorted(operations, key=lambda one: one.began)
    puzzle = puzzle_of(history, foresight=False)
    if strangers := puzzle.strangers():
        first = min(strangers, key=lambda move: move.ended)
        writers = writers_of(puzzle.moves)
        shown = {first.operation.id} | {
            move.operation.id
            for item in first.items()
            if item[1] > EMPTY
            for move in writers.get(item, ())
            if move.began > first.ended
        }
        return [one for one in history if one.id in shown]
    return _Shrinking(limit).shrink(history)


class _Shrinking:
    def __init__(self, limit: int) -> None:
        self.left = limit
        """Operations and situations that may still be looked at: then what is there is answered."""
        self.each = limit
        """Situations that one removal may take. One that leaves too many orders open is not made:
        the whole history was decided, and with another removal it will be as quick."""

    def shrink(self, history: Operations) -> Operations:
        before = self.left
        self._decide(history)
        self.each = max(LEAST_FOR_ONE, 4 * (before - self.left))
        history = self._without_end([one for one in history if _counts(one)])
        measure = None
        while measure != (len(history), _keys(history)):
            measure = len(history), _keys(history)
            history = self._without_clusters(history)
            history = self._without_keys(history)
            history = self._without_past(history)
        return self._without_end(history)

    def _is_wrong(self, history: Sequence[Operation]) -> bool:
        return self._decide(history) is not None

    def _decide(self, history: Sequence[Operation]) -> int | None:
        """Answer None unless the history is wrong; then a moment up to which it is not."""
        self.left -= len(history)
        puzzle = puzzle_of(history, foresight=True)
        if puzzle.strangers():
            # Wrong, but of a removal: it took away who wrote what is read, and would mislead.
            return None
        result = Search(puzzle, foresight=True, limit=min(self.left, self.each)).run()
        self.left -= result.situations
        return result.stuck_at.ended if result.stuck_at else None

    def _without_end(self, history: Operations) -> Operations:
        """Cut after the first answer that makes the history wrong."""
        right_until = self._decide(history)
        if right_until is None:
            return history
        ends = sorted({one.ended for one in history if one.ended is not None})
        # The answer is often near to where the search came to an end: look there first.
        below = bisect.bisect_left(ends, right_until) - 1
        stride = 1
        while below + stride < len(ends) and not self._is_wrong(
            _cut(history, ends[below + stride])
        ):
            below += stride
            stride *= 2
        above = min(below + stride, len(ends) - 1)
        while above - below > 1:
            middle = (below + above) // 2
            if self._is_wrong(_cut(history, ends[middle])):
                above = middle
            else:
                below = middle
        cut = _cut(history, ends[above])
        return cut if self._is_wrong(cut) else history

    def _without_clusters(self, history: Operations) -> Operations:
        return _without_chunks(history, _without_cluster, self._is_wrong)

    def _without_keys(self, history: Operations) -> Operations:
        for key in _keys(history):
            rest = [*filter(_counts, (_without_key(one, key) for one in history))]
            if self._is_wrong(rest):
                history = rest
        return history

    def _without_past(self, history: Operations) -> Operations:
        puzzle = puzzle_of(history, foresight=False)
        for size in reversed([*_quiet(history)]):
            past, rest = history[:size], history[size:]
            possible = self._states(puzzle, past)
            if not possible:
                continue

            def is_wrong(
                smaller: Operations,
                rest: Operations = rest,
                possible: set[State] = possible,
            ) -> bool:
                return possible <= self._states(puzzle, smaller) and self._is_wrong(
                    [*smaller, *rest]
                )

            return [*_without_chunks(past, _without, is_wrong), *rest]
        return history

    def _states(self, puzzle: Puzzle, past: Sequence[Operation]) -> set[State]:
        """Every state that the operations can end in; none when there are too many ways."""
        names = {one.id for one in past}
        moves = [move for move in puzzle.moves if move.operation.id in names]
        search = Search(Puzzle(moves, puzzle.keys), foresight=False, limit=min(self.left, 20_000))
        result = search.run(all_states=True)
        self.left -= len(past) + result.situations
        return result.states


def _without_chunks(
    history: Operations,
    without: Callable[[Operations, Operations], Operations],
    is_wrong: Callable[[Operations], bool],
) -> Operations:
    """Try to remove halves, then quarters, down to one by one, the oldest first."""
    size = max(1, len(history) // 2)
    while size:
        start = 0
        while start < len(history):
            smaller = without(history[start : start + size], history)
            if len(smaller) < len(history) and is_wrong(smaller):
                history = smaller
            else:
                start += size
        size //= 2
    return history


def _without(chunk: Operations, history: Operations) -> Operations:
    gone = {one.id for one in chunk}
    return [one for one in history if one.id not in gone]


def _without_cluster(chunk: Operations, history: Operations) -> Operations:
    """Leave out operations with all that has to go with them, except those that have to stay."""
    moves = puzzle_of(history, foresight=False).moves
    since = exists_from(moves)
    wanted = {one.id for one in chunk}
    gone: set[int] = set()
    items: set[Item] = set()
    for move in moves:
        if move.operation.id in wanted and (
            move.is_read
            or move.kind is Kind.MERGE
            or (move.kind is not Kind.DELETE and move.began > since)
        ):
            gone.add(move.operation.id)
            if not move.is_read:
                items.update(item for item in move.items() if item[1] != UNSEEN)
    gone |= {
        move.operation.id for move in moves if move.is_read and not items.isdisjoint(move.items())
    }
    return [one for one in history if one.id not in gone]


def _counts(one: Operation) -> bool:
    if one.outcome is Outcome.FAILED:
        return False
    is_idle = one.operation in READS or (one.operation == "update" and not one.argument)
    return one.outcome is Outcome.OK or not is_idle


def _cut(history: Iterable[Operation], end: int) -> Operations:
    called = [one for one in history if one.began <= end]
    cut = [
        one
        if one.ended is None or one.ended <= end
        else replace(one, outcome=Outcome.UNKNOWN, answer=None, ended=None)
        for one in called
    ]
    return [*filter(_counts, cut)]


def _quiet(history: Sequence[Operation]) -> Iterator[int]:
    """How many operations come before each moment at which nothing is under way."""
    latest = 0
    for number, one in enumerate(history):
        if number and latest < one.began:
            yield number
        latest = max(latest, NEVER if one.ended is None else one.ended)


def _keys(history: Iterable[Operation]) -> list[str]:
    return sorted(
        {key for one in history if one.operation == "update" for key in one.argument or {}}
    )


def _without_key(one: Operation, key: str) -> Operation:
    def less(value: Any) -> Any:
        if not isinstance(value, dict) or key not in value:
            return value
        return {name: item for name, item in value.items() if name != key}

    match one.operation:
        case "update":
            return replace(one, argument=less(one.argument))
        case "get_cost_data":
            return replace(one, answer=less(one.answer))
    return one
