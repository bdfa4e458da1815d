"""Each clause of a platform is broken by one with one defect, and named by it."""

from __future__ import annotations

import ast
import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.known_defects import WIRE_FILE, blanked, known_defects
from sessionstore_contract.verdict import Conclusion, Finding, Verdict
from sessionstore_contract.wire import (
    CLAUSES,
    access,
    costs,
    histories,
    housekeeping,
    identity,
    kept,
    leaving,
    races,
    refusals,
    sessions,
    traffic,
)
from sessionstore_contract.wire.platform import Platform
from sessionstore_contract.wire_runs import check_platform_sync

from .drawn import is_drawn
from .mutants import (
    wire_leaving,
    wire_narrow,
    wire_races,
    wire_requests,
    wire_sessions,
    wire_values,
)
from .mutants.defect import defect_of
from .mutants.wire_platforms import CORRECT, CancellingPlatform, KeepingPlatform, PlainPlatform
from .mutants.wire_server import served
from .test_mutants import called_from, headlines_in, matches, the_defect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionstore_contract.clause import Clause

MODULES = (wire_sessions, wire_values, wire_races, wire_requests, wire_leaving, wire_narrow)
MUTANTS = [
    made
    for module in MODULES
    for made in vars(module).values()
    if defect_of(made) and made.__module__ == module.__name__
]
REMAKE = "src/sessionstore_contract/wire_defects.json is not current: make docs"
NAMES = {clause.id for clause in CLAUSES}
AREAS = (
    sessions,
    costs,
    histories,
    refusals,
    identity,
    access,
    traffic,
    races,
    kept,
    leaving,
    housekeeping,
)


def platform_of(kind: type[PlainPlatform], url: str | None = None) -> Platform:
    return Platform(
        kind.__name__,
        url=url,
        app=None if url else kind(),
        token=kind.token,
        reader_token=kind.reader,
        adding=["cost-read", "retention", *(["auth"] if kind.token else [])],
        body_limit=kind.limit,
    )


def findings_of(kind: type[PlainPlatform], clauses: Iterable[Clause] = CLAUSES) -> list[Finding]:
    with served(kind()) if kind.is_served else nullcontext(None) as url:
        report = check_platform_sync(
            platform_of(kind, url), clauses=clauses, seed=1, effort=EFFORTS["quick"]
        )
    return report.backends[0].findings


