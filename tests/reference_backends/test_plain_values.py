"""What is plain at a glance, held against the rule that looks at every value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_backends import rules
from reference_backends.plain_values import MANY_OBJECTS, is_plain

from .any_values import ANYTHING


@given(st.lists(ANYTHING, max_size=8))
def test_a_plain_value_keeps_the_rule(value: list[Any]) -> None:
    """What is plain at a glance is what the rule finds nothing wrong with."""
    if is_plain(value, max_depth=rules.MAX_DEPTH):
        for number, item in enumerate(value):
            rules.check_members([item], 0)
            rules.check_cost_data({str(number): item})


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "\x00", 1]), ANYTHING, max_size=3),
    st.integers(0, MANY_OBJECTS),
)
@example({"a": 1, "b": "\x00"}, 1)
@example({"a": float("nan"), "b": 1}, MANY_OBJECTS)
def test_many_of_the_same_names_are_looked_at_one_by_one(odd: dict[Any, Any], place: int) -> None:
    """One that differs among messages that are alike, in a value or a name, is seen."""
    members: list[Any] = [{"a": number, "b": None} for number in range(MANY_OBJECTS + 1)]
    members[place] = odd
    assert is_plain(members, max_depth=10) is is_plain(odd, max_depth=9)


@pytest.mark.parametrize("depth", [rules.MAX_DEPTH - 1, rules.MAX_DEPTH, rules.MAX_DEPTH + 1])
def test_depth_is_counted_alike(depth: int) -> None:
    """A level more than is kept is not plain; the deepest that is kept is."""
    deep: list[Any] = ["x"]
    for _ in range(depth - 1):
        deep = [deep]
    assert is_plain(deep, max_depth=rules.MAX_DEPTH) is (depth <= rules.MAX_DEPTH)


def test_what_holds_itself_is_not_plain() -> None:
    """Looking at it comes to an end."""
    endless: list[Any] = [1]
    endless += [endless, endless]
    assert is_plain(endless, max_depth=rules.MAX_DEPTH) is False
