"""Values that one instance has accepted, as other instances read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...expect import Demand, violated
from ...values import are_equal, word
from .keeping import Way, first_difference, performed, ways

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...interface import Json
    from ...subject import Subject


@dataclass(frozen=True)
class Lot:
    """Values of one kind, that are written together."""

    name: str
    value: Json
    is_key: bool = False
    alike: Callable[[Any, Any], bool] = are_equal


@dataclass(frozen=True)
class Accepted:
    """A lot in a session, and what the writer reads of it."""

    lot: Lot
    session: str
    way: Way
    answer: Json


async def accepted(store: Subject, lot: Lot) -> list[Accepted]:
    """Write a lot into a session of its own; what the writer refuses, or can't read, is left out.

    Of that other clauses speak.
    """
    session = store.unused_id("value")
    found = []
    for way in ways(store, is_key=lot.is_key):
        write = await performed(way.write(store, session, lot.value))
        if write.outcome == "raised" or write.answer_as_given is False:
            continue  # False: the messages were refused, and there is no session
        read = await performed(way.read(store, session))
        if read.outcome == "answered":
            found.append(Accepted(lot, session, way, read.answer_as_given))
    return found


async def expect_the_same(reader: Subject, written: Accepted, name: str) -> None:
    """Demand that a reader of this name finds what the writer finds, or what was written."""
    read = await performed(written.way.read(reader, written.session))
    alike, answer = written.lot.alike, read.answer_as_given
    demanded = (written.answer, written.way.wrap(written.lot.value))
    if read.outcome == "answered" and any(alike(answer, one) for one in demanded):
        return
    if read.outcome == "raised":
        headline = f"{read.operation} of {written.lot.name} by {name} {read.answered()}"
    else:
        headline = f"to {name} {first_difference(answer, written.answer, alike)}"
    violated(
        headline,
        demanded=word(written.answer),
        answered=read.answered(),
        demand=Demand(one_of=demanded),
    )