@pytest.fixture
def exact_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the long gap: it is for platforms that keep whole seconds."""
    monkeypatch.setattr(housekeeping, "GAPS", (0.02,))


every_mutant = pytest.mark.parametrize("kind", MUTANTS, ids=lambda kind: kind.__name__)


@every_mutant
@pytest.mark.usefixtures("exact_clocks")
def test_a_defect_is_named_by_the_clause_meant_for_it(kind: Any) -> None:
    """Its headline is the diagnosis, no clause that is drawn says so, and commands show it."""
    named = the_defect(kind).headlines
    is_named_by(
        kind,
        [one for one in CLAUSES if one.id in named or is_drawn(one.id, kind.__name__)],
    )


@pytest.mark.soak
@every_mutant
@pytest.mark.usefixtures("exact_clocks")
def test_a_defect_is_named_by_no_other_clause(kind: Any) -> None:
    """Every clause is tried, those that ask for long too."""
    is_named_by(kind, CLAUSES)


def is_named_by(kind: Any, clauses: Iterable[Clause]) -> None:
    defect = the_defect(kind)
    violated = {
        one.clause.id: one for one in findings_of(kind, clauses) if one.verdict is Verdict.VIOLATED
    }
    said = {
        clause: str(violated[clause].headline)[: len(headline)] if clause in violated else "held"
        for clause, headline in defect.headlines.items()
    }
    assert said == dict(defect.headlines)
    if not defect.is_everywhere:
        assert set(violated) == set(defect.headlines)
    shown = violated[defect.caught_by]
    assert shown.witness
    assert any("curl" in line for line in shown.program)
    assert "right-token" not in str(shown.packed())
    the_file_knows(kind, violated, {one.id for one in clauses})


def the_file_knows(kind: Any, violated: dict[str, Finding], tried: set[str]) -> None:
    """What was found is what the file of known defects says."""
    (known,) = (one for one in known_defects(WIRE_FILE) if one.name.endswith(f".{kind.__name__}"))
    headlines = {one: blanked(str(found.headline)) for one, found in violated.items()}
    said = {known.clause: known.headline, **known.consequences}
    assert {one: text for one, text in said.items() if one in tried} == headlines, REMAKE


def test_the_file_of_known_defects_names_every_mutant_and_clause() -> None:
    """`make docs` writes it anew: a mutant or a clause that came or went is seen at once."""
    known = {one.name.partition(".")[2]: one.clause for one in known_defects(WIRE_FILE)}
    assert known == {kind.__name__: the_defect(kind).caught_by for kind in MUTANTS}, REMAKE
    assert set(json.loads(WIRE_FILE.read_text("utf-8"))["failures"]) == NAMES, REMAKE


@pytest.mark.parametrize("kind", CORRECT, ids=lambda kind: kind.__name__)
def test_a_platform_of_another_make_is_not_accused(kind: type[PlainPlatform]) -> None:
    """Other statuses, other words, other ids, whole seconds: every clause that applies holds."""
    report = check_platform_sync(platform_of(kind), seed=1)
    said = {
        one.clause.id: one.headline or one.reason
        for one in report.backends[0].findings
        if one.verdict not in {Verdict.HELD, Verdict.NOT_APPLICABLE}
    }
    assert said == {}
    assert report.backends[0].conclusion is Conclusion.CONFORMANT


@pytest.mark.parametrize("kind", [PlainPlatform, KeepingPlatform, CancellingPlatform])
@pytest.mark.usefixtures("exact_clocks")
def test_a_platform_on_a_socket_is_not_accused(kind: type[PlainPlatform]) -> None:
    """A server of another make than uvicorn: it closes or keeps connections, or cancels writes."""
    with served(kind()) as url:
        report = check_platform_sync(platform_of(kind, url), seed=1)
    assert {one.verdict for one in report.backends[0].findings} == {Verdict.HELD}
    assert str(report.backends[0].server).startswith("Platform")


def test_nothing_is_left_on_a_platform() -> None:
    """What was made is removed again, and what others made is there still."""
    app = PlainPlatform()
    app.add("of-somebody-else").messages = '[{"content": "kept"}]'
    platform = Platform("shared", app=app, token=app.token, adding=["cost-read", "auth"])
    check_platform_sync(platform, effort=EFFORTS["quick"])
    assert set(app.rows) == {"of-somebody-else"}
    assert "kept" in app.rows["of-somebody-else"].messages


def test_a_platform_that_others_use_keeps_their_sessions() -> None:
    """Without a word that it is disposable, idle sessions of others are safe, and it is said."""
    app = PlainPlatform()
    app.add("of-somebody-else").active = 1e9
    platform = Platform("shared", app=app, token=app.token, adding=["retention"], disposable=False)
    report = check_platform_sync(platform, effort=EFFORTS["quick"])
    assert set(app.rows) == {"of-somebody-else"}
    (found,) = (one for one in report.backends[0].findings if one.clause.id == "wire.delete-before")
    assert found.verdict is Verdict.HELD
    assert "--disposable" in str(found.reason)


def test_every_clause_has_a_mutant() -> None:
    """A clause that no defect breaks proves nothing."""
    assert NAMES - {the_defect(kind).caught_by for kind in MUTANTS} == set()
    assert {clause for kind in MUTANTS for clause in the_defect(kind).headlines} <= NAMES


def test_every_rival_is_given_by_a_mutant() -> None:
    """A rival that no defect gives is a guess."""
    given = {
        (clause, headline)
        for kind in MUTANTS
        for clause, headline in the_defect(kind).headlines.items()
    }
    missing = {
        (clause, rival)
        for clause, rival in rivals()
        if not any(one == clause and matches(headline, rival) for one, headline in given)
    }
    assert missing == set()


def rivals() -> Iterator[tuple[str, tuple[str, ...]]]:
    for area in AREAS:
        tree = ast.parse(Path(str(area.__file__)).read_text("utf-8"))
        functions = {one.name: one for one in tree.body if isinstance(one, ast.AsyncFunctionDef)}
        for clause in CLAUSES:
            if clause.procedure.__module__ != area.__name__:
                continue
            for function in called_from(functions[clause.procedure.__name__], functions):
                for headline in headlines_in(function):
                    yield clause.id, headline
