"""The judgement on a history of one session: an order that explains it, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .counterexample import shrink
from .moves import puzzle_of
from .replay import refute
from .search import Search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .operation import Operation

MOST_SHRINKING = 200_000
"""Situations that a counterexample may take to be made small, beyond those that found it: some ten
seconds' where nothing else runs. One that is not smaller by then is shown as it is."""

LIMIT = 2_000_000
"""Situations that are looked at before a history counts as undecided."""


class Ruling(StrEnum):
    """What the judge found out."""

    EXPLAINED = "explained"
    """Some order of the operations, one that respects real time, explains every answer."""
    UNEXPLAINED = "unexplained"
    """No order does."""
    UNDECIDED = "undecided"
    """The limit was reached first. Says nothing for the store, and nothing against it."""


@dataclass(frozen=True)
class Judgement:
    """What was found out about a history, and what shows it."""

    ruling: Ruling
    order: tuple[Operation, ...]
    """The order that explains the history; of a counterexample, the longest that works."""
    situations: int
    """How many situations the search looked at."""
    counterexample: tuple[Operation, ...] = ()
    """A small part of the history that no order explains either."""
    breaks_at: Operation | None = None
    """The operation of the counterexample that no order gets past."""

    def headline(self) -> str:
        """Say in a line what was found."""
        match self.ruling:
            case Ruling.EXPLAINED:
                return f"an order of {len(self.order)} operations explains every answer"
            case Ruling.UNDECIDED:
                return f"no order was found among {self.situations:,} situations, nor that none is"
        size = len(self.counterexample)
        what = f"no order of {size} operations explains" if size > 1 else "nothing explains"
        if self.breaks_at is None:
            return f"{what} their answers"
        call, answer = self.breaks_at.call(limit=40), self.breaks_at.answered(limit=60)
        return f"{what} that {call} answers {answer}"


class UnconfirmedError(Exception):
    """The judge found an order that the model does not confirm: a defect of the judge."""


def judge(operations: Sequence[Operation], *, limit: int = LIMIT) -> Judgement:
    """Decide whether some order of the operations, one that respects real time, explains them.

    The operations are those of one session from its beginning on, as `operations_on` answers
    them: the session is missing before the first. The decision is exact: an order that is found
    was confirmed by the model, and where there is none, all were excluded. What takes more than
    `limit` situations is undecided. Equal histories have equal judgements.

    The messages and the cost data of a session are one object, so a pair of reads that no single
    order explains is found, however each of them looks by itself. The answers of `save` and the
    count of `delete_before` are not looked at.

    Raises:
        UnconfirmedError: the judge contradicts itself.
    """
    puzzle = puzzle_of(operations, foresight=True)
    if puzzle.strangers():
        return _unexplained(operations, 0, limit)
    result = Search(puzzle, foresight=True, limit=limit).run()
    if result.is_explained is None:
        return Judgement(Ruling.UNDECIDED, (), result.situations)
    if result.is_explained is False:
        return _unexplained(operations, result.situations, limit)
    order = tuple(move.operation for move in result.order)
    if reason := refute(operations, order):
        raise UnconfirmedError(reason)
    return Judgement(Ruling.EXPLAINED, order, result.situations)


def _unexplained(operations: Sequence[Operation], situations: int, limit: int) -> Judgement:
    counterexample = tuple(shrink(operations, limit=min(limit, situations + MOST_SHRINKING)))
    # Without foresight: it would stop an order early, for the sake of reads that come later.
    plain = puzzle_of(counterexample, foresight=False)
    result = Search(plain, foresight=False, limit=limit).run()
    return Judgement(
        Ruling.UNEXPLAINED,
        tuple(move.operation for move in result.order),
        situations,
        counterexample,
        result.stuck_at.operation if result.stuck_at else None,
    )
