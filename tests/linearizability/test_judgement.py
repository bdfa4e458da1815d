"""Judgements on histories written by hand, for each operation and each outcome."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from sessionstore_contract.linearizability import (
    Judgement,
    Outcome,
    Ruling,
    UnconfirmedError,
    judge,
    judgement,
    refute,
)
from sessionstore_contract.model import REFUSED

from .histories import DONE, HALF, written
from .simulation import Simulation

CREATE = (1, 2, "create", "s")

EXPLAINED: dict[str, list[tuple[Any, ...]]] = {
    "nothing was asked": [],
    "a read sees a write that is under way": [
        CREATE,
        (3, 8, "save", HALF, None),
        (4, 5, "load", HALF),
    ],
    "a read does not see a write that is under way": [
        CREATE,
        (3, 8, "save", HALF, None),
        (4, 5, "load", []),
    ],
    "a save makes the session": [(1, 2, "save", HALF, None), (3, 4, "get_cost_data", {})],
    "a save keeps cost data": [
        CREATE,
        (3, 4, "update", {"a": 1}, True),
        (5, 6, "save", HALF, None),
        (7, 8, "get_cost_data", {"a": 1}),
    ],
    "a missing session answers as one": [
        (1, 2, "load", None),
        (3, 4, "get_cost_data", {}),
        (5, 6, "exists", False),
        (7, 8, "update", {"a": 1}, False),
        (9, 10, "update", None, False),
        (11, 12, "delete", False),
    ],
    "an update without fields asks whether the session exists": [
        CREATE,
        (3, 4, "update", None, True),
        (5, 6, "update", {}, True),
    ],
    "the second create is refused": [(1, 4, "create", REFUSED), (2, 3, "create", "s")],
    "a deleted session begins anew": [
        CREATE,
        (3, 4, "update", {"a": 1}, True),
        (5, 6, "delete", True),
        (7, 8, "save", HALF, None),
        (9, 10, "get_cost_data", {}),
    ],
    "an update before the delete that is under way": [
        CREATE,
        (3, 9, "delete", True),
        (4, 5, "update", {"a": 1}, True),
    ],
    "an unknown save took effect": [CREATE, (3, None, "save", HALF, None), (4, 5, "load", HALF)],
    "an unknown save took no effect": [CREATE, (3, None, "save", HALF, None), (4, 5, "load", [])],
    "an unknown save takes effect late": [
        CREATE,
        (3, None, "save", HALF, None),
        (4, 5, "load", []),
        (6, 7, "load", HALF),
    ],
    "an unknown create was made": [(1, None, "create", None), (2, 3, "exists", True)],
    "an unknown delete came before a create": [
        CREATE,
        (3, None, "delete", None),
        (4, 5, "create", "s"),
    ],
    "a delete_before removed it": [
        CREATE,
        (3, 6, "delete_before", None, 1),
        (4, 7, "exists", False),
    ],
    "a delete_before left it": [CREATE, (3, 4, "delete_before", None, 7), (5, 6, "exists", True)],
    "a delete removed it, not the delete_before of the same time": [
        CREATE,
        (3, 8, "delete_before", None, 0),
        (4, 20, "delete", True),
        (5, 6, "exists", False),
    ],
    "a save that nobody read made the session anew": [
        CREATE,
        (3, 5, "save", HALF, None),
        (4, 20, "save", DONE, None),
        (6, 7, "load", HALF),
        (8, 9, "delete", True),
        (21, 22, "exists", True),
    ],
    "the same value was written twice": [
        CREATE,
        (3, 4, "save", HALF, None),
        (5, 6, "save", DONE, None),
        (7, 8, "save", HALF, None),
        (9, 10, "load", HALF),
    ],
}

UNEXPLAINED: dict[str, list[tuple[Any, ...]]] = {
    "a value that nobody wrote": [CREATE, (3, 4, "load", HALF)],
    "a value before it was written": [
        CREATE,
        (3, 4, "load", HALF),
        (5, 6, "save", HALF, None),
    ],
    "a lost save": [CREATE, (3, 4, "save", HALF, None), (5, 6, "load", [])],
    "a stale read after a new one": [
        CREATE,
        (3, 10, "save", HALF, None),
        (4, 5, "load", HALF),
        (6, 7, "load", []),
    ],
    "a torn update": [
        CREATE,
        (3, 9, "update", {"a": 1, "b": 1}, True),
        (4, 5, "get_cost_data", {"a": 1}),
    ],
    "reads that disagree on the order of writes": [
        CREATE,
        (3, 20, "update", {"a": 1}, True),
        (4, 21, "update", {"b": 1}, True),
        (5, 6, "get_cost_data", {"a": 1}),
        (7, 8, "get_cost_data", {"b": 1}),
    ],
    "messages and cost data that were never there together": [
        CREATE,
        (3, 4, "save", HALF, None),
        (5, 6, "update", {"a": 1}, True),
        (7, 8, "get_cost_data", {"a": 1}),
        (9, 10, "load", []),
    ],
    "cost data reset by a save": [
        CREATE,
        (3, 4, "update", {"a": 1}, True),
        (5, 6, "save", HALF, None),
        (7, 8, "get_cost_data", {}),
    ],
    "an update of a session that is gone": [
        CREATE,
        (3, 4, "delete", True),
        (5, 6, "update", {"a": 1}, True),
    ],
    "a deleted session that is back": [
        CREATE,
        (3, 4, "delete", True),
        (5, 6, "exists", True),
    ],
    "two creates that both won": [(1, 3, "create", "s"), (2, 4, "create", "s")],
    "a create that is refused for no session": [(1, 2, "create", REFUSED)],
    "two deletes that both won": [CREATE, (3, 5, "delete", True), (4, 6, "delete", True)],
    "an unknown save that was there and is gone": [
        CREATE,
        (3, None, "save", HALF, None),
        (4, 5, "load", HALF),
        (6, 7, "load", []),
    ],
    "an unknown update makes no session": [
        (1, None, "update", {"a": 1}, None),
        (2, 3, "exists", True),
    ],
    "a delete_before that was over before": [
        (1, 2, "delete_before", None, 0),
        (3, 4, "create", "s"),
        (5, 6, "exists", False),
    ],
    "True for 1": [CREATE, (3, 4, "update", {"a": 1}, True), (5, 6, "get_cost_data", {"a": True})],
    "an answer of another kind": [CREATE, (3, 4, "exists", 1)],
    "messages that are no list": [CREATE, (3, 4, "load", {})],
    "cost data that is no object": [CREATE, (3, 4, "get_cost_data", None)],
    "a key that is no text": [
        CREATE,
        (3, 4, "update", {"1": 2}, True),
        (5, 6, "get_cost_data", {1: 2}),
    ],
    "an object that is no JSON": [CREATE, (3, 4, "load", [object()])],
}


@pytest.mark.parametrize("calls", EXPLAINED.values(), ids=EXPLAINED)
def test_what_some_order_explains_is_explained(calls: list[tuple[Any, ...]]) -> None:
    """The order is there, and the model confirms it."""
    operations = written(*calls)
    found = judge(operations)
    assert found.ruling is Ruling.EXPLAINED
    assert refute(operations, found.order) is None
    assert (found.counterexample, found.breaks_at) == ((), None)


@pytest.mark.parametrize("calls", UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_what_no_order_explains_is_found(calls: list[tuple[Any, ...]]) -> None:
    """With a counterexample, and the operation at which every order breaks."""
    found = judge(written(*calls))
    assert found.ruling is Ruling.UNEXPLAINED
    assert found.breaks_at in found.counterexample
    assert found.breaks_at not in found.order


def test_what_failed_is_left_out() -> None:
    """It had no effect, and needs no place."""
    operations = written(CREATE, (3, 4, "save", HALF, None), (5, 6, "load", []))
    operations[1] = replace(operations[1], outcome=Outcome.FAILED)
    found = judge(operations)
    assert [one.id for one in found.order] == [1, 3]
    assert refute(operations, operations) == "operation 2 failed, and has a place in the order"


def test_the_limit_makes_a_history_undecided() -> None:
    """Never explained, and never a violation."""
    operations = Simulation(Random(0), clients=8).history(200)
    found = judge(operations, limit=3)
    assert found.ruling is Ruling.UNDECIDED
    assert found.order == found.counterexample == ()
    assert found.headline() == "no order was found among 4 situations, nor that none is"


def test_equal_histories_have_equal_judgements() -> None:
    """Nothing depends on chance."""
    operations = Simulation(Random(3), clients=4, defect="torn update").history(60)
    assert judge(operations) == judge(list(reversed(operations)))


def test_a_judge_that_contradicts_itself_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that the model does not confirm is no pass."""
    monkeypatch.setattr(judgement, "refute", lambda *_: "no")
    with pytest.raises(UnconfirmedError, match="no"):
        judge(written(CREATE))


