"""The table of backends that a terminal shows: server, profile, counts and verdict of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ..values import printable
from ..verdict import Conclusion, Verdict, count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .document import BackendReport, Report

COLOURS = {
    Conclusion.CONFORMANT: "green",
    Conclusion.ADMITTING: "green",
    Conclusion.NONCONFORMANT: "red",
    Conclusion.INCOMPLETE: "yellow",
}

COUNTED = {
    Verdict.HELD: ("held", "held"),
    Verdict.VIOLATED: ("viol.", "violated"),
    Verdict.ADMITTED: ("adm.", "admitted"),
    Verdict.INCONCLUSIVE: ("inc.", "inconclusive"),
    Verdict.FAULTED: ("fault", "faulted"),
    Verdict.NOT_APPLICABLE: ("n/a", "not applicable"),
}
"""Verdicts that have a column, and its heading: where there is little room, and where there is."""

WIDE = 78
"""Columns of a terminal from which on the server has room beside the verdict."""
WIDEST = 140
"""Columns from which on headings are whole words."""
SERVER = 10
"""Columns that are left to the server, where names are not to be broken for it."""


def backend_table(report: Report, width: int) -> Table:
    """Make the table of a report for a terminal of this width; no word of it is lost."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    backends = report.backends
    names = [printable(one.name) for one in backends]
    profiles = [printable(one.profile) for one in backends]
    verdicts = [_broken(one.conclusion, width) for one in backends]
    counts = [count(one.findings) for one in backends]
    # Nothing faults in most runs, and the room is needed.
    shown = [
        one for one in COUNTED if one is not Verdict.FAULTED or any(each[one] for each in counts)
    ]
    heads = [COUNTED[verdict][width >= WIDEST] for verdict in shown]
    # A server breaks where its words do, and a name in the middle of one.
    taken = sum(map(_widest, (["backend", *names], ["profile", *profiles], verdicts)))
    is_whole = taken + sum(len(one) + 1 for one in heads) + SERVER + 3 <= width >= WIDE
    table.add_column("backend", overflow="fold", no_wrap=is_whole)
    if width >= WIDE:
        table.add_column("server", overflow="fold")
    table.add_column("profile", no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    at_least = len(Conclusion.NONCONFORMANT)
    table.add_column("verdict", overflow="fold", min_width=at_least, no_wrap=is_whole)
    for backend, name, counted, verdict in zip(backends, names, counts, verdicts, strict=True):
        server = [_served(backend, width)] if width >= WIDE else []
        table.add_row(
            # as Text: in a str, `[red]` is markup
            *(Text(one) for one in (name, *server, printable(backend.profile))),
            *(str(counted[one]) for one in shown),
            Text(verdict, style=COLOURS[backend.conclusion]),
        )
    return table


def _widest(texts: Iterable[str]) -> int:
    return max(len(line) for text in texts for line in text.split("\n"))


def _served(backend: BackendReport, width: int) -> str:
    """Name the server and the drivers, one below the other where there is little room."""
    named = [printable(one) for one in (backend.server, *backend.drivers) if one]
    return (", " if width >= WIDEST else "\n").join(named) or "-"


def _broken(conclusion: Conclusion, width: int) -> str:
    """Let the longest conclusion break where a reader would."""
    if conclusion is not Conclusion.ADMITTING or width >= WIDEST:
        return conclusion
    return conclusion.replace("conformant-", "conformant-\n", 1)
