"""Reports that are not what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import catalogue
from sessionstore_contract.capabilities import PROFILES, Capability
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.report.reading import recorded
from sessionstore_contract.report.record import RunRecord
from sessionstore_contract.report.verification import problems
from sessionstore_contract.runs import not_tried
from sessionstore_contract.verdict import Finding, Verdict

from .findings import applied, backend, clause, said_of, violated

if TYPE_CHECKING:
    from collections.abc import Callable

SHOULD = next(one for one in applied() if one.clause.level == "should")
ADMITTED = Finding(
    clause("cost.merge-is-shallow"), Verdict.ADMITTED, headline="it is deep", reason="#12"
)


def problems_of(said: dict[str, Any]) -> list[str]:
    run = recorded(said)
    assert isinstance(run, RunRecord)
    return problems(run)


@pytest.mark.parametrize(
    "findings",
    [
        applied(),
        applied(violated("cost.merge-is-shallow")),
        applied(ADMITTED),
        applied(Finding(CLAUSES[0], Verdict.FAULTED, reason="no server")),
    ],
    ids=["conformant", "violated", "admitted", "faulted"],
)
def test_what_the_kit_writes_is_what_it_says(findings: list[Finding]) -> None:
    """Whatever the verdict."""
    assert problems_of(said_of(backend(*findings))) == []


def test_a_strict_verdict_is_recomputed_as_a_strict_one() -> None:
    """The report says which SHOULD clauses decided."""
    broken = violated(SHOULD.clause.id)
    said = said_of(backend(*applied(broken), is_strict=True))
    assert said["backends"][0]["verdict"] == "nonconformant"
    assert problems_of(said) == []
    del said["backends"][0]["strict"]
    assert problems_of(said) == [
        "mine: its verdict is nonconformant, and conformant follows from its clauses"
    ]


def test_what_is_thorough_alone_is_not_asked_of_other_efforts() -> None:
    """A report of a normal run has no verdict on it; one of a thorough run must."""
    claims = frozenset({*PROFILES["durable"], Capability.MULTI_PROCESS, Capability.POWER_LOSS})
    findings = [not_tried(one, claims, "", EFFORTS["normal"]) for one in CLAUSES]
    held = [
        one if one.verdict is Verdict.NOT_APPLICABLE else Finding(one.clause, Verdict.HELD)
        for one in findings
    ]
    said = said_of(backend(*held, capabilities=claims))
    assert problems_of(said) == []
    said["effort"] = "thorough"
    assert [problem.partition(" is not-app")[0] for problem in problems_of(said)] == [
        "mine: clause durability.acknowledged-survives-power-loss",
        "mine: clause growth.gone-sessions-take-no-memory",
    ]


def clauses(said: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = said["backends"][0]["clauses"]
    return found


def removed(said: dict[str, Any]) -> None:
    said["backends"][0]["counts"]["held"] -= 1
    del clauses(said)[0]


def added(said: dict[str, Any]) -> None:
    said["backends"][0]["counts"]["held"] += 1
    clauses(said).append({**clauses(said)[0], "id": "cost.is-free"})


def renamed(said: dict[str, Any]) -> None:
    clauses(said)[0]["id"] = "interface.has-something"


def weakened(said: dict[str, Any]) -> None:
    clauses(said)[0]["level"] = "should"


def moved(said: dict[str, Any]) -> None:
    clauses(said).insert(0, clauses(said).pop(5))


def held_after_all(said: dict[str, Any]) -> None:
    named(said, "cost.merge-is-shallow")["verdict"] = "held"


def named(said: dict[str, Any], clause_id: str) -> dict[str, Any]:
    return next(one for one in clauses(said) if one["id"] == clause_id)


def hidden(said: dict[str, Any]) -> None:
    held_after_all(said)
    named(said, "cost.merge-is-shallow")["verdict"] = "not-applicable"


def praised(said: dict[str, Any]) -> None:
    said["backends"][0]["verdict"] = "conformant"


def admitted(said: dict[str, Any]) -> None:
    named(said, "cost.merge-is-shallow")["verdict"] = "admitted"
    said["backends"][0]["counts"] |= {"violated": 0, "admitted": 1}
    said["backends"][0]["verdict"] = "conformant-with-admissions"


def claiming_more(said: dict[str, Any]) -> None:
    said["backends"][0]["profile"] = "full"


def claiming_the_unknown(said: dict[str, Any]) -> None:
    said["backends"][0]["capabilities"].append("wings")


def emptied(said: dict[str, Any]) -> None:
    said["backends"] = []


def of_another_digest(said: dict[str, Any]) -> None:
    said["contract"]["digest"] = "sha256:0"


def of_another_contract(said: dict[str, Any]) -> None:
    said["contract"]["name"] = "shop"


SPOILED: dict[Callable[[dict[str, Any]], None], list[str]] = {
    removed: ["mine: clause interface.has-every-operation is missing"],
    added: ["mine: clause cost.is-free is not in the contract"],
    renamed: [
        "mine: clause interface.has-every-operation is missing",
        "mine: clause interface.has-something is not in the contract",
    ],
    weakened: ["mine: clause interface.has-every-operation is SHOULD in the report, and MUST"],
    moved: [
        (
            f"mine: the clauses are not in contract order: {CLAUSES[5].id} stands where "
            f"{CLAUSES[0].id} belongs"
        )
    ],
    held_after_all: [
        "mine: it counts 113 held, and 114 are",
        "mine: it counts 1 violated, and 0 are",
        "mine: its verdict is nonconformant, and conformant follows from its clauses",
    ],
    hidden: [
        "mine: clause cost.merge-is-shallow is not-applicable, although what it needs is claimed",
        "mine: it counts 1 violated, and 0 are",
        "mine: it counts 17 not-applicable, and 18 are",
        "mine: its verdict is nonconformant, and conformant follows from its clauses",
    ],
    praised: ["mine: its verdict is conformant, and nonconformant follows from its clauses"],
    admitted: ["mine: clause cost.merge-is-shallow is admitted without a reason"],
    claiming_more: ["mine: its profile is full, and what it claims amounts to durable"],
    claiming_the_unknown: ["mine: it claims wings, which kit 0.1.0 does not know"],
    emptied: ["no backend is in it"],
    of_another_digest: [
        (
            f"its contract is version 1.0, sha256:0, and that of kit 0.1.0 is version 1.0, "
            f"{catalogue.digest()}: a report of kit 0.1.0 is verified by that kit"
        )
    ],
    of_another_contract: ["its contract shop is none that kit 0.1.0 has"],
}


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda one: one.__name__)
def test_a_report_that_was_changed_is_refused(spoil: Callable[[dict[str, Any]], None]) -> None:
    """Each thing that is not so is told in a line."""
    said = said_of(backend(*applied(violated("cost.merge-is-shallow"))))
    assert problems_of(said) == []
    spoil(said)
    shape = [without_numbers(one) for one in SPOILED[spoil]]
    assert [without_numbers(one) for one in problems_of(said)] == shape


def without_numbers(line: str) -> str:
    """How many clauses there are grows with the contract."""
    is_counting = ": it counts " in line
    return " ".join("N" if is_counting and word.isdigit() else word for word in line.split())


def test_what_follows_is_recomputed_whatever_the_contract() -> None:
    """Counts and verdicts need no clause."""
    said = said_of(backend(*applied(violated("cost.merge-is-shallow"))))
    of_another_digest(said)
    praised(said)
    assert problems_of(said)[1:] == SPOILED[praised]