def test_headlines() -> None:
    """One line says what was found."""
    assert judge(written(CREATE)).headline() == "an order of 1 operations explains every answer"
    assert (
        judge(written(*UNEXPLAINED["a lost save"])).headline()
        == "no order of 2 operations explains that load() answers []"
    )
    assert (
        judge(written(*UNEXPLAINED["a value that nobody wrote"])).headline()
        == "nothing explains that load() answers [{'content': 'half'}]"
    )
    assert Judgement(Ruling.UNEXPLAINED, (), 1).headline() == "nothing explains their answers"


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ([1, 2, 3], None),
        ([1, 3], "the order lacks operation 2"),
        ([1, 1, 2, 3], "the order holds an operation twice, or one that was not recorded"),
        ([2, 1, 3], "operation 1 comes after one that was called when it was over"),
        ([1, 3, 2], "operation 3 answers [{'content': 'half'}], not []"),
    ],
)
def test_orders_are_refuted(order: list[int], reason: str | None) -> None:
    """Each demand by itself."""
    operations = written(CREATE, (3, 4, "save", HALF, None), (5, 6, "load", HALF))
    assert refute(operations, [operations[number - 1] for number in order]) == reason


def test_an_answer_that_the_model_does_not_give_is_refuted() -> None:
    """The model has the last word."""
    operations = written(CREATE, (3, 4, "load", HALF))
    assert refute(operations, operations) == "operation 2 answers [{'content': 'half'}], not []"
    refused = written((1, 2, "create", REFUSED))
    assert refute(refused, refused) == "operation 1 answers refused, not 'session'"
