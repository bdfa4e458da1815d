"""Each clause is broken by a store with one defect, and named by it."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import drawing
from sessionstore_contract.contract import AREAS, CLAUSES
from sessionstore_contract.contract import retention as retention_clauses
from sessionstore_contract.contract.procedures import activity, leaks, network
from sessionstore_contract.effort import EFFORTS, THOROUGH
from sessionstore_contract.folding import fold
from sessionstore_contract.harness import Conditions, provided, try_clause
from sessionstore_contract.known_defects import FILE, blanked, known_defects
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.storage.selection import PostgresChoice
from sessionstore_contract.verdict import Finding, Verdict

from .drawn import is_drawn
from .known_defects import record
from .mutants import (
    built_upon,
    cancellation,
    chats,
    closing,
    columns,
    concurrency,
    contents,
    cost,
    durability,
    ephemeral,
    failure,
    faults,
    first_failure,
    growth,
    identifiers,
    interface,
    isolation,
    large,
    left_behind,
    lending,
    lifecycle,
    messages,
    migration,
    obstacles,
    opening,
    outages,
    power,
    retention,
    security,
    sequence,
    sharing,
    values,
)
from .mutants.defect import Defect, backend, defect_of
from .mutants.shared import can_be_shared, shared
from .places import in_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sessionstore_contract import Backend
    from sessionstore_contract.clause import Clause
    from sessionstore_contract.effort import Effort
    from sessionstore_contract.storage import Storage

MODULES = (
    interface,
    ephemeral,
    lifecycle,
    messages,
    chats,
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
    left_behind,
    obstacles,
    power,
    migration,
    built_upon,
    faults,
    outages,
    closing,
    security,
    contents,
    growth,
    columns,
    first_failure,
    lending,
    large,
)
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
        "still reads the cost data of a deleted session",
        "still reads a session that delete_before removed",
        "still sees a session that delete_before removed",
        "still reads the cost data of a session that delete_before removed",
    )
} | {
    (
        "concurrency.disjoint-updates-survive-across-processes",
        "a process that was started by itself does not find the session",
    ): "a run of the command gives it (test_cli): here no other process is a fork of this one",
}
"""Rivals that no mutant gives, by their constant part, with the reason."""


REMAKE = "src/sessionstore_contract/known_defects.json is not current: make docs"

QUICK = EFFORTS["quick"]
QUICKER = replace(QUICK, examples=3, rounds=1)
"""For defects that neither a property nor a race is meant to find."""
LONGER = replace(QUICK, examples=40)
"""For defects that only a sequence shows: as many examples as at normal effort."""
EFFORT_OF = {
    "cost": QUICK,
    "concurrency": QUICK,
    "cancellation": QUICK,
    "sequence": LONGER,
}

THOROUGH_ALONE = {clause.id for clause in CLAUSES if clause.is_thorough}
GENERAL = {clause.id for clause in CLAUSES if clause.covers}
"""The clauses that say of everything what the model says. Any defect may break them, whether it is
drawn or not: those of programs are tried on the mutants of other areas in `test_sequence`."""


TAKES_A_PROCESS = "closing.forgotten-close-lets-the-process-end"
"""Needs no claim: a mutant is held to it where it matters, as to what needs `multi-process`."""

ON_SERVERS = frozenset({"opening", "closing", "security", "growth", "ephemeral"})
"""The areas that are tried on a platform, where all of them take long."""

ON_OLD_PLACES = frozenset({"migration", "messages", "cost", "retention", "opening"})
"""The areas for mutants that migrate wrongly: elsewhere they are what they were made from."""


OF_NETWORKS = frozenset(
    {
        "concurrency.sessions-do-not-block-each-other",
        "opening.failed-first-use-can-be-retried",
        *(clause.id for clause in CLAUSES if clause.area == "faults"),
    }
)
"""The clauses in which the kit stands before the platform: tried on the mutants of one of them."""

RACING = frozenset({"opening", "sharing", "concurrency", "cancellation", "closing"})
"""Areas in which a defect that is not meant for them shows now and then."""


def try_all(
    store: Any, effort: Effort = QUICK, clauses: Iterable[Clause] = CLAUSES
) -> list[Finding]:
    made = backend(store)
    conditions = Conditions(seed=1, effort=effort)
    with storage_of(made) as storage:
        return [try_clause(clause, made, storage, conditions) for clause in clauses]


def clauses_for(store: Any) -> list[Clause]:
    """Answer the clauses that a mutant is held to."""
    defect, made = the_defect(store), backend(store)
    return [
        clause
        for clause in CLAUSES
        if is_held_to(clause, defect, str(made.storage))
        and (clause.id != TAKES_A_PROCESS or clause.id in defect.headlines)
        and (clause.id not in GENERAL or defect.caught_by in GENERAL)
    ]


def is_held_to(clause: Clause, defect: Defect, storage: str) -> bool:
    """Answer whether a mutant is held to a clause, on what it is kept in."""
    area = defect.caught_by.partition(".")[0]
    is_of_networks = clause.id in OF_NETWORKS
    if storage in {"platform", "postgres"} and defect.caught_by in OF_NETWORKS:
        return is_of_networks
    if storage == "postgres":
        return clause.area == area  # on a server of its own, which takes long enough
    if area == "migration":
        return clause.area in ON_OLD_PLACES
    areas = ON_SERVERS | {area}
    return storage != "platform" or (clause.area in areas and not is_of_networks)


def effort_for(store: Any) -> Effort:
    """Answer the effort at which a mutant is tried."""
    defect = the_defect(store)
    if defect.effort:
        return EFFORTS[defect.effort]
    if defect.caught_by in THOROUGH_ALONE:
        return replace(QUICKER, name=THOROUGH.name)
    return EFFORT_OF.get(defect.caught_by.partition(".")[0], QUICKER)


def all_findings(store: Any, clauses: Iterable[Clause] = CLAUSES) -> list[Finding]:
    """Try clauses on a mutant, and on the same behind doors those that need several instances.

    In contract order, without what does not apply.
    """
    effort = effort_for(store)
    held_to = clauses_for(store)
    found = try_all(store, effort, [one for one in clauses if one in held_to])
    if can_be_shared(store):
        made, conditions = shared(store), Conditions(seed=1, effort=effort)
        found = [
            try_clause(finding.clause, made, FileStorage(), conditions)
            if finding.verdict is Verdict.NOT_APPLICABLE
            else finding
            for finding in found
        ]
    return [finding for finding in found if finding.verdict is not Verdict.NOT_APPLICABLE]


def name_of(store: Any) -> str:
    return f"{store.__module__.rpartition('.')[2]}.{store.__name__}"


def try_one(clause_id: str, store: Any) -> Finding:
    (finding,) = try_all(store, clauses=[one for one in CLAUSES if one.id == clause_id])
    return finding


@contextmanager
def storage_of(made: Backend) -> Iterator[Storage]:
    with (
        TemporaryDirectory() as folder,
        provided(made, PostgresChoice("embedded", folder)) as storage,
    ):
        yield storage


def the_defect(store: Any) -> Defect:
    found = defect_of(store)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def quick_places() -> Iterator[None]:
    """Stores are made and thrown away by the thousand here."""
    with in_memory():
        yield


@pytest.fixture
def exact_clocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Spare the long gap: it is for stores that keep whole seconds.

    And the time for things to go away: what a mutant leaves behind does not. The zone is that of
    most servers, in which a store that takes UTC for local times is right.
    """
    monkeypatch.setattr(activity, "GAPS", (0.01,))
    monkeypatch.setattr(leaks, "PATIENCE", 0.2)
    monkeypatch.setattr(network, "BOUND", 0.5)
    # What a counterexample is made to says what is diagnosed: on a slow machine as well.
    monkeypatch.setattr(drawing, "MOST_SECONDS_OF_SHRINKING", 600.0)
    with retention_clauses.time_zone("UTC"):
        yield


