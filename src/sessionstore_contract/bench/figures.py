"""From times that were taken in pairs to ratios with their spread."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Spread:
    """The median of what was measured, and the quartiles around it."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Answer the spread of one value or more."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper)

    def times(self, factor: float) -> Spread:
        """Answer the same in another unit."""
        return Spread(self.median * factor, self.lower * factor, self.upper * factor)

    def rounded(self, digits: int) -> dict[str, float]:
        """Answer it as members of a JSON object."""
        return {
            "median": round(self.median, digits),
            "lower": round(self.lower, digits),
            "upper": round(self.upper, digits),
        }


def throughput_ratios(times: Sequence[float], rival_times: Sequence[float]) -> list[float]:
    """Answer, for each pair, how many times the rival's throughput it was; 1 is the same.

    Only what was measured side by side is compared: a machine that was slow for a while was so
    for both of a pair.
    """
    return [rival / own for own, rival in zip(times, rival_times, strict=True)]
