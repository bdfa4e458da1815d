"""A proof in words: which defect is caught by which clause, on a terminal and as JSON."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ..defects import DEFECTS
from ..proof import Outcome
from ..values import printable
from .document import envelope

if TYPE_CHECKING:
    from rich.console import Console

    from ..proof import DefectReport, Proof
    from ..verdict import Finding

COLOURS = {Outcome.CAUGHT: "green", Outcome.SURVIVED: "red", Outcome.UNDECIDED: "yellow"}
INDENT = 10


def document(proof: Proof) -> dict[str, Any]:
    """Word a proof as plain data; what surrounds it is that of a run's report."""
    return {
        **envelope(proof),
        "proof": {
            "backend": {
                "name": proof.name,
                "target": proof.target,
                "storage": proof.storage,
                "server": proof.server,
                "profile": proof.profile,
                "capabilities": sorted(proof.capabilities),
            },
            "counts": {str(one): len(proof.having(one)) for one in Outcome},
            "notes": proof.notes,
            "left_out": [
                {
                    "clause": one.clause.id,
                    "verdict": str(one.verdict),
                    "reason": one.headline or one.reason,
                }
                for one in proof.left_out
            ],
            "defects": [_defect(one) for one in proof.defects],
        },
    }


def _defect(report: DefectReport) -> dict[str, Any]:
    return {
        "name": report.defect.name,
        "sentence": report.defect.sentence,
        "meant": report.defect.clause.id,
        "outcome": str(report.outcome),
        "caught": report.outcome is Outcome.CAUGHT,
        "by": [
            {"clause": one.clause.id, "level": str(one.clause.level), "headline": one.headline}
            for one in report.catches
        ],
        "tried": len(report.findings),
        "reason": report.reason,
    }


def show(proof: Proof, console: Console) -> None:
    """Print what was not caught, then the matrix, then what it comes to."""
    for outcome in (Outcome.SURVIVED, Outcome.UNDECIDED):
        for report in proof.having(outcome):
            _show_uncaught(proof, report, console)
    for report in proof.having(Outcome.CAUGHT):
        _show_caught(report, console)
    console.print()
    for line in _summary(proof):
        _print_line(console, line)


def _show_uncaught(proof: Proof, report: DefectReport, console: Console) -> None:
    console.print(_head(report), soft_wrap=True)
    for line in (report.defect.sentence, report.reason or ""):
        _print_line(console, f"{' ' * INDENT}{line}")
    defect = report.defect
    name = defect.name if defect in DEFECTS else defect.address
    words = (proof.target, *proof.options, "--defect", name, "--seed", str(proof.seed))
    again = f"{' ' * INDENT}sessionstore-contract prove {shlex.join(words)}"
    text = Text(printable(again), style="dim")
    console.print(text, soft_wrap=True)


def _show_caught(report: DefectReport, console: Console) -> None:
    first, *others = report.catches
    more = f"  +{len(others)}" if others else ""
    head, told = _head(report), _told(first)
    if len(head) + 2 + len(told) + len(more) <= console.width:
        head.append(f"  {told}{more}")
        console.print(head, soft_wrap=True)
        return
    head.append(more, style="dim")
    console.print(head, soft_wrap=True)
    room = max(console.width - INDENT, 20)
    shown = told if len(told) <= room else f"{told[: room - 3]}..."
    _print_line(console, f"{' ' * INDENT}{shown}")


def _head(report: DefectReport) -> Text:
    text = Text()
    text.append(f"{report.outcome:{INDENT}}", style=COLOURS[report.outcome])
    text.append(report.defect.name, style="bold")
    return text


def _told(finding: Finding) -> str:
    return printable(f"{finding.clause.id}: {finding.headline}")


def _summary(proof: Proof) -> list[str]:
    counts = {one: len(proof.having(one)) for one in Outcome}
    tried = len(proof.defects) - counts[Outcome.NOT_APPLICABLE]
    lines = [f"{proof.name}: {counts[Outcome.CAUGHT]} of {tried} defects are caught"]
    for outcome in (Outcome.SURVIVED, Outcome.UNDECIDED):
        if counts[outcome]:
            lines[0] += f", {counts[outcome]} {outcome}"
    if counts[Outcome.NOT_APPLICABLE]:
        lines[0] += f"; {counts[Outcome.NOT_APPLICABLE]} can't be seen with what is claimed"
    lines += proof.notes
    if proof.left_out:
        ids = ", ".join(one.clause.id for one in proof.left_out)
        lines.append(f"without a defect these are not seen to hold, and so catch nothing: {ids}")
    return [*lines, f"seed {proof.seed}, effort {proof.effort}, {proof.duration:.1f} s"]


def _print_line(console: Console, line: str) -> None:
    console.print(Text(printable(line)), soft_wrap=True)
