"""Equality, copying and wording of JSON values."""

from __future__ import annotations

import copy
import math
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore_contract import values

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Hostile:
    """Raises whatever is asked of it."""

    def __init__(self, error: type[BaseException] = ValueError) -> None:
        vars(self)["error"] = error

    def __eq__(self, other: object) -> NoReturn:
        raise vars(self)["error"]("eq")

    def __hash__(self) -> NoReturn:
        raise vars(self)["error"]("hash")

    def __repr__(self) -> NoReturn:
        raise vars(self)["error"]("repr")

    def __len__(self) -> NoReturn:
        raise vars(self)["error"]("len")

    def __bool__(self) -> NoReturn:
        raise vars(self)["error"]("bool")


class HostileList(list[Any]):
    """A list that can't be looked into."""

    def __len__(self) -> NoReturn:
        raise SystemExit("len")

    def __iter__(self) -> NoReturn:
        raise SystemExit("iter")

    def __repr__(self) -> NoReturn:
        raise SystemExit("repr")


class Disguised:
    """Says that it is a dict, and is none."""

    __class__ = dict  # type: ignore[assignment]


def nested(levels: int) -> Any:
    value: Any = "deep"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (1, 1.0),
        (True, 1.0),
        (0, False),
        (0.0, -0.0),
        (math.nan, math.nan),
        (None, False),
        ("1", 1),
        ([], {}),
        ([], None),
        ([1], (1,)),
        (b"a", "a"),
        ({"n": [1]}, {"n": [1.0]}),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": 1}),
        ({"a": None}, {}),
        ({1: "a"}, {1: "a"}),
        ("é", "e\u0301"),
        (2**53, float(2**53)),
    ],
)
def test_different_json_is_not_equal(left: Any, right: Any) -> None:
    """What Python calls equal, and JSON does not, is not equal here."""
    assert not values.are_equal(left, right)
    assert not values.are_equal(right, left)


@pytest.mark.parametrize("value", [None, True, 0, -0.0, 1.5, "", "\ud800", [], {}, [{"a": [None]}]])
def test_the_same_json_is_equal(value: Any) -> None:
    """A value equals another object that is the same JSON."""
    assert values.are_equal(value, copy.deepcopy(value))


def test_the_order_of_keys_does_not_matter() -> None:
    """Objects are equal whatever the order of their keys."""
    assert values.are_equal({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not values.are_equal([1, 2], [2, 1])


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        ({"n": 2}, {"n": 2.0}, True),
        (1, True, False),
        (1.0, True, False),
        (1, 2.0, False),
    ],
)
def test_kinds_of_numbers_can_be_left_out(left: Any, right: Any, equal: bool) -> None:
    """Without the kinds of numbers, an integer equals a float of its value, never a boolean."""
    assert values.are_equal(left, right, kinds_of_numbers=False) is equal


def test_an_integer_past_the_floats_differs_from_the_float_next_to_it() -> None:
    """Numbers are compared exactly, not as floats."""
    assert not values.are_equal(2**53 + 1, float(2**53), kinds_of_numbers=False)


@given(JSON)
def test_a_copy_is_equal_and_apart(value: Any) -> None:
    """A copy is the same JSON, and shares no list and no dict with what it was made of."""
    made = values.copy(value)
    assert values.are_equal(made, value)
    assert not _containers(made) & _containers(value)


def _containers(value: Any) -> set[int]:
    inside = (
        value
        if isinstance(value, list)
        else list(value.values())
        if isinstance(value, dict)
        else []
    )
    own = {id(value)} if isinstance(value, list | dict) else set()
    return own.union(*map(_containers, inside))


@given(JSON, JSON)
def test_equality_is_stricter_than_pythons(left: Any, right: Any) -> None:
    """What is equal here is equal in Python, and equality goes both ways."""
    assert values.are_equal(left, right) is values.are_equal(right, left)
    assert left == right or not values.are_equal(left, right)


@pytest.mark.parametrize("error", [ValueError, RecursionError, SystemExit, KeyboardInterrupt])
def test_hostile_objects_are_equal_to_nothing(error: type[BaseException]) -> None:
    """Comparing never raises, whatever an object does when it is looked at."""
    hostile = Hostile(error)
    assert not values.are_equal(hostile, 1)
    assert not values.are_equal(hostile, hostile)
    assert not values.are_equal([hostile], [1])
    assert not values.are_equal({"a": hostile}, {"a": {}})
    assert not values.are_equal(HostileList([1]), [1])
    assert not values.are_equal([1], HostileList([1]))


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_hostile_objects_are_worded_and_kept(error: type[BaseException]) -> None:
    """Wording says what an object did, and a copy holds the object itself."""
    hostile, unreadable = Hostile(error), HostileList([1])
    assert values.word([hostile]) == f"[<Hostile whose repr raises {error.__name__}>]"
    assert values.word(unreadable) == "<HostileList whose repr raises SystemExit>"
    copied = values.copy([hostile, unreadable])
    assert copied[0] is hostile
    assert copied[1] is unreadable


