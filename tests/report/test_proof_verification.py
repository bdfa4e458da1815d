"""Reports of proofs that are not what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.capabilities import PROFILES
from sessionstore_contract.defects import DEFECTS, select
from sessionstore_contract.proof import Proof, reports_on
from sessionstore_contract.report.matrix import document
from sessionstore_contract.report.proof_verification import problems_of_proof
from sessionstore_contract.report.reading import recorded
from sessionstore_contract.report.record import ProofRecord
from sessionstore_contract.verdict import Finding, Verdict

from .findings import violated
from .test_matrix import DEEP, caught, proof, survivor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstore_contract.proof import DefectReport

(FIRST,) = select(["first-write-wins"])
CLAIMS = PROFILES["durable"]


def worded(made: Proof) -> dict[str, Any]:
    made.profile, made.capabilities, made.storage = "durable", CLAIMS, "file"
    said: dict[str, Any] = json.loads(json.dumps(document(made)))
    return said


def said_of_proof(*reports: DefectReport) -> dict[str, Any]:
    """A proof as plain data, each time another copy."""
    return worded(proof(*(reports or (caught(DEEP, "update merges nested objects"),))))


def record_of_proof(*reports: DefectReport, source: str = "a.json") -> ProofRecord:
    record = recorded(said_of_proof(*reports), source)
    assert isinstance(record, ProofRecord)
    return record


def problems_of(said: dict[str, Any]) -> list[str]:
    record = recorded(said)
    assert isinstance(record, ProofRecord)
    return problems_of_proof(record)


def test_what_the_kit_writes_is_what_it_says() -> None:
    """Also of defects that survive, that can't be seen, and that were not tried."""
    made = proof(caught(DEEP, "h"), survivor(FIRST))
    assert problems_of(worded(made)) == []
    untried = Proof("x:y", 7, "quick", name="mine", defects=reports_on(DEFECTS, CLAIMS))
    untried.control = [violated("cost.null-is-a-value")]
    said = worded(untried)
    outcomes = {one["outcome"] for one in said["proof"]["defects"]}
    assert outcomes == {"undecided", "not-applicable"}
    assert problems_of(said) == []


def defect_of(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = said["proof"]["defects"][0]
    return found


def spoil(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: defect_of(said).update(changes)


def twice(said: dict[str, Any]) -> None:
    said["proof"]["counts"]["caught"] = 2
    said["proof"]["defects"].append(defect_of(said))


def left_out(verdict: str) -> Callable[[dict[str, Any]], None]:
    entry = {"clause": DEEP.clause.id, "verdict": verdict, "reason": None}
    return lambda said: said["proof"]["left_out"].append(entry)


OF_DEEP = f"defect {DEEP.name}"
CATCH = {"clause": DEEP.clause.id, "level": "must", "headline": "h"}


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            spoil(outcome="survived", reason="r"),
            [
                "defect merge-goes-deep is survived, and 1 clause catches it",
                "it counts 1 caught, and 0 are",
                "it counts 0 survived, and 1 are",
            ],
        ),
        (spoil(by=[]), ["defect merge-goes-deep is caught, and 0 clauses catch it"]),
        (spoil(caught=False), ["defect merge-goes-deep is caught, and 1 clause catches it"]),
        (
            spoil(by=[{**CATCH, "clause": "cost.is-free"}]),
            ["defect merge-goes-deep: clause cost.is-free is not in the contract"],
        ),
        (
            spoil(by=[{**CATCH, "level": "may"}]),
            ["defect merge-goes-deep: clause cost.merge-is-shallow is MAY in the report, and MUST"],
        ),
        (
            spoil(meant="cost.null-is-a-value"),
            [f"{OF_DEEP}: {DEEP.clause.id} is meant to name it, not cost.null-is-a-value"],
        ),
        (
            spoil(meant="cost.is-free", sentence="One of their own."),
            ["defect merge-goes-deep: clause cost.is-free is not in the contract"],
        ),
        (twice, ["defect merge-goes-deep is there twice"]),
        (
            left_out("violated"),
            [f"{OF_DEEP}: clause {DEEP.clause.id} catches it, and does not hold without it"],
        ),
        (
            lambda said: said["proof"]["backend"].update(profile="full"),
            ["its profile is full, and what it claims amounts to durable"],
        ),
    ],
)
def test_what_is_not_so_is_said(change: Callable[[dict[str, Any]], None], lines: list[str]) -> None:
    """A line for each thing."""
    said = said_of_proof()
    change(said)
    assert problems_of(said) == lines


def test_a_clause_that_held_is_not_left_out() -> None:
    """It can catch what there is."""
    said = said_of_proof(survivor(FIRST))
    left_out("held")(said)
    assert problems_of(said) == ["clause cost.merge-is-shallow is left out, and is held"]


def test_what_can_not_be_seen_follows_from_what_is_claimed() -> None:
    """A defect that survives can't be hidden so."""
    said = said_of_proof(survivor(FIRST))
    defect_of(said)["outcome"] = "not-applicable"
    said["proof"]["counts"] = {"caught": 0, "survived": 0, "undecided": 0, "not-applicable": 1}
    so = "although it can be seen with what is claimed"
    assert problems_of(said) == [f"defect {FIRST.name} is not-applicable, {so}"]


def test_a_proof_of_another_contract_is_verified_by_its_kit() -> None:
    """What follows is recomputed all the same."""
    said = said_of_proof()
    said["contract"]["digest"] = "sha256:0"
    defect_of(said)["by"] = []
    first, second = problems_of(said)
    assert "is verified by that kit" in first
    assert second == "defect merge-goes-deep is caught, and 0 clauses catch it"


def test_a_finding_that_faulted_is_no_catch() -> None:
    """A proof that ended early is undecided, and is what it says."""
    report = survivor(FIRST)
    report.findings = {FIRST.clause: Finding(FIRST.clause, Verdict.FAULTED, reason="r")}
    assert problems_of(said_of_proof(report)) == []
