"""What a clause on turns is beside a clause: which abilities of a system it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..clause import Clause, Level, Scope
from .system import Ability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypothesis.strategies import SearchStrategy

    from ..effort import Effort

SPOKEN_OF = {
    Ability.TURN_IDS: "are given turn ids",
    Ability.USAGE_MIDWAY: "learn of usage before the end of a turn",
    Ability.SEVERAL: "can be one of several on a store",
}


@dataclass(frozen=True)
class TurnClause(Clause):
    """A clause on what becomes of the usage of turns."""

    asks: frozenset[Ability] = frozenset()

    def asked(self) -> frozenset[str]:
        """Answer which abilities a system must have before the clause applies."""
        return self.asks

    def missing(self, claims: Iterable[str], effort: Effort | None = None) -> str | None:
        """Say why the clause does not apply to a system that can do these; None when it does."""
        lacking = sorted(self.asks - frozenset(claims))
        return f"asks for {', '.join(lacking)}, which it has not" if lacking else None

    def applies(self) -> str:
        """Say which systems the clause speaks of."""
        if not self.asks:
            return "to chat servers, and to accumulators alone"
        kind = "chat servers" if Ability.CHAT in self.asks else "systems"
        that = " and ".join(SPOKEN_OF[one] for one in sorted(self.asks - {Ability.CHAT}))
        return f"to {kind} that {that}" if that else f"to {kind}"


def _clause(
    level: Level,
    clause_id: str,
    sentence: str,
    *,
    because: str,
    remedy: str,
    asks: Iterable[Ability] = (),
    evidence: Iterable[str] = (),
    examples: Callable[[], SearchStrategy[Any]] | None = None,
) -> Callable[[Any], TurnClause]:
    def make(procedure: Any) -> TurnClause:
        return TurnClause(
            id=clause_id,
            level=level,
            sentence=sentence,
            because=because,
            remedy=remedy,
            needs=frozenset(),
            scope=Scope.ANY,
            evidence=tuple(evidence),
            procedure=procedure,
            examples=examples,
            asks=frozenset(asks),
        )

    return make


must = partial(_clause, Level.MUST)
"""Make the procedure below a clause that decides conformance."""

should = partial(_clause, Level.SHOULD)
"""Make the procedure below a clause that is reported, and decides only when strictness is asked."""
