"""The contract as a document."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from sessionstore_contract import catalogue
from sessionstore_contract.capabilities import Capability
from sessionstore_contract.clause import Clause, Level, Scope
from sessionstore_contract.contract import AREAS, CLAUSES
from sessionstore_contract.turn.system import Ability

every_clause = pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)


def ids(clauses: list[Clause]) -> list[str]:
    return [clause.id for clause in clauses]


def test_ids_are_unique() -> None:
    """Two clauses never share a name."""
    assert len({clause.id for clause in CLAUSES}) == len(CLAUSES)


def test_areas_are_unique_and_have_clauses() -> None:
    """Each module is an area, and says something."""
    assert len(set(AREAS)) == len(AREAS)
    assert {area.__name__.rpartition(".")[2] for area in AREAS} == {one.area for one in CLAUSES}


@every_clause
def test_an_id_is_a_slug_of_its_area(clause: Clause) -> None:
    """`area.what-holds`: the area is the module, the rest names the procedure."""
    assert re.fullmatch(r"[a-z]+\.[a-z0-9]+(-[a-z0-9]+)+", clause.id)
    area, _, what = clause.id.partition(".")
    assert clause.procedure.__module__.rpartition(".")[2] == area
    assert clause.procedure.__name__ == what.replace("-", "_")


@every_clause
def test_a_clause_says_what_why_and_how(clause: Clause) -> None:
    """Sentence, because and remedy are whole sentences in one paragraph each."""
    for text in (clause.sentence, clause.because, clause.remedy):
        assert text.endswith(".")
        assert text == " ".join(text.split())
        assert text.isprintable()


@every_clause
def test_a_clause_applies_to_somebody(clause: Clause) -> None:
    """There are claims under which a clause is tried."""
    claims = set(clause.needs)
    assert clause.missing(claims) is None
    if clause.scope is Scope.EPHEMERAL:
        assert Capability.PERSISTENCE not in clause.needs


def test_the_digest_is_a_digest() -> None:
    """It is the same each time."""
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", catalogue.digest())
    assert catalogue.digest() == catalogue.digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"sentence": "Another sentence."},
        {"level": Level.MAY},
        {"needs": frozenset(Capability)},
        {"scope": Scope.ANY},
        {"id": "another.id-than-before"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_digest_changes_with_what_is_demanded(changed: dict[str, Any]) -> None:
    """Sentence, level, needs, scope and id are the contract."""
    clause = next(one for one in CLAUSES if one.scope is Scope.PERSISTENT)
    other = replace(clause, **changed)
    clauses = tuple(other if one is clause else one for one in CLAUSES)
    assert digest_of(clauses) != catalogue.digest()


def digest_of(clauses: tuple[Clause, ...]) -> str:
    return catalogue.digest(replace(catalogue.STORE, clauses=clauses))


def test_the_digest_changes_with_the_order_and_the_number() -> None:
    """A clause that is gone, or moved, is another contract."""
    digests = {digest_of(clauses) for clauses in (CLAUSES, CLAUSES[1:], CLAUSES[::-1])}
    assert len(digests) == 3
    assert catalogue.digest() in digests


def test_the_digest_changes_with_what_a_clause_on_turns_asks_for() -> None:
    """An ability is to a system what a capability is to a store."""
    first, *rest = catalogue.TURN.clauses
    other = replace(first, asks=frozenset(Ability))  # type: ignore[call-arg]
    changed = replace(catalogue.TURN, clauses=(other, *rest))
    assert catalogue.digest(changed) != catalogue.digest(catalogue.TURN)


def test_the_digest_does_not_change_with_what_explains() -> None:
    """A better remedy is not another contract."""
    clauses = tuple(replace(one, because="B.", remedy="R.", evidence=()) for one in CLAUSES)
    assert digest_of(clauses) == catalogue.digest()


def test_a_clause_on_turns_is_selected_without_its_area_too() -> None:
    """Where nothing else is meant; elsewhere it has its whole id."""
    ids = {
        glob: [one.id for one in catalogue.select([glob], contract=catalogue.TURN)]
        for glob in ("usage-is-accumulated", "turn.usage-is-accumulated", "*.usage-is-acc*")
    }
    assert set(map(tuple, ids.values())) == {("turn.usage-is-accumulated",)}
    assert catalogue.select(["turn"], contract=None) == list(catalogue.TURN.clauses)
    with pytest.raises(catalogue.UnknownClauseError, match="no clause 'usage-is-accumulated'"):
        catalogue.select(["usage-is-accumulated"], contract=None)


@every_clause
def test_a_clause_is_selected_by_its_id(clause: Clause) -> None:
    """An id selects its clause alone."""
    assert catalogue.select([clause.id]) == [clause]


def test_nothing_asked_selects_all() -> None:
    """Without globs and levels the contract is whole, in its order."""
    assert catalogue.select([]) == list(CLAUSES)


def test_an_area_or_a_glob_selects_what_matches() -> None:
    """An area by its name, ids by a pattern; both keep contract order, and name nothing twice."""
    cost = [clause for clause in CLAUSES if clause.area == "cost"]
    assert catalogue.select(["cost"]) == cost
    assert catalogue.select(["cost.*"]) == cost
    assert catalogue.select(["*.*"]) == list(CLAUSES)
    assert catalogue.select(["cost.*", "cost", cost[0].id]) == cost
    both = catalogue.select(["cost", "closing", "lifecycle"])
    assert [one for one in CLAUSES if one in both] == both
    assert {one.area for one in both} == {"closing", "cost", "lifecycle"}


def test_levels_narrow_the_selection() -> None:
    """Only clauses of these levels remain."""
    musts, shoulds = catalogue.select([], ["must"]), catalogue.select([], ["should"])
    assert len(musts) + len(shoulds) == len(CLAUSES)
    assert {one.level for one in musts} == {Level.MUST}
    assert catalogue.select([], ["must", "should"]) == list(CLAUSES)
    assert catalogue.select([], ["may"]) == []


@pytest.mark.parametrize(
    ("glob", "words"),
    [
        ("lifecylce", "no clause 'lifecylce'; did you mean lifecycle?"),
        ("cost.merge-is-shalow", "did you mean cost.merge-is-shallow"),
        ("COST", "no clause 'COST'; there are interface, "),
        ("", "no clause ''"),
        ("cost.", "no clause 'cost.'"),
    ],
)
def test_a_glob_that_matches_nothing_is_refused(glob: str, words: str) -> None:
    """A selection that would try nothing is told, with the nearest name that exists."""
    with pytest.raises(catalogue.UnknownClauseError, match=re.escape(words)):
        catalogue.select(["closing", glob])
