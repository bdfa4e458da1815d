"""What changed between the reports of two proofs: which defects are no longer caught."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..proof import Outcome
from .comparison import Comparison, of_heads, of_subjects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .record import DefectRecord, ProofRecord

MOST_NAMED = 3
"""Defects that are named before the rest is counted."""


def compare_proofs(before: ProofRecord, after: ProofRecord) -> Comparison:
    """Compare the reports of two proofs; a defect that newly survives is a regression."""
    found = Comparison()
    for words in _tried_differently(before, after):
        found.note("tried differently", words)
    earlier = {one.name: one for one in before.defects}
    for defect in after.defects:
        if (was := earlier.get(defect.name)) is not None:
            _compare(was, defect, found)
        elif defect.outcome is Outcome.SURVIVED:
            words = f"{defect.name}: not tried -> {_told(defect)}{_because(defect)}"
            found.note("newly survived", words, is_regression=True)
    return found


def _tried_differently(before: ProofRecord, after: ProofRecord) -> Iterator[str]:
    yield from of_heads(before.head, after.head)
    said, now = before.subject, after.subject
    if said.name != now.name:
        yield f"backend {said.name} -> {now.name}"
    yield from of_subjects(said, now)
    for one, other in ((before, after), (after, before)):
        names = {defect.name for defect in other.defects}
        only = [defect.name for defect in one.defects if defect.name not in names]
        if only:
            more = f" and {len(only) - MOST_NAMED} more" if len(only) > MOST_NAMED else ""
            number = f"{len(only)} defect{'s'[: len(only) != 1]}"
            yield f"{number} only in {one.head.source}: {', '.join(only[:MOST_NAMED])}{more}"


def _compare(before: DefectRecord, after: DefectRecord, found: Comparison) -> None:
    words = f"{after.name}: {_told(before)} -> {_told(after)}{_because(after)}"
    if before.outcome is after.outcome:
        first = [one.catches[0].clause if one.catches else None for one in (before, after)]
        if first[0] != first[1]:
            found.note("other changes", words)
        return
    kinds = {Outcome.SURVIVED: "newly survived", Outcome.CAUGHT: "newly caught"}
    is_hidden = before.outcome is Outcome.CAUGHT and after.outcome is Outcome.NOT_APPLICABLE
    found.note(
        kinds.get(after.outcome, "other changes"),
        words,
        is_regression=after.outcome is Outcome.SURVIVED or is_hidden,
    )


def _told(defect: DefectRecord) -> str:
    by = f" by {defect.catches[0].clause}" if defect.catches else ""
    return f"{defect.outcome}{by}"


def _because(defect: DefectRecord) -> str:
    return f": {defect.reason}" if defect.reason else ""
