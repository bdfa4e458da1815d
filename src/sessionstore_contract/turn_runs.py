"""A run on turns: every clause tried on one chat server or accumulator, and the report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .catalogue import TURN
from .effort import NORMAL, Effort
from .report.document import BackendReport, Report
from .runs import begun
from .seed import new_seed
from .turn_trial import try_turn_clause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .clause import Clause
    from .turn.system import System

STORAGE = "kit"
"""The stores below a system are the kit's, and fail as they are told to."""


class TurnRun:
    """Tries clauses on a system; whatever happens, `report` says what is known by then."""

    def __init__(
        self,
        system: System,
        target: str,
        *,
        clauses: Iterable[Clause] = TURN.clauses,
        seed: int | None = None,
        effort: Effort = NORMAL,
        is_strict: bool = False,
    ) -> None:
        self._system = system
        self._effort = effort
        self._chosen = set(clauses)
        seed = new_seed() if seed is None else seed
        beside = () if effort is NORMAL else ("--effort", effort.name)
        again = (*beside, "--seed", str(seed))
        self.report = Report(seed, effort.name, again, contract=TURN)
        self._backend = BackendReport(
            system.name,
            target,
            STORAGE,
            TURN.name,
            system.abilities,
            begun(TURN.clauses, self._chosen, system.abilities),
            is_strict=is_strict,
        )
        self.report.backends.append(self._backend)

    def run(
        self, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
    ) -> Report:
        """Try the clauses and answer the report; `before` is called before each, and may raise."""
        began = time.monotonic()
        seed = self.report.seed
        try:
            for number, clause in enumerate(TURN.clauses):
                if clause in self._chosen:
                    before()
                    finding = try_turn_clause(clause, self._system, seed=seed, effort=self._effort)
                    self._backend.findings[number] = finding
                    after()
        finally:
            self.report.duration = time.monotonic() - began
        return self.report
