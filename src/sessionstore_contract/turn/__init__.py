"""The contract of turns: what a chat server, or its accumulator, does with the usage of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import at_once, carrying, counting, failing, histories, keeping, leaving, summing
from .clauses import TurnClause

if TYPE_CHECKING:
    from types import ModuleType

AREAS: tuple[ModuleType, ...] = (
    counting,
    keeping,
    failing,
    carrying,
    histories,
    at_once,
    leaving,
    summing,
)

CLAUSES: tuple[TurnClause, ...] = tuple(
    member for area in AREAS for member in vars(area).values() if isinstance(member, TurnClause)
)
"""Every clause, in contract order."""

VERSION = "1.0"
"""The version of the turn contract, apart from that of the store contract."""
