"""The search for an order: depth first, each situation once.

A situation is the next return that was not reached, what was called before it and has no place in
the order yet, and the state. From there any waiting write may come next; the return is passed when
its own move has its place. What can't be reached by any order is never reached here:

- eager: a waiting read that the state answers comes next, before any write
- twins: of waiting writes that do the same, the one with the earliest end comes first
- readers: with foresight, a value of one writer is not overwritten while reads of it are to come
- absorbed: with foresight, a write that is never read comes right before one that covers it

The idea of the search is that of Wing and Gong ("Testing and verifying concurrent objects",
1993); remembering situations, and going from return to return, that of Lowe ("Testing for
linearizability", 2017). That knowing the writer of each read makes it fast is from Gibbons and
Korach ("Testing shared memories", 1997). Why each reduction is exact is in decision 020.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .moves import EMPTY, MESSAGES, NEVER, Kind, Move, Puzzle, writers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .moves import Item, State


@dataclass(slots=True)
class Situation:
    """How far an order came."""

    boundary: int
    """Returns that were passed."""
    waiting: tuple[int, ...]
    """Moves that were called before the next return and have no place yet, by their call."""
    state: State
    taken: list[int]
    """Moves that were placed since the situation before."""
    before: Situation | None

    def order(self) -> list[int]:
        """All moves in their order up to here."""
        parts = []
        here: Situation | None = self
        while here is not None:
            parts.append(here.taken)
            here = here.before
        return [move for part in reversed(parts) for move in part]


@dataclass
class Result:
    """What the search found."""

    is_explained: bool | None
    """Whether there is an order; None when the limit was reached first."""
    order: list[Move]
    """An order of all moves that were made; else one that passes as many returns as any can."""
    stuck_at: Move | None
    """The move whose return no order passes."""
    situations: int
    states: set[State] = field(default_factory=set)
    """Every state that the moves can end in, where all of them were asked for."""


class Search:
    """One search over moves, in the order of their calls."""

    def __init__(self, puzzle: Puzzle, *, foresight: bool, limit: int) -> None:
        self.moves = moves = puzzle.moves
        self.foresight = foresight
        self.limit = limit
        numbered = range(len(moves))
        self.returns = sorted(
            (number for number in numbered if moves[number].ended < NEVER),
            key=lambda number: (moves[number].ended, number),
        )
        calls = [move.began for move in moves]
        self.begun = [bisect.bisect_right(calls, moves[one].ended) for one in self.returns]
        """For each return, how many moves were called before it."""
        self.nothing = (EMPTY,) * len(puzzle.keys)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Put into columns what the search asks again and again."""
        moves = self.moves
        self.is_read = [move.is_read for move in moves]
        self.places = [frozenset(place for place, _ in move.items()) for move in moves]
        twins: dict[object, int] = {}
        self.twin = [
            twins.setdefault((move.kind, move.argument, move.is_required), number)
            for number, move in enumerate(moves)
        ]
        self.readers: dict[Item, list[int]] = {}
        for number, move in enumerate(moves):
            if move.is_read:
                for item in move.items():
                    self.readers.setdefault(item, []).append(number)
        writers = writers_of(moves) if self.foresight else {}
        self.written_once = {
            item for item, them in writers.items() if len(them) == 1 and item[1] > EMPTY
        }
        # A save may have made the session anew: where one is deleted, its place matters.
        has_delete = any(move.kind is Kind.DELETE for move in moves)
        absorbed = {Kind.MERGE} if has_delete else {Kind.SAVE, Kind.MERGE}
        self.is_absorbed = [
            self.foresight
            and move.kind in absorbed
            and move.is_required
            and all(token < EMPTY for _, token in move.items())
            for move in moves
        ]
        by_urgency = sorted(range(len(moves)), key=self._urgency)
        self.urgency = {number: rank for rank, number in enumerate(by_urgency)}

    def _urgency(self, number: int) -> tuple[int, int]:
        """When the move has to be made: when it is over, or when a value of it was read."""
        move = self.moves[number]
        ends = [
            self.moves[reader].ended
            for item in move.items()
            for reader in self.readers.get(item, ())
        ]
        return min([move.ended, *ends]), move.ended

    def run(self, *, start: State = None, all_states: bool = False) -> Result:
        """Look for an order; with `all_states` for every state that one can end in."""
        first = self._settle(0, self._called_before(0, ()), start, [], None)
        situations = 1
        seen = {(first.boundary, first.waiting, first.state)}
        furthest = first
        states: set[State] = set()
        stack = [(first, self._nexts(first))]
        while stack:
            here, nexts = stack[-1]
            if here.boundary == len(self.returns):
                if not all_states:
                    return self._result(True, here, situations)
                states.add(here.state)
            following = next(nexts, None)
            if following is None:
                stack.pop()
                continue
            key = following.boundary, following.waiting, following.state
            if key in seen:
                continue
            seen.add(key)
            situations += 1
            if situations > self.limit:
                return self._result(None, furthest, situations)
            if self._is_further(following, furthest):
                furthest = following
            stack.append((following, self._nexts(following)))
        result = self._result(bool(states), furthest, situations)
        result.states = states
        return result

    def _is_further(self, one: Situation, other: Situation) -> bool:
        if one.boundary != other.boundary:
            return one.boundary > other.boundary
        return len(one.waiting) < len(other.waiting)

    def _result(self, verdict: bool | None, here: Situation, situations: int) -> Result:
        order = [self.moves[number] for number in here.order()]
        is_stuck = verdict is False and here.boundary < len(self.returns)
        stuck_at = self.moves[self.returns[here.boundary]] if is_stuck else None
        return Result(verdict, order, stuck_at, situations)

    def _called_before(self, boundary: int, waiting: tuple[int, ...]) -> list[int]:
        """What waits at a return: what waited at the one before, and what was called since."""
        if boundary >= len(self.returns):
            return list(waiting)
        known = self.begun[boundary - 1] if boundary else 0
        return [*waiting, *range(known, self.begun[boundary])]

    def _settle(
        self,
        boundary: int,
        waiting: list[int],
        state: State,
        taken: list[int],
        before: Situation | None,
    ) -> Situation:
        """Place every read that the state answers, and pass the returns that have their place."""
        waiting = self._without_answered(waiting, state, taken)
        while boundary < len(self.returns) and self.returns[boundary] not in waiting:
            boundary += 1
            if boundary < len(self.returns):
                called = range(self.begun[boundary - 1], self.begun[boundary])
                waiting += self._without_answered(called, state, taken)
        return Situation(boundary, tuple(waiting), state, taken, before)

    def _without_answered(
        self, waiting: Iterable[int], state: State, taken: list[int]
    ) -> list[int]:
        left = []
        for number in waiting:
            if self.is_read[number] and self._answers(state, self.moves[number]):
                taken.append(number)
            else:
                left.append(number)
        return left

    def _answers(self, state: State, move: Move) -> bool:
        kind, argument = move[0], move[1]
        if kind is Kind.EXISTS:
            return (state is not None) is argument
        if state is None:
            return argument is None if kind is Kind.LOAD else argument == self.nothing
        return bool(state[kind is Kind.COSTS] == argument)

    def _nexts(self, here: Situation) -> Iterator[Situation]:
        """Every situation that one more write leads to, the most urgent first."""
        if here.boundary == len(self.returns):
            return
        next_return = self.returns[here.boundary]
        if not self.moves[next_return].is_required:
            # It may be over without having had an effect.
            following = here.boundary + 1
            rest = tuple(number for number in here.waiting if number != next_return)
            waiting = self._called_before(following, rest)
            yield self._settle(following, waiting, here.state, [], here)
        wanted = self._wanted_places(here)
        writes = [number for number in here.waiting if not self.is_read[number]]
        writes.sort(key=self.urgency.__getitem__)
        twins = set()
        for number in writes:
            if self.twin[number] in twins:
                continue
            twins.add(self.twin[number])
            if self._is_possible(number, here.state, wanted):
                taken = [*self._absorbed_by(number, writes, here.state), number]
                left = [one for one in here.waiting if one not in taken]
                state = self._after(self.moves[number], here.state)
                yield self._settle(here.boundary, left, state, taken, here)

    def _wanted_places(self, here: Situation) -> set[int]:
        """Where the state holds what can't be written again, and is read by what has no place."""
        if here.state is None or not self.written_once:
            return set()
        begun = self.begun[here.boundary]
        waiting = set(here.waiting)
        messages, costs = here.state
        wanted = set()
        for item in ((MESSAGES, messages), *enumerate(costs)):
            if item in self.written_once:
                readers = self.readers.get(item, [-1])
                if readers[-1] >= begun or not waiting.isdisjoint(readers):
                    wanted.add(item[0])
        return wanted

    def _is_possible(self, number: int, state: State, wanted: set[int]) -> bool:
        kind = self.moves[number][0]
        if state is None:
            return kind is Kind.SAVE or kind is Kind.CREATE
        if kind is Kind.DELETE:
            return not wanted
        return kind is not Kind.CREATE and wanted.isdisjoint(self.places[number])

    def _absorbed_by(self, number: int, writes: Sequence[int], state: State) -> list[int]:
        if state is None or not self.places[number]:
            return []
        return [
            other
            for other in writes
            if self.is_absorbed[other]
            and other != number
            and self.places[other] <= self.places[number]
        ]

    def _after(self, move: Move, state: State) -> State:
        messages, costs = state or (EMPTY, self.nothing)
        match move.kind:
            case Kind.DELETE:
                return None
            case Kind.SAVE:
                return move.argument[0][1], costs
            case Kind.MERGE:
                merged = list(costs)
                for place, token in move.argument:
                    merged[place] = token
                return messages, tuple(merged)
        return EMPTY, self.nothing
