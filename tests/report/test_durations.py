"""Where the time of a run went."""

from __future__ import annotations

from dataclasses import replace

from sessionstore_contract.report.durations import slowest
from sessionstore_contract.verdict import Finding, Verdict

from .findings import HINT, VIOLATED, backend, report
from .test_terminal import worded

QUICK = Finding(HINT, Verdict.HELD, duration=0.25)
SLOW = replace(VIOLATED, duration=1.5)
UNTRIED = Finding(HINT, Verdict.NOT_APPLICABLE)


def test_the_slowest_clauses_are_first_whatever_the_backend() -> None:
    """What they took is told next to what all of them took; what was not tried took nothing."""
    told = report(backend(QUICK, SLOW), backend(replace(SLOW, duration=9.0), UNTRIED, name="b"))

    assert list(slowest(told, 2)) == [
        "slowest 2 of 3 clauses that were tried, 10.50 of 10.75 s:",
        "     9.00 s  b: cost.merges",
        "     1.50 s  mine: cost.merges",
    ]
    assert list(slowest(told, 0))[1:] == [
        "     9.00 s  b: cost.merges",
        "     1.50 s  mine: cost.merges",
        "     0.25 s  mine: cost.hints",
    ]


def test_where_nothing_was_tried_nothing_is_said() -> None:
    """A run that was stopped before its first clause."""
    assert list(slowest(report(backend(UNTRIED)), 3)) == []


def test_a_run_tells_them_only_where_they_are_asked_for() -> None:
    """Quietly too, and before the last line."""
    told = report(backend(QUICK, SLOW))

    assert " of 2 clauses that were tried" not in worded(told)
    assert worded(told, is_quiet=True, durations=1).splitlines()[-3:-1] == [
        "slowest 1 of 2 clauses that were tried, 1.50 of 1.75 s:",
        "     1.50 s  mine: cost.merges",
    ]
