"""What an operation costs against the length of the history, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plot import Line, svg
from .workload import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .bench import TargetResult


def picture(results: Sequence[TargetResult]) -> str:
    """Draw what one call of each operation takes, with the fewest callers that were measured."""
    fewest = min(
        (one.cell.callers for result in results for one in result.results if one.figures), default=1
    )
    lines = [
        Line(f"{result.entrant.store.name} {operation}", points, number, dash)
        for dash, result in enumerate(results)
        for number, operation in enumerate(OPERATIONS)
        if (points := _points(result, operation, fewest))
    ]
    callers = "one caller" if fewest == 1 else f"{fewest} callers"
    return svg(
        "What a call costs against the length of the history",
        f"messages in the session ({callers})",
        "milliseconds",
        lines,
    )


def _points(result: TargetResult, operation: str, callers: int) -> list[tuple[float, float]]:
    return sorted(
        (float(one.cell.messages), one.figures.own.median * 1000)
        for one in result.results
        if one.figures and one.cell.operation == operation and one.cell.callers == callers
    )
