"""Counterexamples: small, wrong by themselves, and made by removals that never make one wrong."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from sessionstore_contract.linearizability import Operation, Ruling, judge
from sessionstore_contract.linearizability import counterexample as shrinking
from sessionstore_contract.linearizability.moves import puzzle_of

from .brute_force import has_an_order
from .histories import DONE, HALF, drawn, written
from .simulation import WITHOUT_DELETE, Simulation

QUICK = range(600)
BLOCK = 5_000
BLOCKS = range(2_000_000, 2_020_000, BLOCK)


def test_only_what_shows_the_violation_is_left() -> None:
    """Other keys, other reads and other writes are gone; so is what came afterwards."""
    operations = written(
        (1, 2, "create", "s"),
        (3, 4, "update", {"a": 1, "b": 1}, True),
        (5, 6, "save", HALF, None),
        (7, 8, "exists", True),
        (9, 10, "get_cost_data", {"a": 1, "b": 1}),
        (11, 14, "update", {"b": 2, "c": 2}, True),
        (12, 13, "load", HALF),
        (15, 18, "get_cost_data", {"a": 1, "b": 1, "c": 2}),
        (16, 17, "save", DONE, None),
        (19, 20, "load", DONE),
    )
    found = judge(operations)
    assert [(one.id, one.call(), one.answered()) for one in found.counterexample] == [
        (1, "create()", "'s'"),
        (2, "update({'b': 1})", "True"),
        (6, "update({'b': 2})", "True"),
        (8, "get_cost_data()", "{'b': 1}"),
    ]
    assert [one.id for one in found.order] == [1, 2, 6]
    assert found.breaks_at == found.counterexample[-1]


def test_earlier_rounds_are_left_out_where_sessions_come_and_go() -> None:
    """What went before a quiet moment is cut to what leads to the same states."""
    calls: list[tuple[Any, ...]] = []
    for number in range(5):
        start = number * 10 + 1
        calls += [
            (start, start + 1, "save", [number], None),
            (start + 2, start + 4, "update", {"a": number}, True),
            (start + 3, start + 5, "delete", True),
            (start + 6, start + 7, "exists", False),
        ]
    operations = written(*calls, (61, 62, "exists", True))
    found = judge(operations)
    assert [(one.call(), one.answered()) for one in found.counterexample] == [("exists()", "True")]


@pytest.mark.parametrize("defect", ["lost update", "stale read", "torn update", "reset cost data"])
def test_a_long_history_becomes_a_handful(defect: str) -> None:
    """Of 400 operations of six clients a few are left."""
    found = 0
    for seed in range(3):
        simulation = Simulation(Random(seed), clients=6, mix=WITHOUT_DELETE, defect=defect)
        judgement = judge(simulation.history(400))
        if judgement.ruling is Ruling.UNEXPLAINED:
            found += 1
            assert len(judgement.counterexample) <= 6
    assert found > 0


def removals_keep_right(seeds: range) -> int:
    """Try every kind of removal on right histories; answer how many changed one."""
    changed = 0
    for seed in seeds:
        _, operations = drawn(seed)
        history = [one for one in operations if shrinking._counts(one)]
        if not has_an_order(history):
            continue
        for smaller in smaller_ones(history, Random(seed)):
            changed += smaller != history
            assert has_an_order(smaller), seed
    return changed


def smaller_ones(history: list[Operation], random: Random) -> list[list[Operation]]:
    """The history after each removal that would be tried, whatever it shows."""
    smaller = []
    ends = [one.ended for one in history if one.ended is not None]
    if ends:
        smaller.append(shrinking._cut(history, random.choice(ends)))
    for size in (1, 2, 4):
        chunk = random.sample(history, min(size, len(history)))
        smaller.append(shrinking._without_cluster(chunk, history))
    smaller += [
        [*filter(shrinking._counts, (shrinking._without_key(one, key) for one in history))]
        for key in shrinking._keys(history)
    ]
    puzzle = puzzle_of(history, foresight=False)
    work = shrinking._Shrinking(10**6)
    for size in shrinking._quiet(history):
        past, rest = history[:size], history[size:]
        fewer = shrinking._without(random.sample(past, random.randint(1, len(past))), past)
        if work._states(puzzle, past) <= work._states(puzzle, fewer):
            smaller.append([*fewer, *rest])
    return smaller


def test_no_removal_makes_a_right_history_wrong() -> None:
    """So what is left of a wrong one shows that the store is wrong."""
    assert removals_keep_right(QUICK) > 500


@pytest.mark.soak
@pytest.mark.parametrize("first", BLOCKS)
def test_no_removal_makes_any_of_many_right_histories_wrong(first: int) -> None:
    """The same on 20,000 others."""
    assert removals_keep_right(range(first, first + BLOCK)) > BLOCK
