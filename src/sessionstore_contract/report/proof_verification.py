"""Whether the report of a proof is what it says: what was caught, by clauses of the contract."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..catalogue import STORE
from ..defects import DEFECTS
from ..proof import Outcome
from ..verdict import Verdict
from .verification import wrong_contract, wrong_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .record import DefectRecord, ProofRecord

CLAUSES = {clause.id: clause for clause in STORE.clauses}
KNOWN = {(one.name, one.sentence): one for one in DEFECTS}
"""The kit's own; an author's may have the name of one of them."""


def problems_of_proof(proof: ProofRecord) -> list[str]:
    """Say each thing in the report of a proof that is not so; nothing when it is what it says."""
    return list(_problems(proof))


def _problems(proof: ProofRecord) -> Iterator[str]:
    wrong = wrong_contract(proof.head)
    if wrong is not None:
        yield wrong
    else:
        yield from _of_claims(proof)
        for defect in proof.defects:
            yield from (f"defect {defect.name}: {one}" for one in _of_clauses(proof, defect))
    yield from _of_what_follows(proof)


def _of_claims(proof: ProofRecord) -> Iterator[str]:
    """What can't be seen follows from what is claimed."""
    wrong = wrong_profile(proof.subject)
    if wrong is not None:
        yield wrong
    claims = [one for one in Capability if one in proof.subject.capabilities]
    for defect in proof.defects:
        known = KNOWN.get((defect.name, defect.sentence))
        if known is None:
            continue
        if known.clause.id != defect.meant:
            yield f"defect {defect.name}: {known.clause.id} is meant to name it, not {defect.meant}"
        hidden = known.missing(claims)
        if (defect.outcome is Outcome.NOT_APPLICABLE) != (hidden is not None):
            so = f"it {hidden}" if hidden else "it can be seen with what is claimed"
            yield f"defect {defect.name} is {defect.outcome}, although {so}"


def _of_clauses(proof: ProofRecord, defect: DefectRecord) -> Iterator[str]:
    if defect.meant not in CLAUSES:
        yield f"clause {defect.meant} is not in the contract"
    for catch in defect.catches:
        clause = CLAUSES.get(catch.clause)
        if clause is None:
            yield f"clause {catch.clause} is not in the contract"
        elif clause.level is not catch.level:
            levels = catch.level.upper(), clause.level.upper()
            yield f"clause {catch.clause} is {levels[0]} in the report, and {levels[1]}"
        if catch.clause in proof.left_out:
            yield f"clause {catch.clause} catches it, and does not hold without it"


def _of_what_follows(proof: ProofRecord) -> Iterator[str]:
    """Recompute what is counted and concluded."""
    for clause, verdict in proof.left_out.items():
        if verdict is Verdict.HELD:
            yield f"clause {clause} is left out, and is held"
    names = Counter(one.name for one in proof.defects)
    yield from (f"defect {one} is there twice" for one, number in names.items() if number > 1)
    for defect in proof.defects:
        is_caught = bool(defect.catches)
        if is_caught != (defect.outcome is Outcome.CAUGHT) or is_caught != defect.is_caught:
            number = len(defect.catches)
            so = f"{number} clause{'s'[: number != 1]} catch{'es'[: 2 * (number == 1)]} it"
            yield f"defect {defect.name} is {defect.outcome}, and {so}"
    counted = Counter(one.outcome for one in proof.defects)
    for outcome in Outcome:
        if proof.counts[outcome] != counted[outcome]:
            yield f"it counts {proof.counts[outcome]} {outcome}, and {counted[outcome]} are"
