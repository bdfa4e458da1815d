"""Whether some order of a concurrent history explains its answers; if not, what shows that."""

from .judgement import LIMIT, Judgement, Ruling, UnconfirmedError, judge
from .operation import (
    Operation,
    Outcome,
    operations_on,
    outcome_of_error,
    overlapping_pairs,
)
from .replay import refute

__all__ = [
    "LIMIT",
    "Judgement",
    "Operation",
    "Outcome",
    "Ruling",
    "UnconfirmedError",
    "judge",
    "operations_on",
    "outcome_of_error",
    "overlapping_pairs",
    "refute",
]
