"""The summary that a terminal shows: a table of backends, and under it each defect once."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..clause import Level
from ..folding import fold, lines, numbers
from ..values import printable
from ..verdict import Conclusion, Verdict, count
from .explanation import explain, headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..folding import Defect
    from ..verdict import Finding
    from .document import BackendReport, Report

COLOURS = {
    Conclusion.CONFORMANT: "green",
    Conclusion.ADMITTING: "green",
    Conclusion.NONCONFORMANT: "red",
    Conclusion.INCOMPLETE: "yellow",
}

COUNTED = {
    Verdict.HELD: "held",
    Verdict.VIOLATED: "viol.",
    Verdict.INCONCLUSIVE: "inc.",
    Verdict.FAULTED: "fault",
    Verdict.NOT_APPLICABLE: "n/a",
}
"""Verdicts that have a column, and its heading."""

WIDE = 78
"""Columns of a terminal from which on the server has room beside the verdict."""


def show(report: Report, console: Console) -> None:
    """Print the defects in full, the table, and each defect in a line with its consequences."""
    folded = [(backend, fold(backend.findings)) for backend in report.backends]
    for backend, defects in folded:
        for defect in defects:
            console.print(Text(explain(defect.root, backend.name)), soft_wrap=True)
            console.rule(style="dim")
    console.print(_table(report, is_wide=console.width >= WIDE))
    console.print()
    for backend, defects in folded:
        _show_defects(backend, defects, (report.contract.command, *report.options), console)
        _show_the_rest(backend, console)
    console.print(
        f"seed {report.seed}, effort {report.effort}, {report.duration:.1f} s", highlight=False
    )


def _table(report: Report, *, is_wide: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("backend", overflow="fold")
    if is_wide:
        table.add_column("server", overflow="fold")
    table.add_column("profile", no_wrap=True)
    for name in COUNTED.values():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=len(Conclusion.NONCONFORMANT))
    for backend in report.backends:
        counts = count(backend.findings)
        server = [backend.server or "-"] if is_wide else []
        table.add_row(
            # as Text: in a str, `[red]` is markup
            *(Text(printable(one)) for one in (backend.name, *server, backend.profile)),
            *(str(counts[verdict]) for verdict in COUNTED),
            Text(backend.conclusion, style=COLOURS[backend.conclusion]),
        )
    return table


def _show_defects(
    backend: BackendReport, defects: list[Defect], words: Sequence[str], console: Console
) -> None:
    if any(one.consequences for one in defects):
        _print_line(console, f"{backend.name}: {numbers(defects)}; --clause ID shows each alone")
    for defect in defects:
        console.print(_defect(backend, defect, words), soft_wrap=True)


def _show_the_rest(backend: BackendReport, console: Console) -> None:
    """Print what was not decided, and remarks beside a verdict."""
    undecided = [
        finding
        for finding in backend.findings
        if finding.verdict in {Verdict.INCONCLUSIVE, Verdict.FAULTED}
    ]
    for reason, clauses in _by_reason(undecided).items():
        more = f" and {len(clauses) - 1} more" if len(clauses) > 1 else ""
        _print_line(console, f"{backend.name}: {clauses[0]}{more}: {reason}")
    for finding in backend.findings:
        if finding.verdict is Verdict.HELD and finding.reason:
            _print_line(console, f"{backend.name}: {finding.clause.id}: {finding.reason}")


def _print_line(console: Console, line: str) -> None:
    console.print(Text(printable(line)), soft_wrap=True)


def _defect(backend: BackendReport, defect: Defect, words: Sequence[str]) -> Text:
    clause = defect.root.clause
    level = "" if clause.level is Level.MUST else f" ({clause.level.upper()})"
    text = Text()
    text.append(f"{printable(backend.name)}: {clause.id}{level}: ")
    text.append(headline(defect.root), style="bold")
    if defect.undecided:
        text.append(f" ({len(defect.undecided)} more clauses could not be decided because of it)")
    for line in lines(defect):
        text.append(f"\n{line}")
    command, *options = words
    again = shlex.join((command, backend.target, "--clause", clause.id, *options))
    text.append(f"\n    sessionstore-contract {printable(again)}", style="dim")
    return text


def _by_reason(findings: list[Finding]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for finding in findings:
        # A reason that names a step differs from clause to clause; what it leads to does not.
        reason = headline(finding)
        key = f"see {finding.owner}" if finding.owner else reason
        grouped.setdefault(key, []).append(finding.clause.id)
    return grouped
