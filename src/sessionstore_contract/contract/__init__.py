"""The clauses of a session store, one module for an area, in reading order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..clause import Clause
from . import (
    cancellation,
    closing,
    concurrency,
    cost,
    durability,
    ephemeral,
    failure,
    faults,
    growth,
    identifiers,
    interface,
    isolation,
    lifecycle,
    messages,
    migration,
    opening,
    retention,
    security,
    sequence,
    sharing,
    values,
)

if TYPE_CHECKING:
    from types import ModuleType

AREAS: tuple[ModuleType, ...] = (
    interface,
    ephemeral,
    lifecycle,
    messages,
    cost,
    values,
    identifiers,
    isolation,
    retention,
    sequence,
    opening,
    sharing,
    concurrency,
    cancellation,
    failure,
    durability,
    migration,
    faults,
    closing,
    security,
    growth,
)

CLAUSES: tuple[Clause, ...] = tuple(
    member for area in AREAS for member in vars(area).values() if isinstance(member, Clause)
)
"""Every clause, in contract order."""

PLACE = {clause.id: number for number, clause in enumerate(CLAUSES)}
"""Where each clause stands in contract order, by its id."""
