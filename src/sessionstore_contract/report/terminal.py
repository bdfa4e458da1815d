"""The summary that a terminal shows: a table of backends, and under it each defect once."""

from __future__ import annotations

import platform
import shlex
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from ..clause import Level
from ..folding import admitted_causes, fold, lines, numbers
from ..values import printable
from ..verdict import Verdict
from .backend_table import backend_table
from .durations import slowest
from .explanation import explain, headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..folding import Defect
    from ..verdict import Finding
    from .document import BackendReport, Report

LONGEST_DIAGNOSIS = 300
"""Characters of a diagnosis in the list of defects; the explanation has more of it."""


NARROWEST = 60
"""Columns that the table needs with short names; a terminal with fewer breaks its lines itself."""

UNKNOWN = 80
"""Columns where the environment says that there are none, as some that know no terminal do."""


def wide_enough(stream: TextIO) -> Console:
    """Answer a console on a stream, on which no verdict is cut for want of columns."""
    width = Console(file=stream).width
    return Console(file=stream, width=max(width, NARROWEST) if width > 0 else UNKNOWN)


def show(
    report: Report, console: Console, *, is_quiet: bool = False, durations: int | None = None
) -> None:
    """Print the defects in full unless quiet, the table, and each defect with its consequences.

    With `durations`, so many of the clauses that took longest; with 0 all.
    """
    folded = [(backend, fold(backend.findings)) for backend in report.backends]
    for backend, defects in folded:
        for defect in defects if not is_quiet else []:
            console.print(Text(explain(defect.root, backend.name)), soft_wrap=True)
            console.rule(characters="-" if console.options.ascii_only else "─", style="dim")
    console.print(backend_table(report, console.width))
    console.print()
    for backend, defects in folded:
        _show_defects(backend, defects, (report.contract.command, *report.options), console)
        _show_admitted(backend, console)
        _show_the_rest(backend, console, is_quiet=is_quiet)
        for remark in report.baseline.remarks(backend.name, backend.findings):
            _print_line(console, f"{backend.name}: {remark}")
    for remark in report.baseline.elsewhere(backend.name for backend in report.backends):
        _print_line(console, remark)
    for line in slowest(report, durations) if durations is not None else ():
        _print_line(console, line)
    console.print(
        f"Python {platform.python_version()}, seed {report.seed}, effort {report.effort}, "
        f"{report.duration:.1f} s",
        highlight=False,
    )


def _show_defects(
    backend: BackendReport, defects: list[Defect], words: Sequence[str], console: Console
) -> None:
    if any(one.consequences for one in defects):
        _print_line(console, f"{backend.name}: {numbers(defects)}; --clause ID shows each alone")
    causes = admitted_causes(backend.findings)
    for defect in defects:
        console.print(_defect(backend, defect, words), soft_wrap=True)
        if cause := causes.get(defect.root.clause.id):
            _print_line(console, f"    probably the same defect as {cause}, which is admitted")


def _show_admitted(backend: BackendReport, console: Console) -> None:
    for finding in backend.findings:
        if finding.verdict is Verdict.ADMITTED:
            diagnosis = f": {finding.headline}" if finding.headline else ""
            _print_line(console, f"{backend.name}: admitted: {finding.clause.id}{_cut(diagnosis)}")
            _print_line(console, f"    {finding.reason}")


def _cut(text: str) -> str:
    return printable(text, limit=LONGEST_DIAGNOSIS)


def _show_the_rest(backend: BackendReport, console: Console, *, is_quiet: bool) -> None:
    """Print what was not decided, and remarks beside a verdict; quietly those that decide."""
    undecided = [
        finding
        for finding in backend.findings
        if finding.verdict in {Verdict.INCONCLUSIVE, Verdict.FAULTED}
    ]
    held = {one.clause.id for one in backend.findings if one.verdict is Verdict.HELD}
    for reason, clauses in _by_reason(undecided, held).items():
        more = f" and {len(clauses) - 1} more" if len(clauses) > 1 else ""
        _print_line(console, f"{backend.name}: {clauses[0]}{more}: {reason}")
    for finding in backend.findings:
        is_shown = finding.is_stale or not is_quiet
        if finding.verdict is Verdict.HELD and finding.reason and is_shown:
            _print_line(console, f"{backend.name}: {finding.clause.id}: {finding.reason}")


def _print_line(console: Console, line: str) -> None:
    console.print(Text(printable(line)), soft_wrap=True)


def _defect(backend: BackendReport, defect: Defect, words: Sequence[str]) -> Text:
    clause = defect.root.clause
    level = "" if clause.level is Level.MUST else f" ({clause.level.upper()})"
    text = Text()
    text.append(f"{printable(backend.name)}: {clause.id}{level}: ")
    text.append(_cut(headline(defect.root)), style="bold")
    if defect.undecided:
        count_of = f"{len(defect.undecided)} more clause{'s'[: len(defect.undecided) != 1]}"
        text.append(f"\n    {count_of} could not be decided because of it")
    if defect.root.reason:
        text.append(f"\n    {printable(defect.root.reason)}")
    for line in lines(defect):
        text.append(f"\n{line}")
    command, *options = words
    again = shlex.join((command, backend.target, "--clause", clause.id, *options))
    text.append(f"\n    sessionstore-contract {printable(again)}", style="dim")
    return text


def _by_reason(findings: list[Finding], held: set[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for finding in findings:
        # A reason that names a step differs from clause to clause; what it leads to does not,
        # and says all of it, unless nothing was found there.
        reason = headline(finding)
        is_told_there = finding.owner and finding.owner not in held
        key = f"see {finding.owner}" if is_told_there else reason
        grouped.setdefault(key, []).append(finding.clause.id)
    return grouped
