"""What stands between a store and its files: a correct one holds, and what can't be is said."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import Backend, permissions
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.elsewhere import NamedPlace
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Verdict

from ..designs import files
from ..mutants.correct import DictStore, FileStore
from ..mutants.defect import backend
from ..places import in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.storage import Storage
    from sessionstore_contract.verdict import Finding

UNREADABLE = "durability.unreadable-files-are-not-empty"
LOCKED = "durability.foreign-lock-loses-nothing"
IDS = {
    "opening.missing-folder-is-made-or-told",
    "opening.foreign-file-is-kept",
    UNREADABLE,
    LOCKED,
}


@pytest.fixture(autouse=True)
def quick_places() -> Iterator[None]:
    with in_memory():
        yield


def tried(made: Backend, ids: set[str], storage: Storage | None = None) -> list[Finding]:
    conditions = Conditions(1, EFFORTS["quick"])
    return [
        try_clause(clause, made, storage or FileStorage(), conditions)
        for clause in CLAUSES
        if clause.id in ids
    ]


@pytest.mark.parametrize("store", files.DESIGNS, ids=lambda store: store.__name__)
def test_a_correct_store_may_do_as_it_likes(store: Any) -> None:
    """It makes the folder, moves a file aside, refuses when it is made, or goes on as before."""
    found = tried(backend(store), IDS)
    assert {one.clause.id: (one.verdict, one.headline) for one in found} == dict.fromkeys(
        IDS, (Verdict.HELD, None)
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="takes root")
def test_where_permissions_bind_nobody_there_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root that has not given up its right reads everything."""
    monkeypatch.setattr(permissions, "obeyed", nullcontext)
    (found,) = tried(backend(FileStore), {UNREADABLE})
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "files can't be made unreadable here: permissions bind nobody"


def test_a_place_that_is_no_path_is_not_spoiled() -> None:
    """What says that it writes files, and is opened elsewhere, has no verdict."""
    made = Backend("elsewhere", open=SharedStore, storage="dict://here", adding=["files"])
    found = tried(made, IDS, NamedPlace("dict://here"))
    assert {one.reason for one in found} == {"the place is no path: nothing can be put in its way"}


def test_what_is_beside_the_place_is_left_alone(tmp_path: Any) -> None:
    """At a place that was named only a folder of the clause's own is spoiled, and goes."""
    (tmp_path / "mine").write_text("mine")
    place = tmp_path / "sessions"
    made = Backend("named", open=FileStore, storage=str(place), adding=["files"])
    found = tried(made, IDS, NamedPlace(str(place)))
    assert {one.verdict for one in found} == {Verdict.HELD}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine", "sessions"]


class SharedStore(DictStore):
    """Keeps its sessions for whoever comes later."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.rows = ROWS


ROWS: dict[str, Any] = {}
