"""What pytest's summary says of the defects behind the contract tests that failed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from .. import catalogue
from ..folding import fold, lines, numbers
from ..report.explanation import headline
from ..values import printable
from ..verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..folding import Defect

LONGEST_DIAGNOSIS = 300
"""Characters of a diagnosis; the failure itself has more of it."""
CLAUSES = catalogue.select((), contract=None)
BY_ID = {clause.id: clause for clause in CLAUSES}


def lines_of(reports: Iterable[Any]) -> Iterator[str]:
    """Word the defects of each function of contract tests that ran, in the order of the contract.

    Reads what `pytest_plugin` has left in the reports of the tests.
    """
    for test, group in _by_test(reports).items():
        backend = group[0]["backend"]
        findings = [_finding(found) for found in group]
        defects = fold(sorted(findings, key=lambda one: CLAUSES.index(one.clause)))
        if defects:
            yield printable(f"{test} ({backend}): {numbers(defects)}")
            yield from _worded(defects)


def _worded(defects: Sequence[Defect]) -> Iterator[str]:
    for defect in defects:
        diagnosis = printable(headline(defect.root), limit=LONGEST_DIAGNOSIS)
        yield f"  {defect.root.clause.id}: {diagnosis}"
        yield from lines(defect)
        if defect.undecided:
            more = f"{len(defect.undecided)} more clause{'s'[: len(defect.undecided) != 1]}"
            yield f"    {more} could not be decided because of it"


def _by_test(reports: Iterable[Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for report in reports:
        groups[report.nodeid.partition("[")[0]].append(report.sessionstore_found)
    return groups


def _finding(found: dict[str, Any]) -> Finding:
    said = {name: value for name, value in found.items() if name != "backend"}
    return Finding.unpacked(said, BY_ID[said["clause"]])
