"""One finding in words: the diagnosis first, then what shows it and how to fix it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ..program import MOST_CHARACTERS
from ..values import printable
from ..verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WIDTH = 80
LONGEST_WITNESS = 24
"""Lines of a history that are shown; of a longer one, the first and the last."""


def headline(finding: Finding) -> str:
    """Word a finding in one line."""
    match finding.verdict:
        case Verdict.ADMITTED:
            what = f" ({finding.headline})" if finding.headline else ""
            text = f"admitted: {finding.reason}{what}"
        case Verdict.VIOLATED:
            text = finding.headline or "the clause does not hold"
        case Verdict.HELD:
            text = finding.reason or "held"
        case _:
            text = f"{finding.verdict}: {finding.reason}"
    return printable(text)


def explain(finding: Finding, backend: str) -> str:
    """Word a finding in full, as a failure shows it."""
    # Each line by itself: what a store says may hold what a terminal acts on.
    # A line of a program is never cut.
    lines = (printable(line, limit=MOST_CHARACTERS + WIDTH) for line in _lines(finding, backend))
    return "\n".join(lines)


def _lines(finding: Finding, backend: str) -> Iterator[str]:
    clause = finding.clause
    yield headline(finding)
    yield ""
    relation = {
        Verdict.VIOLATED: f"does not hold for {backend}",
        Verdict.HELD: f"holds for {backend}",
    }.get(finding.verdict, f"was not decided for {backend}")
    yield from _paragraph(f"{clause.level.upper()} {clause.id} {relation}:", indent="")
    yield from _paragraph(clause.sentence)
    if finding.verdict is Verdict.VIOLATED and finding.reason:
        yield ""
        yield from _paragraph(printable(finding.reason))
    yield from _evidence(finding)
    if finding.picture is not None:
        yield from ("", "as a page", f"  {finding.picture}")
    if finding.program:
        yield ""
        yield "to play it again"
        yield from (f"  {line}" for line in finding.program)
    if finding.verdict is Verdict.VIOLATED:
        yield ""
        yield "because"
        yield from _paragraph(clause.because)
        yield ""
        yield "to fix it"
        yield from _paragraph(clause.remedy)


def failure(finding: Finding, *, longest: int, width: int) -> list[str]:
    """Word what a violation was found by: the diagnosis, and what shows it."""
    lines = [
        *textwrap.wrap(headline(finding), width),
        *_evidence(finding, longest=longest, width=width),
    ]
    return [printable(line) for line in lines]


def _evidence(
    finding: Finding, *, longest: int = LONGEST_WITNESS, width: int = WIDTH
) -> Iterator[str]:
    if finding.picture is not None:
        yield from ("", *finding.witness)
    elif finding.witness:
        yield ""
        yield "asked of the platform" if finding.clause.area == "wire" else "on a fresh store"
        yield from _numbered(finding.witness, longest, width)
    if finding.demanded is not None:
        yield ""
        yield from _hanging("  demanded  ", finding.demanded, width)
        yield from _hanging("  answered  ", finding.answered or "", width)


def _paragraph(text: str, *, indent: str = "  ") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _hanging(label: str, text: str, width: int) -> Iterable[str]:
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
    )
    return lines or [label.rstrip()]


def _numbered(witness: tuple[str, ...], longest: int, width: int) -> Iterator[str]:
    lines = [(f"{number:3}  ", line) for number, line in enumerate(witness, 1)]
    if len(lines) > longest:
        half = longest // 2
        lines[half:-half] = [("     ", f"... {len(lines) - 2 * half} more steps ...")]
    for label, line in lines:
        yield from _hanging(label, line, width)
