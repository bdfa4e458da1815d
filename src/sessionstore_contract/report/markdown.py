"""Reports as Markdown that is short enough for the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..clause import Level
from ..values import printable
from ..verdict import Conclusion, Verdict
from .record import ClauseRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .assembly import Assembly, Row

MOST_CLAUSES = 50
"""Violated clauses that are listed; how many more there are is said."""
LONGEST = 160
"""Characters of a diagnosis."""

SPECIAL = re.compile(r"[\\`*_\[\]<>#|~&$:@]|(?<=www)\.", re.IGNORECASE)
"""What means something to Markdown in the middle of a line."""

ORDER = (
    Verdict.HELD,
    Verdict.VIOLATED,
    Verdict.ADMITTED,
    Verdict.INCONCLUSIVE,
    Verdict.FAULTED,
    Verdict.NOT_APPLICABLE,
)
"""Of the columns, from what is known to what does not matter."""

TOLD: dict[str, Callable[[ClauseRecord], bool]] = {
    "Violated": lambda one: one.verdict is Verdict.VIOLATED,
    "Admitted": lambda one: one.verdict is Verdict.ADMITTED,
    "Held, and still in the baseline": lambda one: one.is_stale,
}
"""Of which clauses each is listed, by the title of the list."""


def markdown(assembly: Assembly) -> str:
    """Word reports as a table of backends, and each violated clause once."""
    lines = [f"## Session stores, {' and '.join(map(escaped, assembly.titles()))}", ""]
    if not assembly.backends:
        return "\n".join([*lines, "No backend was tried.", ""])
    lines += _table(assembly)
    for title, is_told in TOLD.items():
        listed = list(_listed(assembly, is_told))
        if listed:
            lines += ["", f"### {title}", "", *listed[:MOST_CLAUSES]]
        if len(listed) > MOST_CLAUSES:
            lines.append(f"- and {len(listed) - MOST_CLAUSES} more")
    return "\n".join([*lines, ""])


def escaped(text: str, *, limit: int = LONGEST) -> str:
    """Word a text so that Markdown shows it as it is: no markup, no link, no mention, no HTML."""
    # A reference to a character is text to every kind of Markdown, also inside a table.
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", printable(text, limit=limit))


def _table(assembly: Assembly) -> Iterator[str]:
    counted = [
        verdict
        for verdict in ORDER
        if verdict in {Verdict.HELD, Verdict.VIOLATED}
        or any(backend.counts[verdict] for backend in assembly.backends)
    ]
    heads = ["backend", "verdict", *(one.replace("-", " ") for one in counted), "server", "python"]
    yield f"| {' | '.join(heads)} |"
    yield f"|---|---|{'---:|' * len(counted)}---|---|"
    for name, backend in zip(assembly.names, assembly.backends, strict=True):
        verdict = str(backend.conclusion)
        cells = [
            escaped(name),
            f"**{verdict}**" if backend.conclusion is Conclusion.NONCONFORMANT else verdict,
            *(str(backend.counts[one]) for one in counted),
            escaped(backend.subject.server or "-"),
            escaped(backend.head.python),
        ]
        yield f"| {' | '.join(cells)} |"


def _listed(assembly: Assembly, is_told: Callable[[ClauseRecord], bool]) -> Iterator[str]:
    """A line for each clause of which that is so, with what was said of it first."""
    for row in assembly.rows:
        found = [
            (name, record)
            for name, backend in zip(assembly.names, assembly.backends, strict=True)
            if (record := backend.by_id.get(row.id)) is not None and is_told(record)
        ]
        if found:
            yield f"- {_headed(row)}: {_told(found[0][1])} ({_among(assembly, found)})"


def _headed(row: Row) -> str:
    level = "" if row.level is Level.MUST else f" {row.level.upper()}"
    return f"**{escaped(row.id)}**{level}"


def _told(record: ClauseRecord) -> str:
    if record.is_stale:
        return escaped(record.reason or "")
    said = record.headline or "does not hold"
    if record.verdict is Verdict.ADMITTED and record.reason:
        return f"{escaped(said)}: {escaped(record.reason)}"
    return escaped(said)


def _among(assembly: Assembly, found: list[tuple[str, ClauseRecord]]) -> str:
    """Name those of which it is so; of many the first."""
    if len(found) == len(assembly.backends) > 1:
        return f"all {len(found)} backends"
    named = ", ".join(escaped(name) for name, _ in found[:4])
    return named if len(found) <= 4 else f"{named} and {len(found) - 4} more"
