"""Each clause on turns is broken by a system with one defect, and named by it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.known_defects import TURN_FILE
from sessionstore_contract.turn import AREAS, CLAUSES
from sessionstore_contract.verdict import Verdict
from tests.drawn import is_drawn
from tests.test_mutants import called_from, headlines_in, matches

from . import (
    broken_accumulators,
    broken_answers,
    broken_carriers,
    broken_figures,
    broken_histories,
    broken_requests,
    broken_servers,
    broken_streams,
)
from .defect import MUTANTS, defect_of, system_of
from .patience import try_patiently

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionstore_contract.clause import Clause

PROPERTY = "turn.totals-are-the-sum-of-turns"
"""Any defect may break it."""

MODULES = (
    broken_accumulators,
    broken_carriers,
    broken_servers,
    broken_histories,
    broken_streams,
    broken_figures,
    broken_answers,
    broken_requests,
)

assert {module.__name__ for module in MODULES} == {kind.__module__ for kind in MUTANTS}


every_mutant = pytest.mark.parametrize("kind", MUTANTS, ids=lambda kind: kind.__name__)


@every_mutant
def test_a_defect_is_named_by_the_clause_meant_for_it(kind: Any) -> None:
    """Its headline is the diagnosis, and no clause that is drawn says so besides."""
    defect = defect_of(kind)
    own = {defect.caught_by, *defect.also}
    is_named_by(kind, [one for one in CLAUSES if one.id in own or is_drawn(one.id, kind.__name__)])


@pytest.mark.soak
@every_mutant
def test_a_defect_is_named_by_no_other_clause(kind: Any) -> None:
    """No clause says so whose sentence still holds."""
    is_named_by(kind, CLAUSES)


def is_named_by(kind: Any, clauses: Iterable[Clause]) -> None:
    defect = defect_of(kind)
    is_of_programs = defect.caught_by == PROPERTY
    findings = try_patiently(
        system_of(kind),
        seed=1,
        effort=EFFORTS["normal" if is_of_programs else "quick"],
        # That of programs takes a third of the time of all.
        clauses=[one for one in clauses if is_of_programs or one.id != PROPERTY],
    )
    headlines = {
        one.clause.id: str(one.headline) for one in findings if one.verdict is Verdict.VIOLATED
    }
    assert headlines.get(defect.caught_by, "held")[: len(defect.headline)] == defect.headline
    assert set(headlines) - {PROPERTY, defect.caught_by} == defect.also - {defect.caught_by}
    assert [one.clause.id for one in findings if one.verdict is Verdict.FAULTED] == []


def test_every_clause_has_a_mutant() -> None:
    """A clause that no defect breaks proves nothing."""
    assert {one.id for one in CLAUSES} == {defect_of(kind).caught_by for kind in MUTANTS}


def test_every_rival_is_given_by_a_mutant() -> None:
    """A diagnosis that no defect brings about is a guess."""
    given = {(defect_of(kind).caught_by, defect_of(kind).headline) for kind in MUTANTS}
    missing = {
        (clause, " ".join(filter(None, map(str.strip, rival))))
        for clause, rival in rivals()
        if not any(one == clause and matches(headline, rival) for one, headline in given)
    }
    assert missing == set()


def rivals() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Read the rivals of each clause out of its procedure: what is constant, around variables."""
    for area in AREAS:
        tree = ast.parse(Path(str(area.__file__)).read_text("utf-8"))
        functions = {one.name: one for one in tree.body if isinstance(one, ast.AsyncFunctionDef)}
        for clause in (one for one in CLAUSES if one.procedure.__module__ == area.__name__):
            for function in called_from(functions[clause.procedure.__name__], functions):
                for headline in headlines_in(function):
                    yield clause.id, headline


def test_a_failure_of_each_clause_is_known() -> None:
    """`make docs` writes them anew: what is shown is what a mutant is told."""
    known = json.loads(TURN_FILE.read_text(encoding="utf-8"))["failures"]
    assert list(known) == [one.id for one in CLAUSES]
    for clause, lines in known.items():
        told = [defect_of(kind).headline for kind in MUTANTS if defect_of(kind).caught_by == clause]
        headline = " ".join(lines[: lines.index("")])
        assert any(headline.startswith(one) for one in told)
