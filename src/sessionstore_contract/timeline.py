"""A judged history as a picture: who called what, at which time, and how far an order goes."""

from __future__ import annotations

import string
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .linearizability import Judgement, Operation, Outcome, Ruling
from .values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WIDTH = 80
NARROWEST = 4
"""Columns from one begin or end to the next: room for the number of an operation."""

BREAKS = "no order gets past this"
UNKNOWN = "? no answer until then: it may have taken effect, or not"


@dataclass(frozen=True)
class Bar:
    """An operation in the picture."""

    operation: Operation
    number: int
    """Its number in the picture, by the calls."""
    lane: str
    """One of the calls that an instance was given at the same time."""
    first: int
    last: int | None
    """Begin and end, counted in begins and ends of the picture; None when it has none."""
    place: int | None
    """Its place in the order."""
    is_break: bool
    """Whether no order gets past it."""

    @property
    def is_unknown(self) -> bool:
        return self.operation.outcome is Outcome.UNKNOWN

    def words(self) -> str:
        """Word the call and what came of it."""
        return f"{self.operation.call()}  ->  {self.operation.answered()}"


@dataclass(frozen=True)
class Picture:
    """The operations of a judgement by lanes."""

    judgement: Judgement
    bars: tuple[Bar, ...]
    lanes: tuple[str, ...]
    edges: int
    """How many begins and ends there are."""

    @property
    def order_title(self) -> str:
        is_whole = self.judgement.ruling is Ruling.EXPLAINED
        return "an order that explains them" if is_whole else "the longest order that works"


def picture(judgement: Judgement) -> Picture:
    """Lay out the counterexample of a judgement, or the operations of the order that it found."""
    shown = sorted(judgement.counterexample or judgement.order, key=lambda one: one.began)
    moments = sorted(
        moment for one in shown for moment in (one.began, one.ended) if moment is not None
    )
    rank = {moment: number for number, moment in enumerate(moments)}
    places = {one.id: place for place, one in enumerate(judgement.order, 1)}
    names = _lanes(shown)
    break_id = judgement.breaks_at.id if judgement.breaks_at else None
    bars = tuple(
        Bar(
            operation=one,
            number=number,
            lane=names[one.id],
            first=rank[one.began],
            last=None if one.ended is None else rank[one.ended],
            place=places.get(one.id),
            is_break=one.id == break_id,
        )
        for number, one in enumerate(shown, 1)
    )
    return Picture(
        judgement, bars, tuple(sorted({bar.lane for bar in bars}, key=_lane_order)), len(rank)
    )


def _lanes(operations: Sequence[Operation]) -> dict[int, str]:
    """Name a lane for each: an instance has as many as it was given calls at the same time."""
    is_alone = len({one.instance for one in operations}) <= 1
    free_from: dict[int, list[int | None]] = {}
    names = {}
    for one in operations:
        ends = free_from.setdefault(one.instance, [])
        free = [lane for lane, end in enumerate(ends) if end is not None and end < one.began]
        lane = free[0] if free else len(ends)
        ends[lane:] = [one.ended, *ends[lane + 1 :]]
        letters = string.ascii_lowercase
        name = letters[lane % 26] + (str(lane // 26) if lane >= 26 else "")
        names[one.id] = name if is_alone else f"{one.instance}{name}"
    return names


def _lane_order(name: str) -> tuple[int, int, str]:
    digits = name.rstrip(string.digits).rstrip(string.ascii_lowercase)
    return int(digits or 0), len(name), name


def draw(judgement: Judgement, *, width: int = WIDTH) -> str:
    """Draw a judgement for a terminal: the time from left to right, a line for each lane.

    Needs no colour, and no line is wider than `width`, whatever the store answered.
    """
    drawn = picture(judgement)
    lines = [*_wrapped("", judgement.headline(), width)]
    if drawn.bars:
        lines += ["", *_bands(drawn, width), *_listed(drawn, width)]
    return "\n".join(map(printable, lines))


def _bands(drawn: Picture, width: int) -> Iterator[str]:
    """The lanes, in as many bands below each other as the width demands."""
    margin = max(map(len, drawn.lanes)) + 2
    room = max(2, (width - margin - 1) // NARROWEST)
    bands = -(-drawn.edges // room)
    stride = (width - margin - 1) // min(drawn.edges, room)
    stride = min(max(stride, NARROWEST), 3 * NARROWEST)
    for band in range(bands):
        start, stop = band * room, min((band + 1) * room, drawn.edges)
        for lane in drawn.lanes:
            bars = [bar for bar in drawn.bars if bar.lane == lane]
            line = _lane(bars, start, stop, stride, is_last=band == bands - 1)
            if line.strip():
                yield f"{lane:<{margin}}{line.rstrip()}"
        yield ""


def _lane(bars: Iterable[Bar], start: int, stop: int, stride: int, *, is_last: bool) -> str:
    columns = (stop - start) * stride
    line = [" "] * columns
    for bar in bars:
        last = bar.last if bar.last is not None else stop
        if bar.first >= stop or last < start:
            continue
        left = max(0, (bar.first - start) * stride)
        right = min(columns - 1, (last - start) * stride)
        line[left : right + 1] = ("=" if bar.is_break else "-") * (right + 1 - left)
        if bar.first >= start:
            line[left] = "|"
        if bar.last is not None and bar.last < stop:
            line[right] = "|"
        elif bar.last is None and is_last:
            line[right] = ">"
        label = str(bar.number)
        middle = left + (right + 1 - left - len(label) + 1) // 2
        line[middle : middle + len(label)] = label
    return "".join(line)


def _listed(drawn: Picture, width: int) -> Iterator[str]:
    yield from _wrapped("", f"by their calls, with the place of each in {drawn.order_title}", width)
    lanes = max(map(len, drawn.lanes))
    for bar in drawn.bars:
        place = "" if bar.place is None else f"{bar.place}."
        mark = ">" if bar.is_break else " "
        label = f"{mark}{bar.number:3}  {bar.lane:<{lanes}}  {place:>3}  "
        yield from _wrapped(label, bar.words(), width)
    yield ""
    if drawn.judgement.ruling is Ruling.UNEXPLAINED:
        yield from _wrapped("> ", f"{BREAKS}, however the others are placed (drawn with =)", width)
    if any(bar.is_unknown for bar in drawn.bars):
        yield from _wrapped("", UNKNOWN, width)


def _wrapped(label: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
    )
