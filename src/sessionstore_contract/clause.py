"""What a clause is: id, level, sentence, because, remedy, needs, procedure."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from .capabilities import Capability
from .effort import THOROUGH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hypothesis.strategies import SearchStrategy

    from .effort import Effort


class Level(StrEnum):
    """How binding a clause is (RFC 2119)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class OldPlace(StrEnum):
    """How the place was left by an earlier release, before the store is opened on it."""

    WITHOUT_COST_DATA = "without-cost-data"
    COST_DATA_NULL = "cost-data-null"
    BUILT_UPON = "built-upon"
    """Without cost data, and others have built on its table since."""
    FOREIGN_TABLE = "foreign-table"
    """By somebody else altogether, who has a table of the name that the store wants."""


class Scope(StrEnum):
    """Which stores a clause speaks of."""

    PERSISTENT = "persistent"
    EPHEMERAL = "ephemeral"
    ANY = "any"


@dataclass(frozen=True)
class Clause:
    """One normative sentence and its procedure."""

    id: str
    """Stable for ever: `area.what-holds`."""
    level: Level
    sentence: str
    because: str
    """Why it matters: what goes wrong in use without it."""
    remedy: str
    """How to fix a store that breaks it, by kind of storage where these differ."""
    needs: frozenset[Capability]
    scope: Scope
    evidence: tuple[str, ...]
    """Public threads `owner/repo#n`, `seed` for the first request, `origin` for upstream."""
    procedure: Callable[..., Awaitable[None]]
    """Takes a Subject; a property clause takes an example drawn from `examples` as well."""
    moot_with: frozenset[Capability] = frozenset()
    """Says nothing of a backend that claims all of these."""
    examples: Callable[[], SearchStrategy[Any]] | None = None
    old_place: OldPlace | None = None
    """The store is opened on a place of an earlier release, not on an empty one."""
    places: int | Callable[[Effort], int] = 1
    """Fresh places that the clause is lent, the first one included; it may go by the effort."""

    takes_own_server: bool = False
    """The first place is on a server that serves nobody else, which the clause may crash."""

    waits: bool = False
    """It waits most of its time, for time-outs: begun early, it keeps no other clause waiting."""

    is_thorough: bool = False
    """Takes what not every machine has: tried at the effort `thorough` alone."""

    def places_at(self, effort: Effort) -> int:
        """Answer how many fresh places the clause is lent."""
        return self.places if isinstance(self.places, int) else self.places(effort)

    follows: tuple[str, ...] = ()
    """Clauses, by id, that demand the same under fewer conditions: who breaks one breaks this."""
    covers: tuple[str, ...] = ()
    """Areas all of which it demands at once: who breaks a clause of theirs may well break this."""

    @property
    def area(self) -> str:
        return self.id.partition(".")[0]

    def asked(self) -> frozenset[str]:
        """Answer what must be claimed before the clause applies."""
        return self.needs

    def missing(self, claims: Iterable[str], effort: Effort | None = None) -> str | None:
        """Say why the clause does not apply to a backend that claims these; None when it does.

        With an effort: why it is not tried at that.
        """
        claimed = frozenset(claims)
        if self.scope is Scope.EPHEMERAL and Capability.PERSISTENCE in claimed:
            return "is for stores that do not claim persistence"
        if self.moot_with and self.moot_with <= claimed:
            return f"speaks of what is not claimed; {', '.join(sorted(self.moot_with))} are"
        lacking = sorted(self.needs - claimed)
        if lacking:
            return f"needs {', '.join(lacking)}, which is not claimed"
        if self.is_thorough and effort is not None and effort.name != THOROUGH.name:
            return f"is tried with --effort {THOROUGH.name} alone"
        return None

    def where(self) -> str:
        """Answer file and line of the procedure."""
        source = inspect.getsourcefile(self.procedure) or "?"
        return f"{source}:{inspect.getsourcelines(self.procedure)[1]}"


def _clause(
    level: Level,
    clause_id: str,
    sentence: str,
    *,
    because: str,
    remedy: str,
    needs: Iterable[Capability] = (),
    scope: Scope = Scope.PERSISTENT,
    evidence: Iterable[str] = (),
    moot_with: Iterable[Capability] = (),
    examples: Callable[[], SearchStrategy[Any]] | None = None,
    old_place: OldPlace | None = None,
    places: int | Callable[[Effort], int] = 1,
    takes_own_server: bool = False,
    waits: bool = False,
    is_thorough: bool = False,
    follows: Iterable[str] = (),
    covers: Iterable[str] = (),
) -> Callable[[Any], Clause]:
    implied = {Capability.PERSISTENCE} if scope is Scope.PERSISTENT else set()

    def make(procedure: Any) -> Clause:
        return Clause(
            id=clause_id,
            level=level,
            sentence=sentence,
            because=because,
            remedy=remedy,
            needs=frozenset(needs) | implied,
            scope=scope,
            evidence=tuple(evidence),
            procedure=procedure,
            moot_with=frozenset(moot_with),
            examples=examples,
            old_place=old_place,
            places=places,
            takes_own_server=takes_own_server,
            waits=waits,
            is_thorough=is_thorough,
            follows=tuple(follows),
            covers=tuple(covers),
        )

    return make


must = partial(_clause, Level.MUST)
"""Make the procedure below a clause that decides conformance."""

should = partial(_clause, Level.SHOULD)
"""Make the procedure below a clause that is reported, and decides only under `--strict`."""
