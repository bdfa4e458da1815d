"""Values worded and read by the faster library: the same as by the standard one, or not at all."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_backends import json_text, rules
from sessionstore_contract.interface import UnstorableValueError
from sessionstore_contract.values import are_equal

from .any_values import ANYTHING, TEXTS, outcome


class Name(StrEnum):
    """A text that is of a subclass."""

    ONE = "one"


class Number(IntEnum):
    """An integer that is."""

    ONE = 1


@given(st.lists(ANYTHING | st.sampled_from(Name) | st.sampled_from(Number), max_size=8))
def test_the_fast_encoder_words_the_same_values(value: list[Any]) -> None:
    """What was checked reads alike, whichever library has worded it."""
    try:
        rules.check_messages(value)
    except UnstorableValueError:
        return
    assert are_equal(
        json_text.decode(json_text.encode(value)),
        json_text.decode(json_text.encode_strictly(value)),
    )


@pytest.mark.parametrize(
    "value",
    [
        OrderedDict(b=1, a=[Name.ONE, Number.ONE]),
        defaultdict(int, n=2**64),
        [2**63, -(2**63), 2**64, -(2**64), 10**4000, 1e16, 1e-7, -0.0, 5e-324, 1.7e308],
        {"\u2028\x7f\x01": "\U0001f600\ufffe"},
    ],
    ids=lambda value: type(value).__name__,
)
def test_so_it_does_for_what_is_rare(value: Any) -> None:
    """Subclasses, large and small numbers, odd characters."""
    rules.check_messages([value])
    words = json_text.encode(value), json_text.encode_strictly(value)
    assert are_equal(json_text.decode(words[0]), json_text.decode(words[1]))


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": object()}])
def test_what_was_not_checked_is_not_worded_as_something_else(value: Any) -> None:
    """NaN is no null for whoever answers what another store has kept."""
    with pytest.raises((ValueError, TypeError)):
        json_text.encode_strictly(value)


@given(text=st.builds(json.dumps, ANYTHING, indent=st.none() | st.integers(0, 2)) | TEXTS)
def test_what_is_read_at_once_is_what_json_reads(text: str) -> None:
    """Whatever reads it: the value with its kinds, or the failure in the same words."""
    body = text.encode(errors="surrogatepass")
    for one in (text, body):
        assert outcome(lambda one=one: json_text.decode(one)) == outcome(
            lambda one=one: json.loads(one)
        )


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '[{"a":1,"b":2,"a":3}]',
        '{"a":{"b":[],"b":[]}}',
        "NaN",
        "[1e999]",
        '{"a":1} ',
        "1.50",
        "1E5",
        '"\\u0061"',
    ],
)
def test_what_would_lose_something_is_not_read_back(text: str) -> None:
    """Such as a member that is named twice, or anything in a wording that is not ours."""
    with pytest.raises(ValueError, match=r"^(worded otherwise|not read|the extra `fast` is not)"):
        json_text.read_back(text.encode())


def test_what_we_word_is_read_back() -> None:
    """Without the extra `fast` nothing is, and `json` reads it."""
    value = [{"a": 1.5, "b": [None, "ä", 2**70, -0.0]}, 1e22]
    text = json_text.encode(value).encode()
    if json_text._FAST is None:
        with pytest.raises(ValueError, match="`fast` is not installed"):
            json_text.read_back(text)
    else:
        assert repr(json_text.read_back(text).value) == repr(value)


@pytest.mark.skipif(json_text._FAST is None, reason="the extra `fast` is not installed")
@given(value=ANYTHING)
@example({"messages": [{"role": "user", "content": "a\\u0000b"}]})
@example([[[[[[[[["deep"]]]]]]]]])
@example(["\x00"])
@example([2**63, -(2**63) - 1, 10**4290])
@example([{"a": 1.5, "b": [None, True, {"c": [{"d": -1}]}]}])
def test_what_is_plain_when_it_is_read_back_keeps_the_rule(value: Any) -> None:
    """Of what is read back and plain, nothing is refused by a look at every value."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        found, is_plain = json_text.read_back(text.encode())
    except ValueError:
        return
    if is_plain:
        rules.check_messages([found])


@pytest.mark.skipif(json_text._FAST is None, reason="the extra `fast` is not installed")
def test_the_room_for_a_text_is_used_for_a_shorter_one() -> None:
    """Nothing of the longer one is left in it, and of a very long one it is not kept."""
    pytest.importorskip("msgspec")
    for length in (10_000, 10, 0, 300_000, 2**22, 1):
        value = [{"content": "x" * length}]
        assert json_text.read_back(json_text.encode(value).encode()).value == value
        assert [len(room) <= 2**22 for room in json_text._ROOM] in ([], [True])


def test_threads_that_read_at_once_have_room_of_their_own() -> None:
    """The library holds the interpreter while it words, and lets go of it before the comparison."""
    pytest.importorskip("msgspec")
    values = [[{"content": letter * 50_000}] for letter in "abcdefgh"]

    def read(value: list[Any]) -> bool:
        text = json_text.encode(value).encode()
        return all(json_text.read_back(text).value == value for _ in range(300))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(values)) as pool:
            assert all(pool.map(read, values))
    finally:
        sys.setswitchinterval(before)


def test_a_common_history_is_plain_when_it_is_read_back() -> None:
    """With calls of tools, line breaks and figures in it."""
    call = {"id": "1", "function": {"name": "f", "arguments": '{"a": [1]}'}}
    messages = [{"content": "a\n\\b", "tool_calls": [call]}, {"n": [2**63 - 1, 1e22, None]}]
    text = json_text.encode({"messages": messages}).encode()
    assert json_text.read_back(text) == ({"messages": messages}, True)