@pytest.mark.parametrize("store", MUTANTS, ids=lambda store: store.__name__)
@pytest.mark.usefixtures("exact_clocks")
def test_a_defect_is_named_by_the_clause_meant_for_it(store: Any) -> None:
    """Its headline is the diagnosis; some clauses of its area are tried as well."""
    findings = all_findings(store, [one for one in CLAUSES if is_near(one, store)])
    is_named(store, findings)
    is_worded_as_the_file_says(store, findings)


@pytest.mark.soak
@pytest.mark.parametrize("store", MUTANTS, ids=lambda store: store.__name__)
@pytest.mark.usefixtures("exact_clocks")
def test_no_other_clause_names_it(store: Any) -> None:
    """The whole matrix: no clause accuses a store whose sentence still holds."""
    findings = all_findings(store)
    is_named(store, findings)
    the_file_knows(store, findings)
    reads_as_one_defect(store, findings)


def is_near(clause: Clause, store: Any) -> bool:
    """Whether a clause is one that a defect breaks, or of the area of the one that names it.

    Of the others of the area some are drawn. `make soak` tries them all, and every other clause.
    """
    defect = the_defect(store)
    is_of_area = clause.area == defect.caught_by.partition(".")[0]
    return clause.id in defect.headlines or (is_of_area and is_drawn(clause.id, store.__name__))


