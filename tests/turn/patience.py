"""How long the systems of these tests wait for a store: long, but where a store hangs.

A store that works must not seem to hang because the machine is busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionstore_contract.turn import CLAUSES
from sessionstore_contract.turn_trial import try_turn_clause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionstore_contract.clause import Clause
    from sessionstore_contract.effort import Effort
    from sessionstore_contract.turn.system import System
    from sessionstore_contract.verdict import Finding

HANGING = {
    "turn.store-fault-never-breaks-the-answer",
    "turn.late-answer-costs-no-turn",
    "turn.unread-history-is-not-written",
}
"""The clauses in which a store does not answer, and whoever waits for it waits in full."""


class Patience:
    """Seconds, the same for all systems of this process."""

    seconds = 1.0


def try_patiently(
    system: System, *, seed: int, effort: Effort, clauses: Iterable[Clause] = CLAUSES
) -> list[Finding]:
    """Try clauses on one system, all of them by default."""
    found = []
    for clause in clauses:
        Patience.seconds = 0.03 if clause.id in HANGING else 5.0
        try:
            found.append(try_turn_clause(clause, system, seed=seed, effort=effort))
        finally:
            Patience.seconds = 1.0
    return found
