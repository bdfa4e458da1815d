"""How much a clause tries."""

from __future__ import annotations

import itertools

from sessionstore_contract.effort import EFFORTS, NORMAL


def test_efforts_grow() -> None:
    """Each effort tries more than the one before it, and may take longer."""
    assert list(EFFORTS) == ["quick", "normal", "thorough"]
    assert NORMAL is EFFORTS["normal"]
    for less, more in itertools.pairwise(EFFORTS.values()):
        assert less.examples < more.examples
        assert less.rounds < more.rounds
        assert less.size < more.size
        assert less.members < more.members
        assert less.sessions < more.sessions
        assert less.limit < more.limit


def test_normal_effort_goes_past_the_usual_cuts() -> None:
    """16 bits and the parameters of a statement; pages of a thousand."""
    assert NORMAL.members // 2 * 2 > 32_767
    assert NORMAL.sessions > 1_024
    assert EFFORTS["quick"].sessions > 128


def test_large_values_are_larger_than_a_text_column_at_every_effort() -> None:
    """65,535 bytes is where a common column type cuts."""
    assert all(effort.size > 65_535 for effort in EFFORTS.values())
