"""Trying a clause on turns on a system: a chat server, or an accumulator alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .backend import Backend
from .effort import NORMAL, Effort
from .harness import Conditions, Fuse, try_clause
from .storage.elsewhere import NoStorage
from .turn import CLAUSES
from .turn.clauses import TurnClause
from .turn.workshop import Workshop
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .clause import Clause
    from .turn.system import System

OWNER = "turn.usage-is-accumulated"
"""The clause that demands of a turn that it works at all."""


class TurnFuse(Fuse):
    """Spares a run the waiting for turns that hang."""

    def owner(self, operation: str) -> str:
        """Name the clause under which the failure of a step is to be seen."""
        return self._judged_by.get(operation, OWNER)


def try_turn_clause(
    clause: Clause, system: System, *, seed: int, effort: Effort = NORMAL
) -> Finding:
    """Try one clause on one system. Answers a finding whatever the system does."""
    inapplicable = clause.missing(system.abilities)
    if inapplicable:
        return Finding(clause, Verdict.NOT_APPLICABLE, reason=inapplicable)
    # To the harness it is a backend without a place, which claims nothing: what is opened on none
    # is the workshop.
    backend = Backend(
        system.name,
        open=lambda: Workshop.opened(system),
        storage="none",
        profile="ephemeral",
        timeout=system.bound,
    )
    conditions = Conditions(seed, effort, fuse=TurnFuse())
    asking_nothing = replace(clause, asks=frozenset()) if isinstance(clause, TurnClause) else clause
    finding = try_clause(asking_nothing, backend, NoStorage(), conditions)
    # The program would be one of calls on a store.
    return replace(finding, clause=clause, program=())


def try_turns(
    system: System,
    *,
    seed: int,
    effort: Effort = NORMAL,
    clauses: Iterable[Clause] = CLAUSES,
) -> list[Finding]:
    """Try clauses on one system, all of them by default."""
    return [try_turn_clause(clause, system, seed=seed, effort=effort) for clause in clauses]