def is_named(store: Any, findings: list[Finding]) -> None:
    """Each clause that the defect breaks says its headline, and no other one is violated."""
    defect = the_defect(store)
    claims = backend(store).capabilities
    headlines = {
        finding.clause.id: str(finding.headline)
        for finding in findings
        if finding.verdict is Verdict.VIOLATED and finding.clause.missing(claims) is None
    }
    otherwise: defaultdict[str, str] = defaultdict(lambda: "not tried")
    otherwise |= {one.clause.id: f"{one.verdict.value}: {one.reason}" for one in findings}
    said = {
        clause: headlines[clause][: len(headline)] if clause in headlines else otherwise[clause]
        for clause, headline in defect.headlines.items()
    }
    assert said == dict(defect.headlines)
    if not defect.is_everywhere:
        assert set(headlines) - GENERAL == set(defect.headlines) - GENERAL
    assert [one.clause.id for one in findings if one.verdict is Verdict.FAULTED] == []


def the_file_knows(store: Any, findings: list[Finding]) -> None:
    """What was found is what the file of known defects says; of races it may say more."""
    (known,) = (one for one in known_defects() if one.name == name_of(store))
    found = record(known.name, known.clause, findings)["defect"]
    races = {one for one in known.consequences if one.partition(".")[0] in RACING}
    assert {one: text for one, text in known.consequences.items() if one not in races} == {
        one: text for one, text in found["consequences"].items() if one not in races
    }, REMAKE
    assert set(found["consequences"]) <= set(known.consequences), REMAKE
    assert (known.clause, known.headline) == (found["clause"], found["headline"]), REMAKE


def is_worded_as_the_file_says(store: Any, findings: list[Finding]) -> None:
    """The whole headline: one may begin as another one does."""
    (known,) = (one for one in known_defects() if one.name == name_of(store))
    (named,) = (one for one in findings if one.clause.id == known.clause)
    if known.clause.partition(".")[0] not in RACING:
        assert blanked(str(named.headline)) == known.headline, REMAKE


def reads_as_one_defect(store: Any, findings: list[Finding]) -> None:
    """Whatever else is violated is shown under the clause that names the defect."""
    (defect,) = fold(findings)
    assert defect.root.clause.id == the_defect(store).caught_by
    assert defect.probable == ()


def test_a_defect_of_activity_is_named_with_the_real_gaps() -> None:
    """The long gap accuses, as the short one does."""
    finding = try_one("retention.goes-by-last-activity", retention.UpdateIsNoActivity)
    assert finding.headline == "delete_before removes a session that was updated since"


def test_a_store_that_migrates_no_rows_that_it_can_not_read_is_not_accused() -> None:
    """It refuses, and loses nothing; nor is it said to have held."""
    finding = try_one("migration.keeps-what-it-does-not-know", built_upon.RefusesOddRows)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.reason == "the store migrates no table with rows that can't be read"


def test_every_clause_has_a_mutant() -> None:
    """A clause that no defect breaks proves nothing."""
    assert NAMES - {the_defect(store).caught_by for store in MUTANTS} == set()


def test_the_file_of_known_defects_names_every_mutant_and_clause() -> None:
    """`make docs` writes it anew: a mutant or a clause that came or went is seen at once."""
    known = {one.name: one.clause for one in known_defects()}
    assert known == {name_of(store): the_defect(store).caught_by for store in MUTANTS}, REMAKE
    assert {one for known in known_defects() for one in known.consequences} <= NAMES, REMAKE
    assert set(json.loads(FILE.read_text("utf-8"))["failures"]) == NAMES, REMAKE


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
