"""What a clause is, and of which backends it speaks."""

from __future__ import annotations

from typing import Any

import pytest

from sessionstore_contract.capabilities import Capability
from sessionstore_contract.clause import Clause, Level, Scope, must, should
from sessionstore_contract.effort import EFFORTS

WORDS: dict[str, Any] = {"because": "It matters.", "remedy": "Fix it."}


async def procedure(store: object) -> None:
    """Demand nothing."""


def make(**rest: Any) -> Clause:
    return must("area.holds", "Something holds.", **WORDS, **rest)(procedure)


def test_the_decorators_name_the_level() -> None:
    """`must` and `should` make clauses of these levels, which hold what they were given."""
    clause = make(evidence=["seed"])
    assert clause.level is Level.MUST
    assert (clause.id, clause.area, clause.sentence) == ("area.holds", "area", "Something holds.")
    assert (clause.because, clause.remedy) == ("It matters.", "Fix it.")
    assert clause.evidence == ("seed",)
    assert clause.procedure is procedure
    assert should("area.holds", "It holds.", **WORDS)(procedure).level is Level.SHOULD


def test_a_clause_says_how_many_places_it_needs() -> None:
    """One, unless it says another number, which may go by the effort."""
    quick, thorough = EFFORTS["quick"], EFFORTS["thorough"]
    assert make().places_at(thorough) == 1
    assert make(places=8).places_at(quick) == 8
    by_effort = make(places=lambda effort: effort.rounds)
    assert by_effort.places_at(quick) == quick.rounds
    assert by_effort.places_at(thorough) == thorough.rounds


def test_a_clause_speaks_of_stores_that_persist_unless_it_says_otherwise() -> None:
    """Without a scope, persistence is among the needs."""
    clause = make()
    assert clause.needs == {Capability.PERSISTENCE}
    assert clause.missing([]) == "needs persistence, which is not claimed"
    assert clause.missing([Capability.PERSISTENCE]) is None


def test_every_lacking_capability_is_named() -> None:
    """The reason lists what is needed and not claimed, and nothing else."""
    clause = make(needs={Capability.SHARED, Capability.DURABLE})
    assert clause.missing([Capability.SHARED]) == (
        "needs durable, persistence, which is not claimed"
    )
    assert clause.missing(Capability) is None


def test_a_clause_of_ephemeral_stores_is_not_for_the_others() -> None:
    """Who claims persistence is not asked to forget."""
    clause = make(scope=Scope.EPHEMERAL)
    assert clause.needs == frozenset()
    assert clause.missing([]) is None
    assert clause.missing([Capability.PERSISTENCE]) == "is for stores that do not claim persistence"


@pytest.mark.parametrize("claims", [frozenset[Capability](), frozenset(Capability)])
def test_a_clause_of_any_scope_is_for_all(claims: frozenset[Capability]) -> None:
    """Scope `any` asks for nothing."""
    assert make(scope=Scope.ANY).missing(claims) is None


def test_a_clause_is_moot_only_when_all_of_it_is_claimed() -> None:
    """What speaks of unclaimed capabilities is moot when every one of them is claimed."""
    clause = make(scope=Scope.ANY, moot_with=[Capability.RETENTION, Capability.COST_READ])
    assert clause.missing([Capability.COST_READ]) is None
    assert clause.missing([Capability.COST_READ, Capability.RETENTION]) == (
        "speaks of what is not claimed; cost-read, retention are"
    )
    assert make(scope=Scope.ANY, moot_with=[]).missing(Capability) is None


def test_a_clause_knows_where_it_is_written() -> None:
    """File and line of the procedure are for `-v`."""
    file, _, line = make().where().rpartition(":")
    assert file == __file__
    assert int(line) == procedure.__code__.co_firstlineno
