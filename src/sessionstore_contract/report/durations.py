"""Where the time of a run went, clause by clause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .document import Report


def slowest(report: Report, number: int) -> Iterator[str]:
    """Word the clauses that took longest, of all backends, longest first; with 0 all of them."""
    tried = sorted(
        (
            (finding.duration, backend.name, finding.clause.id)
            for backend in report.backends
            for finding in backend.findings
            if finding.duration
        ),
        key=lambda one: -one[0],
    )
    shown = tried[: number or None]
    if not shown:
        return
    # Of clauses that were tried at once, more than the run took.
    seconds = [sum(one[0] for one in several) for several in (shown, tried)]
    yield (
        f"slowest {len(shown)} of {len(tried)} clauses that were tried, "
        f"{seconds[0]:.2f} of {seconds[1]:.2f} s:"
    )
    for duration, name, clause in shown:
        yield f"{duration:9.2f} s  {printable(name)}: {clause}"
