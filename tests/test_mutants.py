"""Each clause is broken by a store with one defect, named by it, and held by correct stores."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import trial
from sessionstore_contract.contract import AREAS, CLAUSES, activity
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.elsewhere import NoStorage
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Finding, Verdict

from .mutants import (
    closing,
    columns,
    concurrency,
    cost,
    durability,
    ephemeral,
    identifiers,
    interface,
    isolation,
    lifecycle,
    messages,
    retention,
    sequence,
    sharing,
    values,
)
from .mutants.correct import CORRECT as OTHERS
from .mutants.defect import Defect, backend, defect_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sessionstore_contract.clause import Clause
    from sessionstore_contract.effort import Effort

MODULES = (
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
    sharing,
    concurrency,
    durability,
    closing,
    columns,
)
CORRECT: tuple[tuple[type[Any], Any], ...] = (*OTHERS, (columns.ColumnsStore, None))
MUTANTS = [
    store
    for module in MODULES
    for store in vars(module).values()
    if defect_of(store) and store.__module__ == module.__name__
]
NAMES = {str(clause.id) for clause in CLAUSES}

NOT_GIVEN = {
    ("sharing.processes-see-each-other", rival): "given between instances: the procedure is one"
    for rival in (
        "reads out-of-date cost data",
        "does not see that a session exists",
        "does not see a saved session",
        "does not see cost data",
        "still reads a deleted session",
        "still sees a deleted session",
    )
}
"""Rivals that no mutant gives, by their constant part, with the reason."""


QUICK = EFFORTS["quick"]
QUICKER = replace(QUICK, examples=3, rounds=1)
"""For defects that neither a property nor a race is meant to find."""
LONGER = replace(QUICK, examples=40)
"""For defects that only a sequence shows: as many examples as at normal effort."""
EFFORT_OF = {"cost": QUICK, "concurrency": QUICK, "sequence": LONGER}

GENERAL = "sequence"
"""The area whose clauses say of everything what the model says. Any defect may break them, whether
it is drawn or not: they are tried on the mutants of other areas in `test_sequence`."""


def try_all(
    store: Any,
    corrupt: Any = None,
    effort: Effort = QUICK,
    clauses: Iterable[Clause] = CLAUSES,
) -> list[Finding]:
    made = backend(store, corrupt=corrupt)
    provider = NoStorage() if made.storage == "none" else FileStorage()
    conditions = Conditions(seed=1, effort=effort)
    return [try_clause(clause, made, provider, conditions) for clause in clauses]


def try_one(clause_id: str, store: Any) -> Finding:
    (finding,) = try_all(store, clauses=[one for one in CLAUSES if one.id == clause_id])
    return finding


def the_defect(store: Any) -> Defect:
    found = defect_of(store)
    assert found is not None
    return found


@pytest.fixture
def exact_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the long gap: it is for stores that keep whole seconds."""
    monkeypatch.setattr(activity, "GAPS", (0.01,))
    # What a counterexample is made to says what is diagnosed: on a slow machine as well.
    monkeypatch.setattr(trial, "MOST_SECONDS_OF_SHRINKING", 600.0)


@pytest.mark.parametrize(("store", "corrupt"), CORRECT, ids=[one.__name__ for one, _ in CORRECT])
def test_a_correct_store_holds_every_clause(store: Any, corrupt: Any) -> None:
    """No clause accuses a store that does it right, with the gaps as they are."""
    not_held = {
        finding.clause.id: (finding.verdict, finding.headline, finding.reason)
        for finding in try_all(store, corrupt)
        if finding.verdict not in {Verdict.HELD, Verdict.NOT_APPLICABLE}
    }
    assert not_held == {}


