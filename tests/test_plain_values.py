"""What is plain is judged and copied as `values` does it, and the rest is left to that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore_contract import plain_values, values

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)


@given(plain, plain)
def test_two_values_are_judged_as_by_kind(left: Any, right: Any) -> None:
    """Either as the slow way does it, or not at all."""
    try:
        found = plain_values.are_equal(left, right)
    except plain_values.NotPlainError:
        return
    # Wrapped in what is not plain, both go the slow way.
    assert found == values.are_equal([left, 0.5], [right, 0.5])


@given(plain | st.floats())
def test_a_copy_is_equal_and_shares_nothing(value: Any) -> None:
    """Down to the last list."""
    found = plain_values.copy([value])
    assert repr(found) == repr([value])
    assert found[0] is not value or not isinstance(value, list | dict)


class Text(str):
    """A text that may do anything when it is compared."""

    __slots__ = ()


@pytest.mark.parametrize("value", [1.0, Text("a"), (1,), {1: 2}, [0.0], {"a": {Text("b"): 1}}])
def test_what_is_not_plain_is_not_judged(value: Any) -> None:
    """Floats have a sign at zero; of others nobody knows."""
    with pytest.raises(plain_values.NotPlainError):
        plain_values.are_equal(value, value)


def test_a_value_that_holds_one_list_in_many_places_is_left_to_the_slow_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which looks at each pair once, and is done."""
    monkeypatch.setattr(plain_values, "MOST", 10_000)
    nested: list[Any] = []
    for _ in range(60):
        nested = [nested, nested]
    with pytest.raises(plain_values.NotPlainError):
        plain_values.are_equal(nested, nested)
    with pytest.raises(plain_values.NotPlainError):
        plain_values.copy(nested)
    assert values.are_equal(nested, values.copy(nested))
