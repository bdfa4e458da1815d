"""Findings and reports that the tests of the reports word."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sessionstore_contract.capabilities import PROFILES
from sessionstore_contract.clause import Clause, must, should
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.report.document import BackendReport, Report, document
from sessionstore_contract.report.reading import read, recorded
from sessionstore_contract.report.record import RunRecord
from sessionstore_contract.verdict import Finding, Verdict

if TYPE_CHECKING:
    from pathlib import Path


async def procedure(store: object) -> None:
    """Demand nothing."""


MERGE: Clause = must(
    "cost.merges",
    "`update` replaces, whole, each top-level key it is given and leaves every other key as it "
    "was.",
    because="The server sends only the keys that changed in a turn. Replacing all of it loses "
    "the earlier totals.",
    remedy="Merge one level deep inside one transaction. PostgreSQL: `cost_data || $1`.",
)(procedure)

HINT: Clause = should("cost.hints", "It hints.", because="It helps.", remedy="Hint.")(procedure)

VIOLATED = Finding(
    MERGE,
    Verdict.VIOLATED,
    headline="update merges nested objects",
    witness=(
        "create()  ->  'sess_1'",
        "update('sess_1', cost_data={'turns': 1, 'usage': {'in': 3, 'out': 5}})  ->  True",
        "get_cost_data('sess_1')  ->  {'turns': 1, 'usage': {'in': 9, 'out': 5}}",
    ),
    demanded="{'turns': 1, 'usage': {'in': 9}}",
    answered="{'turns': 1, 'usage': {'in': 9, 'out': 5}}",
    duration=0.00423,
)

INCONCLUSIVE = Finding(
    MERGE,
    Verdict.INCONCLUSIVE,
    reason="create() raised OSError: full: see lifecycle.creates",
    owner="lifecycle.creates",
    witness=("create()  ->  raised OSError: full",),
)


def whole_contract(first: Finding | None = None) -> list[Finding]:
    """A finding on every clause of the contract, with another first one perhaps."""
    held = [Finding(clause, Verdict.HELD) for clause in CLAUSES]
    return held if first is None else [first, *held[1:]]


def backend(*findings: Finding, **rest: Any) -> BackendReport:
    """A backend report over these findings."""
    plain: dict[str, Any] = {
        "name": "mine",
        "target": "pkg:Mine",
        "storage": "file",
        "profile": "durable",
        "capabilities": PROFILES["durable"],
        "findings": list(findings),
    }
    return BackendReport(**{**plain, **rest})


def report(*backends: BackendReport) -> Report:
    """A report of a run that is known in all its numbers."""
    return Report(
        seed=7,
        effort="normal",
        options=("--with", "shared", "--seed", "7"),
        backends=list(backends),
        started_at=datetime(2000, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        duration=1.23456,
    )


def applied(*others: Finding, profile: str = "durable") -> list[Finding]:
    """A finding on every clause as a backend of the profile has it, some of them given."""
    given = {one.clause: one for one in others}
    missing = {clause: clause.missing(PROFILES[profile], EFFORTS["normal"]) for clause in CLAUSES}
    return [
        given.get(clause)
        or Finding(clause, Verdict.NOT_APPLICABLE if why else Verdict.HELD, reason=why)
        for clause, why in missing.items()
    ]


def clause(clause_id: str) -> Clause:
    """A clause of the contract."""
    return next(one for one in CLAUSES if one.id == clause_id)


def violated(clause_id: str, headline: str = "it does otherwise", **rest: Any) -> Finding:
    """A violation of a clause of the contract."""
    return Finding(clause(clause_id), Verdict.VIOLATED, headline=headline, **rest)


def said_of(*backends: BackendReport) -> dict[str, Any]:
    """A report as plain data, each time another copy."""
    said: dict[str, Any] = json.loads(json.dumps(document(report(*backends))))
    return said


def read_run(path: Path) -> RunRecord:
    """The report of a run that was written."""
    record = read(path)
    assert isinstance(record, RunRecord)
    return record


def record_of(*backends: BackendReport, source: str = "the report") -> RunRecord:
    """A report that was written and read again."""
    record = recorded(said_of(*backends), source)
    assert isinstance(record, RunRecord)
    return record
