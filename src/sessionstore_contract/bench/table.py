"""What was measured, as a table on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .bench import TargetResult
    from .figures import Spread
    from .long_history import LongHistory


def table(result: TargetResult) -> Table:
    """Answer the table of one target."""
    entrant = result.entrant
    server = f", {result.server}" if result.server else ""
    made = Table(title=f"{entrant.store.name}{server} next to {entrant.rival.name}")
    made.add_column("operation", no_wrap=True)
    for heading in ("messages", "callers", "a second", "rival", "ratio", "quartiles"):
        made.add_column(heading, justify="right", no_wrap=True)
    for one in result.results:
        cell = one.cell
        named = (cell.operation, f"{cell.messages:,}", str(cell.callers))
        if one.figures is None:
            made.add_row(*named, "-", "-", "-", one.reason)
            continue
        own, rival, ratio = one.figures.own, one.figures.rival, one.figures.ratio
        made.add_row(
            *named,
            f"{1 / own.median:,.0f}",
            f"{1 / rival.median:,.0f}",
            f"{ratio.median:.2f}",
            f"{ratio.lower:.2f}-{ratio.upper:.2f}",
        )
    return made


def about_long_histories(found: LongHistory | None) -> Iterator[str]:
    """Yield a line for each thing that was measured with a long history."""
    if found is None:
        yield "no long history could be measured"
        return
    yield f"with a history of {found.megabytes:.1f} MiB:"
    for name, spread in found.slowdown.items():
        yield f"  {name} takes {_worded(spread)} times as long as without messages"
    for name, spread in found.stalls.items():
        busy = found.busy[name]
        yield (
            f"  {name} holds up the event loop for {_worded(spread)} ms at a time, of which its "
            f"thread works {_worded(busy)}"
        )
    for name, peak in found.peaks.items():
        yield f"  {name} takes {peak:.1f} times the history's size in memory"
    grown = "?" if found.growth_bytes is None else f"{found.growth_bytes / 1024:,.0f} KiB"
    yield f"  the process grows by {grown} over {found.growth_operations:,} small operations"


def _worded(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.lower:.2f} to {spread.upper:.2f})"