@pytest.mark.parametrize("store", MUTANTS, ids=lambda store: store.__name__)
@pytest.mark.usefixtures("exact_clocks")
def test_a_defect_is_named_by_the_clause_meant_for_it(store: Any) -> None:
    """Its headline is the diagnosis, and no clause says so whose sentence still holds."""
    defect = the_defect(store)
    area = defect.caught_by.partition(".")[0]
    clauses = [one for one in CLAUSES if one.area != GENERAL or area == GENERAL]
    effort = EFFORTS[defect.effort] if defect.effort else EFFORT_OF.get(area, QUICKER)
    findings = try_all(store, effort=effort, clauses=clauses)
    headlines = {
        finding.clause.id: str(finding.headline)
        for finding in findings
        if finding.verdict is Verdict.VIOLATED
    }
    said = {
        clause: headlines.get(clause, "held")[: len(headline)]
        for clause, headline in defect.headlines.items()
    }
    assert said == dict(defect.headlines)
    if not defect.is_everywhere:
        said_by_others = {one for one in headlines if one.partition(".")[0] != GENERAL}
        assert said_by_others == {one for one in defect.headlines if not one.startswith(GENERAL)}
    faulted = [one.clause.id for one in findings if one.verdict is Verdict.FAULTED]
    assert faulted == []


def test_a_defect_of_activity_is_named_with_the_real_gaps() -> None:
    """The long gap accuses, as the short one does."""
    finding = try_one("retention.goes-by-last-activity", retention.UpdateIsNoActivity)
    assert finding.headline == "delete_before removes a session that was updated since"


def test_a_store_that_keeps_whole_seconds_is_right() -> None:
    """The long gap acquits a store whose clock is coarse."""
    finding = try_one("retention.goes-by-last-activity", retention.KeepsWholeSeconds)
    assert finding.verdict is Verdict.HELD


def test_every_clause_has_a_mutant() -> None:
    """A clause that no defect breaks proves nothing."""
    assert NAMES - {the_defect(store).caught_by for store in MUTANTS} == set()


def test_every_mutant_names_clauses_that_exist() -> None:
    """A clause that was renamed takes its mutants along."""
    assert {clause for store in MUTANTS for clause in the_defect(store).headlines} <= NAMES


def test_every_rival_is_given_by_a_mutant() -> None:
    """A rival that no defect gives is a guess."""
    given = {
        (clause, headline)
        for store in MUTANTS
        for clause, headline in the_defect(store).headlines.items()
    }
    missing = {
        (clause, " ".join(filter(None, map(str.strip, rival))))
        for clause, rival in rivals()
        if not any(one == clause and matches(headline, rival) for one, headline in given)
    }
    assert missing == set(NOT_GIVEN)


def matches(headline: str, rival: tuple[str, ...]) -> bool:
    return re.fullmatch(".+".join(map(re.escape, rival)), headline) is not None


def rivals() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Read the rivals of each clause out of its procedure: what is constant, around variables."""
    for area in AREAS:
        tree = ast.parse(Path(str(area.__file__)).read_text("utf-8"))
        functions = {one.name: one for one in tree.body if isinstance(one, ast.AsyncFunctionDef)}
        for clause in (one for one in CLAUSES if one.area == area.__name__.rpartition(".")[2]):
            procedure = functions[clause.procedure.__name__]
            for function in called_from(procedure, functions):
                for headline in headlines_in(function):
                    yield clause.id, headline


def called_from(
    procedure: ast.AsyncFunctionDef, functions: Mapping[str, ast.AsyncFunctionDef]
) -> list[ast.AsyncFunctionDef]:
    """Answer a procedure and the functions of its module that it leads to."""
    found = [procedure]
    for function in found:
        names = {one.id for one in ast.walk(function) if isinstance(one, ast.Name)}
        found += [functions[one] for one in names & functions.keys() if functions[one] not in found]
    return found


def headlines_in(function: ast.AST) -> Iterator[tuple[str, ...]]:
    for call in (one for one in ast.walk(function) if isinstance(one, ast.Call)):
        for rather_than in (one.value for one in call.keywords if one.arg == "rather_than"):
            keys = rather_than.keys if isinstance(rather_than, ast.Dict) else []
            yield from (constants_in(one) for one in keys if one is not None)
        if getattr(call.func, "attr", "") == "to_be_refused":
            yield constants_in(call.args[0])


def constants_in(text: ast.AST) -> tuple[str, ...]:
    """Answer what stands before, between and after the variables of a text."""
    found = [""]
    for part in text.values if isinstance(text, ast.JoinedStr) else [text]:
        if isinstance(part, ast.Constant):
            found[-1] += str(part.value)
        else:
            found.append("")
    return tuple(found)
