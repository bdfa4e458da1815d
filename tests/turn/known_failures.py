"""A failure of each clause on turns, from what the mutants were told.

    python -m tests.turn.known_failures

tries on each mutant the clause that is meant for it, and writes one failure of each: the shortest
with the headline of the first mutant, which is the plainest.
"""

from __future__ import annotations

import json

from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.known_defects import TURN_FILE
from sessionstore_contract.report.explanation import failure
from sessionstore_contract.turn import CLAUSES
from sessionstore_contract.turn_trial import try_turn_clause
from sessionstore_contract.verdict import Verdict

from .defect import MUTANTS, defect_of, system_of
from .test_mutants import PROPERTY

SHOWN = 8
"""Steps of a witness that an example shows."""


def failures_of(clause_id: str) -> list[list[str]]:
    """Answer what each mutant that the clause is meant for is told."""
    (clause,) = (one for one in CLAUSES if one.id == clause_id)
    effort = EFFORTS["normal" if clause_id == PROPERTY else "quick"]
    found = []
    for kind in MUTANTS:
        if defect_of(kind).caught_by == clause_id:
            finding = try_turn_clause(clause, system_of(kind), seed=1, effort=effort)
            if finding.verdict is Verdict.VIOLATED:
                found.append(failure(finding, longest=SHOWN, width=78))
    return found


def plainest(failures: list[list[str]]) -> list[str]:
    """Answer the shortest of those with the headline of the first."""
    alike = [lines for lines in failures if lines[0] == failures[0][0]]
    return min(alike, key=lambda lines: (len(lines), lines))


def main() -> None:
    """Write the file."""
    chosen = {clause.id: plainest(failures_of(clause.id)) for clause in CLAUSES}
    text = json.dumps({"defects": {}, "failures": chosen}, indent=1, ensure_ascii=True)
    TURN_FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
