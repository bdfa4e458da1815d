"""What a seed draws hangs on the seed alone."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hypothesis import given, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from sessionstore_contract import drawing
from sessionstore_contract.drawing import Drawing
from sessionstore_contract.effort import THOROUGH
from sessionstore_contract.history import History

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONSTANT = 987_654_321_123


def drawn(count: list[int]) -> list[Any]:
    """Draw with one seed what a clause would."""
    Drawing(History(timeout=1.0), THOROUGH, print).run(st.integers(), 1, count.append)
    return count


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load a module of somebody's project."""
    (folder / "project_of_somebody.py").write_text(f"SAID = {CONSTANT}\n")
    monkeypatch.syspath_prepend(folder)
    importlib.import_module("project_of_somebody")


def test_a_seed_draws_the_same_whichever_modules_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has tried other clauses before has loaded others."""
    before = drawn([])
    load(tmp_path, monkeypatch)
    assert drawn([]) == before
    assert len(before) >= THOROUGH.examples


def test_older_releases_draw_as_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have no such module, and look for no constants."""
    before = drawn([])

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(drawing, "import_module", missing)
    assert len(drawn([])) >= THOROUGH.examples
    monkeypatch.undo()
    assert drawn([]) == before


def test_the_tests_of_others_draw_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same process, hypothesis goes on taking the constants of the project into account."""
    own = providers._get_local_constants
    drawn([])
    assert providers._get_local_constants is own
    load(tmp_path, monkeypatch)
    seen = []

    @seed(1)
    @settings(max_examples=10, database=None)
    @given(st.integers())
    def theirs(number: int) -> None:
        seen.append(number)

    theirs()
    assert seen
    # Which of them is drawn depends on how many the project has.
    assert CONSTANT in providers._get_local_constants().integers