def test_an_object_in_disguise_is_what_its_type_says() -> None:
    """`__class__` can say anything; the kind is that of the type."""
    assert values.kind(Disguised()) == "Disguised"
    assert not values.are_equal(Disguised(), {})


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "integer"),
        (1.0, "float"),
        ("", "text"),
        ([], "array"),
        ({}, "object"),
        ((), "tuple"),
        (type("Evil\x1b[31m", (), {})(), r"Evil\x1b[31m"),
    ],
)
def test_kinds_have_json_names(value: Any, name: str) -> None:
    """Each JSON kind has its name, and anything else that of its type."""
    assert values.kind(value) == name


def test_deep_nesting_is_no_crash() -> None:
    """5,000 levels are compared, copied and worded like any other value."""
    deep = nested(5_000)
    copied = values.copy(deep)
    assert values.are_equal(deep, copied)
    assert not values.are_equal(deep, nested(4_999))
    assert len(values.word(deep)) < 410


def test_a_value_that_holds_itself_is_no_endless_loop() -> None:
    """A cycle is compared, copied and worded."""
    cycle: list[Any] = [1]
    cycle.append(cycle)
    copied = values.copy(cycle)
    assert copied is not cycle
    assert copied[1] is copied
    assert values.are_equal(cycle, copied)
    assert not values.are_equal(cycle, [1, [1, None]])
    assert len(values.word(cycle)) < 410


@pytest.mark.parametrize(
    ("value", "beginning", "ending"),
    [
        ("a" * 10_000_000, "'aaa", "(10,000,000 characters)"),
        (["a" * 10_000_000] * 3, "['aaa", "(10,000,000 characters)]"),
        ({"a" * 10_000_000: 1}, "{'aaa", "(10,000,000 characters): 1}"),
        (b"a" * 10_000_000, "b'aaa", "aaa..."),
        ([0] * 10_000_000, "[0, 0", "0, ..."),
    ],
)
def test_large_values_are_worded_in_one_short_line(value: Any, beginning: str, ending: str) -> None:
    """Ten megabytes take some 400 characters, and what was left out is said."""
    text = values.word(value)
    assert text.startswith(beginning)
    assert text.endswith(ending)
    assert len(text) <= 403


@given(st.recursive(JSON | st.binary() | st.characters(), st.lists, max_leaves=10))
def test_wording_is_one_printable_line(value: Any) -> None:
    """Whatever is worded fits in a line, and holds nothing that a terminal acts on."""
    text = values.word(value)
    assert text.isprintable()
    assert len(text) <= 403


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\x1b[31mred", r"'\x1b[31mred'"),
        ("a\nb\r\tc\x00", r"'a\nb\r\tc\x00'"),
        ("\ud800", r"'\ud800'"),
        ("\u202eabc", r"'\u202eabc'"),
        ({"\x1b": "\x07"}, r"{'\x1b': '\x07'}"),
        ("naïve ☃", "'naïve ☃'"),
        ({"a": [1, True, None, 1.0]}, "{'a': [1, True, None, 1.0]}"),
    ],
)
def test_wording_escapes_what_a_terminal_acts_on(value: Any, text: str) -> None:
    """Control characters and surrogates are escaped, letters stay."""
    assert values.word(value) == text


def test_foreign_text_is_made_printable() -> None:
    """A foreign text is cut, and escaped character by character."""
    assert values.printable("a\x1b[2J\nb\ud800\\'") == r"a\x1b[2J\nb\ud800\'"
    assert values.printable("abcdef", limit=3) == "abc..."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::no", r"\x3a:error::no"),
        ("  ::add-mask::a", r"  \x3a:add-mask::a"),
        ("::warning file=a,line=1::no", r"\x3a:warning file=a,line=1::no"),
        ("x ##[group]y", r"x ##\x5bgroup]y"),
        ("::1", "::1"),
        ("a::b::c", "a::b::c"),
        ("[::1]:80", "[::1]:80"),
        ("# [x]", "# [x]"),
    ],
)
def test_no_text_is_a_command_to_a_log(text: str, shown: str) -> None:
    """GitHub acts on such lines; whatever a store says, they are words."""
    assert values.printable(text) == shown
