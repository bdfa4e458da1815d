"""What is found on the disks that a loss of power may have left, at many points of a recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...expect import NothingFound, Violation
from ...power import POLICIES, lay_out
from ...power.marking import mark_of
from .burst import expect_kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...power import Record, Recording
    from ...power.disk import Policy
    from ...subject import Subject
    from .burst import Deed

WHEN = "when the power fails"

POINTS_FOR_A_KILL = 10
"""Points drawn in a recording, for each kill of the effort; beside those right after an answer."""


@dataclass(frozen=True)
class Load:
    """A burst of writes, and where the journal stood before them."""

    deeds: list[Deed]
    begun: int


@dataclass(frozen=True)
class Point:
    """One moment at which the power fails, and what is kept of what was not synced."""

    end: int
    """Where the journal ends."""
    policy: Policy


async def expect_kept_without_power(
    store: Subject, recording: Recording, loads: Sequence[Load]
) -> None:
    """Let the power fail at many points, and demand what was acknowledged of each disk."""
    journal = recording.records()
    answers = _answers(journal, loads)
    disk, draw = recording.disk(), store.stand.random
    images = []
    points = _points(store, journal, loads, answers)
    for record in journal:
        disk.feed(record)
        while points and points[-1].end == record.end:
            point = points.pop()
            images.append((point, disk.image(point.policy, draw)))
    strayed = recording.strayed(disk)
    if strayed is not None:
        raise NothingFound(
            f"{strayed} is written in a way that can't be recorded: what a loss of power leaves of "
            "it is not known"
        )
    # First right after the last answer: what is missing there is said in the same words each time.
    images.sort(key=lambda one: (one[0].end not in answers.values(), -one[0].end))
    for point, image in images:
        lay_out(recording.folder, image)
        await _expect_kept(store, point, loads, answers)
    store.stand.note(f"the power failed at {len(images)} points of {len(journal)} changes to files")


def _answers(journal: Sequence[Record], loads: Sequence[Load]) -> dict[str, int]:
    """Answer where in the journal the last answer about each session of the loads stands."""
    by_mark = {
        mark_of(deed.session).decode(): deed.session for load in loads for deed in load.deeds
    }
    # The last one: those before it belong to what was there before the load.
    return {
        by_mark[record.name]: record.end
        for record in journal
        if record.kind == "M" and record.name in by_mark
    }


def _points(
    store: Subject, journal: Sequence[Record], loads: Sequence[Load], answers: dict[str, int]
) -> list[Point]:
    """Choose the points, the last one first."""
    # Not in between, where sessions are made ready on which nothing is judged yet.
    spans = [
        (load.begun, max(answers.get(deed.session, 0) for deed in load.deeds)) for load in loads
    ]
    spans.append((spans[-1][1], journal[-1].end))
    ends = [
        record.end for record in journal if any(begun < record.end <= end for begun, end in spans)
    ]
    count = POINTS_FOR_A_KILL * store.stand.effort.kills
    drawn = [Point(end, policy) for end, policy in _drawn(store, ends, count)]
    # Right after an answer, with nothing but what was synced: there most is to be lost.
    points = [*drawn, *(Point(end, "nothing") for end in answers.values())]
    return sorted(points, key=lambda point: (point.end, point.policy), reverse=True)


def _drawn(store: Subject, ends: Sequence[int], count: int) -> Iterator[tuple[int, Policy]]:
    policies = tuple(POLICIES)
    # A point may come again: what is kept is drawn anew.
    for number, end in enumerate(store.stand.random.choices(ends, k=count)):
        yield end, policies[number % len(policies)]


async def _expect_kept(
    store: Subject, point: Point, loads: Sequence[Load], answers: dict[str, int]
) -> None:
    store.stand.history.restart()
    deeds = [
        deed if answers.get(deed.session, 0) <= point.end else replace(deed, step=None)
        for load in loads
        if load.begun <= point.end
        for deed in load.deeds
    ]
    opened = await store.stand.open_or_hear_why()
    if isinstance(opened, Exception):
        raise Violation(
            f"the place can't be opened {WHEN}",
            demanded="a store",
            answered=f"{opened}, with {POLICIES[point.policy]}",
        )
    try:
        await expect_kept(opened, deeds, WHEN)
    except Violation as violation:
        store.stand.note(f"the disk had kept {POLICIES[point.policy]}")
        if WHEN in violation.headline:
            raise
        raise Violation(
            f"{violation.headline} {WHEN}",
            demanded=violation.demanded,
            answered=violation.answered,
        ) from None
    await opened.close()
