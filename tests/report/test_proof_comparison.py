"""What changed between two proofs."""

from __future__ import annotations

from dataclasses import replace

from sessionstore_contract.proof import Outcome
from sessionstore_contract.report.proof_comparison import compare_proofs

from .test_matrix import DEEP, FOLDS, caught, survivor
from .test_proof_verification import FIRST, record_of_proof

BOTH = (caught(DEEP, "h"), caught(FIRST, "h"))


def told(*proofs: object) -> list[str]:
    return list(compare_proofs(*proofs).lines())  # type: ignore[arg-type]


def test_nothing_changed() -> None:
    """Which is said."""
    assert told(record_of_proof(*BOTH), record_of_proof(*BOTH)) == ["nothing changed"]


def test_a_defect_that_newly_survives_is_a_regression() -> None:
    """It is told with who caught it, and why nobody does; the other way round it is none."""
    good, worse = record_of_proof(*BOTH), record_of_proof(caught(DEEP, "h"), survivor(FIRST))
    name, meant = FIRST.name, FIRST.clause.id
    assert told(good, worse) == [
        "newly survived:",
        f"! {name}: caught by {meant} -> survived: {meant} is meant to name it, and is held",
        "1 regression, marked with !",
    ]
    assert told(worse, good) == [
        "newly caught:",
        f"  {name}: survived -> caught by {meant}",
        "no regression",
    ]


def test_a_defect_that_can_no_longer_be_seen_is_lost() -> None:
    """Its claim was withdrawn; one that could not be decided is told alone."""
    good = record_of_proof(caught(DEEP, "h"))
    (one,) = good.defects
    for outcome, regressions in ((Outcome.NOT_APPLICABLE, 1), (Outcome.UNDECIDED, 0)):
        other = replace(good, defects=(replace(one, outcome=outcome, catches=(), reason="r"),))
        found = compare_proofs(good, other)
        assert [change.kind for change in found.changes] == ["other changes"]
        assert found.regressions == regressions


def test_what_was_tried_in_one_only_is_counted() -> None:
    """It is no regression, but where it survives."""
    part = replace(record_of_proof(caught(DEEP, "h")), head=record_of_proof(source="b.json").head)
    assert told(record_of_proof(*BOTH), part) == [
        "tried differently:",
        f"  1 defect only in a.json: {FIRST.name}",
        "no regression",
    ]
    whole = record_of_proof(caught(DEEP, "h"), survivor(FIRST))
    assert compare_proofs(part, whole).regressions == 1


def test_another_clause_that_catches_it_is_told() -> None:
    """The one that is meant to, or one that saw it by chance."""
    good = record_of_proof(caught(DEEP, "h"))
    (one,) = good.defects
    (catch,) = one.catches
    other = replace(good, defects=(replace(one, catches=(replace(catch, clause=FOLDS.id),)),))
    assert told(good, other) == [
        "other changes:",
        f"  {DEEP.name}: caught by {DEEP.clause.id} -> caught by {FOLDS.id}",
        "no regression",
    ]


def test_another_backend_is_told() -> None:
    """The proofs are compared all the same: one may stand for the other."""
    good = record_of_proof(*BOTH)
    other = replace(good, subject=replace(good.subject, name="other", server="SQLite 9"))
    assert told(good, other) == [
        "tried differently:",
        "  backend mine -> other",
        "  server - -> SQLite 9",
        "no regression",
    ]
