"""JSON that everybody reads in one way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_backends import rules
from reference_backends.strict_json import read_json

KEYS = st.sampled_from(["a", "b", ":", "a:b", '":', "\\u003a", ""])
VALUES = st.recursive(
    st.none() | st.integers(-2, 2) | st.sampled_from([0.5, 1e16]) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=3),
)


def word(value: Any, *, escapes: bool) -> str:
    """Word a value in which a list of pairs is an object, whatever its members are called."""
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        members = (
            f"{word(key, escapes=escapes)}:{word(one, escapes=escapes)}" for key, one in value
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(word(one, escapes=escapes) for one in value) + "]"
    text = json.dumps(value)
    return text.replace(":", "\\u003a") if escapes and isinstance(value, str) else text


def outcome(body: bytes) -> str:
    try:
        return repr(read_json(body))
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


@given(value=VALUES, escapes=st.booleans())
def test_a_member_that_is_named_twice_is_refused(value: Any, *, escapes: bool) -> None:
    """However its name is written, wherever colons are, and whatever reads it."""
    body = word(value, escapes=escapes).encode()
    fast = outcome(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "_FAST_DECODER", None)
        assert fast == outcome(body)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a":1,"a":1}', "an object names a member twice"),
        # As many colons as there are in what is read of it.
        ('{"a":"\\u003a","a":"\\u003a"}', "an object names a member twice"),
        ('[{"b":{"a":1,"a":2}}]', "an object names a member twice"),
        ("[NaN]", "NaN is no JSON number"),
        ("[1e999]", "a number is too large for a double"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=["twice", "twice, escaped", "twice, deeper", "NaN", "infinite", "deep"],
)
def test_what_others_read_otherwise_is_refused(text: str, problem: str) -> None:
    """In words that say what it is."""
    with pytest.raises(ValueError, match=problem):
        read_json(text.encode())
