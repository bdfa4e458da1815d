"""Races on a correct store and on fifteen broken ones, scheduled by a seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstore_contract.linearizability import Ruling, overlapping_pairs
from sessionstore_contract.timeline_page import write_page

from .scheduling import judge_race, race
from .stores import BROKEN, RightStore, UpdateReadsThenWrites

SEEDS = 40
"""Seeds within which every broken store is found; in the quick test it is enough to find it."""


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__)
def test_every_broken_store_is_found(broken: type[RightStore]) -> None:
    """Within a stated number of seeds, with a counterexample of a few operations."""
    for seed in range(SEEDS):
        found = judge_race(broken, seed)
        if found.ruling is Ruling.UNEXPLAINED:
            assert len(found.counterexample) <= 20
            return
    pytest.fail(f"not found within {SEEDS} seeds")


def test_the_correct_store_is_not_accused() -> None:
    """Whatever the schedule."""
    for seed in range(50):
        assert judge_race(RightStore, seed).ruling is Ruling.EXPLAINED, seed


@pytest.mark.soak
@pytest.mark.parametrize("first", range(0, 10_000, 1_000))
def test_the_correct_store_is_never_accused(first: int) -> None:
    """In ten thousand seeded races of four sessions each."""
    for seed in range(first, first + 1_000):
        assert judge_race(RightStore, seed).ruling is Ruling.EXPLAINED, seed


def test_a_seed_plays_again_exactly(tmp_path: Path) -> None:
    """The same calls in the same schedule with the same answers, judgement and page."""
    for open_store in (RightStore, UpdateReadsThenWrites):
        assert race(open_store, 2) == race(open_store, 2)
        assert race(open_store, 2) != race(open_store, 3)
    first, again = (
        write_page(judge_race(UpdateReadsThenWrites, 2), tmp_path, name)
        for name in ("first", "again")
    )
    assert first.read_bytes() == again.read_bytes()


def test_the_clients_of_a_race_overlap() -> None:
    """Else nothing would be shown by it."""
    for operations in race(RightStore, 0):
        assert overlapping_pairs(operations) > len(operations)
