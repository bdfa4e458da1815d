"""The oracle: the contract on plain data."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore_contract import model
from sessionstore_contract.model import REFUSED, START, State, step

SECOND = timedelta(seconds=1)

NAMES = st.sampled_from(["a", "b", "c"])
SMALL = st.dictionaries(st.sampled_from(["k", "l"]), st.integers(0, 3) | st.none(), max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES),
        st.tuples(st.just("load"), NAMES),
        st.tuples(st.just("save"), NAMES, st.lists(SMALL, max_size=2)),
        st.tuples(st.just("update"), NAMES, st.none() | SMALL),
        st.tuples(st.just("get_cost_data"), NAMES),
        st.tuples(st.just("delete"), NAMES),
        st.tuples(st.just("exists"), NAMES),
        st.tuples(st.just("delete_before"), st.integers(0, 30)),
    ),
    max_size=30,
)


class Plain:
    """The same in three dicts, each changed in place."""

    def __init__(self) -> None:
        self.messages: dict[str, Any] = {}
        self.cost: dict[str, Any] = {}
        self.active: dict[str, datetime] = {}

    def step(self, now: datetime, operation: str, name: Any, value: Any = None) -> Any:
        match operation:
            case "create" if name in self.messages:
                return REFUSED
            case "create":
                self.messages[name], self.cost[name], self.active[name] = [], {}, now
                return name
            case "load":
                return self.messages.get(name)
            case "save":
                self.messages[name], self.active[name] = value, now
                self.cost.setdefault(name, {})
                return None
            case "update":
                if name in self.messages and value:
                    self.cost[name].update(value)
                    self.active[name] = now
                return name in self.messages
            case "get_cost_data":
                return self.cost.get(name, {})
            case "delete":
                return self._drop(name)
            case "delete_before":
                idle = [one for one, active in self.active.items() if active < name]
                return sum(self._drop(one) for one in idle)
        return name in self.messages

    def _drop(self, name: str) -> bool:
        self.active.pop(name, None)
        self.cost.pop(name, None)
        return self.messages.pop(name, None) is not None


def after(*steps: tuple[Any, ...], now: datetime = START) -> State:
    state: State = {}
    for operation, *arguments in steps:
        state, _ = step(state, operation, *arguments, now=now)
    return state


@given(STEPS)
def test_the_model_agrees_with_plain_dicts(program: list[tuple[Any, ...]]) -> None:
    """Step by step it answers what three dicts answer, and leaves the old state as it was."""
    state: State = {}
    plain = Plain()
    for number, (operation, first, *rest) in enumerate(program):
        now = START + number * SECOND
        subject = START + first * SECOND if operation == "delete_before" else first
        arguments, cost_data = ([], *rest) if operation == "update" else (rest, None)
        before = copy.deepcopy(state)
        old = state
        state, answer = step(old, operation, subject, *arguments, now=now, cost_data=cost_data)
        assert answer == plain.step(now, operation, subject, *copy.deepcopy(rest))
        assert old == before


def test_a_session_is_created_once() -> None:
    """The second time is refused, and changes nothing."""
    state = after(("create", "a"), ("save", "a", [1]))
    again, answer = step(state, "create", "a", now=START + SECOND)
    assert answer is REFUSED
    assert again == state
    assert repr(answer) == "refused"


def test_missing_is_not_empty() -> None:
    """No session is None, a session without messages is an empty list."""
    assert step({}, "load", "a", now=START)[1] is None
    assert step(after(("create", "a")), "load", "a", now=START)[1] == []


def test_a_save_makes_a_missing_session_and_leaves_cost_data_alone() -> None:
    """`save` is an upsert of the messages alone."""
    state, answer = step({}, "save", "a", [1], now=START)
    assert answer is None
    state, _ = step(state, "update", "a", cost_data={"n": 1}, now=START)
    state, _ = step(state, "save", "a", [2], now=START)
    assert step(state, "load", "a", now=START)[1] == [2]
    assert step(state, "get_cost_data", "a", now=START)[1] == {"n": 1}


def test_a_merge_is_one_level_deep() -> None:
    """Each key is replaced whole, and None is a value."""
    state = after(("create", "a"))
    state, _ = step(state, "update", "a", cost_data={"x": {"in": 1}, "y": 2}, now=START)
    state, _ = step(state, "update", "a", cost_data={"x": {"out": 3}, "y": None}, now=START)
    assert step(state, "get_cost_data", "a", now=START)[1] == {"x": {"out": 3}, "y": None}


@pytest.mark.parametrize("cost_data", [None, {}])
def test_an_update_without_fields_is_no_activity(cost_data: Any) -> None:
    """It answers whether the session exists, and writes nothing."""
    state = after(("create", "a"))
    assert step(state, "update", "a", cost_data=cost_data, now=START + SECOND) == (state, True)
    assert step(state, "update", "b", cost_data=cost_data, now=START + SECOND) == (state, False)


@pytest.mark.parametrize(
    ("cutoff", "removed"),
    [
        (START - SECOND, 0),
        (START, 0),
        (START + timedelta(microseconds=1), 1),
        (START.astimezone(timezone(timedelta(hours=5))), 0),
        (START.astimezone(timezone(timedelta(hours=-5))) + SECOND, 1),
        (datetime.max.replace(tzinfo=UTC), 1),
    ],
)
def test_delete_before_is_strictly_before(cutoff: datetime, removed: int) -> None:
    """A session of the very instant stays, whatever the offset of the cutoff."""
    state, answer = step(after(("create", "a")), "delete_before", cutoff, now=START)
    assert answer == removed
    assert len(state) == 1 - removed


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [("create", ()), ("load", (1,)), ("save", ("a", "text")), ("rename", ("a",)), ("close", ())],
)
def test_what_the_contract_says_nothing_of_is_no_step(
    operation: str, arguments: tuple[Any, ...]
) -> None:
    """The model answers nothing that it does not know."""
    with pytest.raises(ValueError, match=f"the model has no step {operation}"):
        model.step({}, operation, *arguments, now=START)
