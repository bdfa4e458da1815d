"""Each defect is seen on correct stores that have nothing in common, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import reference_backends
from sessionstore_contract.contract import AREAS, CLAUSES
from sessionstore_contract.contract.procedures import activity, leaks
from sessionstore_contract.defects import (
    DEFECTS,
    Defect,
    UnknownDefectError,
    Wrapper,
    defect_of,
    select,
    wrapped,
)
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, provided, try_clause
from sessionstore_contract.names import find
from sessionstore_contract.storage.selection import PostgresChoice
from sessionstore_contract.verdict import Finding, Verdict

from .own import MODEST

if TYPE_CHECKING:
    from sessionstore_contract import Backend
    from sessionstore_contract.clause import Clause

NULL, MEMORY, SQLITE = (
    reference_backends.NULL,
    reference_backends.MEMORY,
    reference_backends.SQLITE,
)
TAKES_A_NAME = "closing.forgotten-close-lets-the-process-end"
"""Opens the store in another process, which finds no wrapper by a name."""

BACKENDS = (NULL, MODEST, MEMORY, SQLITE)

HTTP = reference_backends.HTTP
"""For the defects that the others can't have: they have no server."""


def tried(clause: Clause, backend: Backend) -> Finding:
    conditions = Conditions(seed=1, effort=EFFORTS["quick"])
    with provided(backend, PostgresChoice("auto", "")) as storage:
        return try_clause(clause, backend, storage, conditions)


def pairs() -> list[tuple[Backend, Defect]]:
    """Every defect on every one of the backends that claims what it needs."""
    return [(backend, one) for backend in BACKENDS for one in DEFECTS if can_have(backend, one)] + [
        (HTTP, one) for one in DEFECTS if one.area == "faults" and can_have(HTTP, one)
    ]


def can_have(backend: Backend, defect: Defect) -> bool:
    """Answer whether a defect can be seen on a backend."""
    return defect.missing(wrapped(backend, defect.wrapper).capabilities) is None


@pytest.fixture
def exact_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the long gap: it is for stores that keep whole seconds.

    And the time for things to go away: what a wrapper leaves behind does not.
    """
    monkeypatch.setattr(activity, "GAPS", (0.01,))
    monkeypatch.setattr(leaks, "PATIENCE", 0.2)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda one: one.name)
def test_a_wrapper_without_a_defect_leaves_a_correct_store_correct(backend: Backend) -> None:
    """What a defect is caught by is its own doing."""
    bare = wrapped(backend, Wrapper)
    findings = [tried(clause, bare) for clause in CLAUSES if clause.id != TAKES_A_NAME]

    assert {one.verdict for one in findings} == {Verdict.HELD, Verdict.NOT_APPLICABLE}


def test_a_wrapper_passes_faults_on() -> None:
    """What a defect of the network is caught by is its own doing, too."""
    bare = wrapped(HTTP, Wrapper)
    findings = [tried(clause, bare) for clause in CLAUSES if clause.area == "faults"]

    assert {one.verdict for one in findings} == {Verdict.HELD}


def parameter(backend: Backend, defect: Defect) -> Any:
    """On SQLite as well, what can be seen on a dict is left to the soak."""
    is_left = backend is SQLITE and can_have(MEMORY, defect)
    marks = [pytest.mark.soak] if is_left else []
    return pytest.param(backend, defect, id=f"{backend.name}-{defect.name}", marks=marks)


@pytest.mark.parametrize(("backend", "defect"), [parameter(*pair) for pair in pairs()])
@pytest.mark.usefixtures("exact_clocks")
def test_a_defect_is_caught_by_the_clause_meant_for_it(backend: Backend, defect: Defect) -> None:
    """On a dict, on SQLite, and on stores that claim little."""
    finding = tried(defect.clause, wrapped(backend, defect.wrapper))

    assert finding.verdict is Verdict.VIOLATED, finding.reason
    assert finding.headline


def test_every_defect_can_be_seen_on_one_of_the_backends() -> None:
    """None needs what nobody claims."""
    assert {one.name for one in DEFECTS} == {one.name for _, one in pairs()}


def test_every_area_has_defects() -> None:
    """An area that no defect is meant for is not proved."""
    areas = {area.__name__.rpartition(".")[2] for area in AREAS}
    assert areas == {one.area for one in DEFECTS}


def test_a_name_means_one_defect() -> None:
    """It is told, chosen and counted by."""
    assert len({one.name for one in DEFECTS}) == len(DEFECTS)
    assert "save-resets-cost-data" in {one.name for one in DEFECTS}


def test_a_defect_is_found_by_its_address() -> None:
    """A worker process has nothing else to go by."""
    assert all(defect_of(find(one.address)) == one for one in DEFECTS)


def test_defects_are_selected_by_name_area_glob_and_address() -> None:
    """In the order asked for, each once."""
    assert select([]) == list(DEFECTS)
    assert {one.area for one in select(["cost", "messages"])} == {"cost", "messages"}
    assert [one.name for one in select(["merge-goes-*", "merge-goes-deep"])] == ["merge-goes-deep"]
    assert [one.name for one in select(["tests.defects.own:DoesNothing"])] == ["does-nothing"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("merge-goes-dep", "no defect 'merge-goes-dep'; did you mean merge-goes-deep"),
        ("nowhere:Class", "module 'nowhere' can't be imported"),
        ("tests.defects.own:IsNoDefect", "tests.defects.own:IsNoDefect is no defect"),
    ],
)
def test_a_defect_that_does_not_exist_is_told_in_one_line(name: str, line: str) -> None:
    """With the nearest that do."""
    with pytest.raises(UnknownDefectError, match=r"^[^\n]+$") as raised:
        select([name])
    assert line in str(raised.value)


def test_a_class_below_a_defect_is_none_by_itself() -> None:
    """Only what stands under @defect declares one."""
    parent = DEFECTS[0].wrapper
    assert defect_of(type("Child", (parent,), {})) is None
