"""The judge against brute force, on small random histories of every kind."""

from __future__ import annotations

from collections import Counter

import pytest

from sessionstore_contract.linearizability import Ruling, judge
from sessionstore_contract.linearizability.moves import puzzle_of
from sessionstore_contract.linearizability.search import Search

from .brute_force import has_an_order
from .histories import drawn
from .simulation import DEFECTS

QUICK = range(1_500)
BLOCK = 5_000
BLOCKS = range(1_000_000, 1_060_000, BLOCK)


def agree(seeds: range) -> Counter[tuple[str | None, bool]]:
    """Hold both against each other; count the histories by defect and verdict."""
    seen: Counter[tuple[str | None, bool]] = Counter()
    for seed in seeds:
        simulation, operations = drawn(seed)
        is_right = has_an_order(operations)
        assert is_right or simulation.is_planted, seed
        found = judge(operations)
        wanted = Ruling.EXPLAINED if is_right else Ruling.UNEXPLAINED
        assert found.ruling is wanted, seed
        plain = Search(puzzle_of(operations, foresight=False), foresight=False, limit=10**6)
        assert plain.run().is_explained is is_right, seed
        if not is_right:
            assert not has_an_order(found.counterexample), seed
            assert found.breaks_at in found.counterexample, seed
            assert len(found.counterexample) <= len(operations), seed
        seen[simulation.defect if simulation.is_planted else None, is_right] += 1
    return seen


def test_the_judge_agrees_with_brute_force() -> None:
    """On every history, with and without foresight; each defect was seen, and was found."""
    seen = agree(QUICK)
    assert all(seen[defect, False] > 1 for defect in DEFECTS), seen
    assert seen[None, True] > len(QUICK) / 4


@pytest.mark.soak
@pytest.mark.parametrize("first", BLOCKS)
def test_the_judge_agrees_with_brute_force_on_many(first: int) -> None:
    """The same on 60,000 others."""
    seen = agree(range(first, first + BLOCK))
    assert all(seen[defect, False] > 2 for defect in DEFECTS), seen
