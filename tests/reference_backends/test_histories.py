"""Histories worded and read in pieces: the same as in one go, and others have their turn."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import OrderedDict, defaultdict
from enum import IntEnum, StrEnum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_backends import histories, rest, rules
from reference_backends.plain_values import MANY_OBJECTS, is_plain
from sessionstore_contract.interface import UnstorableValueError
from sessionstore_contract.values import are_equal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**63 - 2, max_value=2**65)
    | st.floats()
    | st.text()
    | st.characters(categories=["Cs", "Cc"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)
TEXTS = st.text(st.sampled_from('[]{}:,"\\ \n1eE+-.tfn\ufeffNaN\x00'), max_size=40)


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be done in pieces, however short."""
    monkeypatch.setattr(histories, "GROUP", 1)
    monkeypatch.setattr(histories, "PIECE", 0.0)
    monkeypatch.setattr(histories, "IN_ONE_GO", 0.0)
    monkeypatch.setattr(rules, "DECODED_AT_ONCE", 1)
    monkeypatch.setattr(rest, "READ_BACK_AT_ONCE", 1)


def drive(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it without a loop: it gives up its turn, and waits for nothing."""
    while True:
        try:
            work.send(None)
        except StopIteration as ended:
            return ended.value


def outcome(answer: Any) -> str:
    try:
        return json.dumps(answer())
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"


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


@given(st.lists(ANYTHING, max_size=4), st.integers(0, rules.MANY))
@example([{"a": 1.5, "b": [[1]]}], rules.MANY)
def test_a_float_anywhere_is_told(value: list[Any], others: int) -> None:
    """Whoever words floats in a way of their own has to hear of each."""
    try:
        may_have = rules.check_members([*value, *range(others)], 0)
    except UnstorableValueError:
        return
    assert may_have or not any(map(has_float, value))


def has_float(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, float) or (isinstance(value, list) and any(map(has_float, value)))


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
    assert are_equal(rules.decode(rules.encode(value)), rules.decode(rules.encode_strictly(value)))


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
    words = rules.encode(value), rules.encode_strictly(value)
    assert are_equal(rules.decode(words[0]), rules.decode(words[1]))


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": object()}])
def test_what_was_not_checked_is_not_worded_as_something_else(value: Any) -> None:
    """NaN is no null for whoever answers what another store has kept."""
    with pytest.raises((ValueError, TypeError)):
        rules.encode_strictly(value)


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


@pytest.mark.parametrize(
    "value",
    ["a\x00", "\ud800", float("nan"), float("inf"), (1,), {1: "x"}, {"\x00": 1}, b""],
)
def test_one_wrong_value_among_many_is_named(value: Any) -> None:
    """It is found among the plain ones, and the message says where it is."""
    messages = [{"content": "plain"} for _ in range(40)]
    with pytest.raises(UnstorableValueError, match=r"^messages\[37\]\['content'\]"):
        rules.check_messages([*messages[:37], {"content": value}, *messages])


@given(text=st.builds(json.dumps, ANYTHING, indent=st.none() | st.integers(0, 2)) | TEXTS)
def test_what_is_read_at_once_is_what_json_reads(text: str) -> None:
    """Whatever reads it: the value with its kinds, or the failure in the same words."""
    body = text.encode(errors="surrogatepass")
    for one in (text, body):
        assert outcome(lambda one=one: rules.decode(one)) == outcome(
            lambda one=one: json.loads(one)
        )


@pytest.mark.usefixtures("in_small_pieces")
class TestInPieces:
    @given(value=st.lists(ANYTHING, max_size=8))
    def test_worded(self, value: list[Any]) -> None:
        """The text, or the refusal, is that of the whole."""
        whole = outcome(lambda: rules.encode(rules.check_messages(value)))
        pieces = outcome(lambda: drive(histories.worded(value)))
        assert pieces == whole

    @given(text=st.builds(json.dumps, ANYTHING, indent=st.none() | st.integers(0, 2)) | TEXTS)
    def test_read(self, text: str) -> None:
        """The value, or the failure, is that of the whole."""
        assert outcome(lambda: drive(histories.read(text))) == outcome(lambda: json.loads(text))

    @given(text=st.builds(json.dumps, ANYTHING, indent=st.none() | st.integers(0, 2)) | TEXTS)
    def test_read_strictly(self, text: str) -> None:
        """So it is where constants, and members named twice, are refused."""
        body = text.encode(errors="surrogatepass")
        assert outcome(lambda: drive(rest.read_in_pieces(body))) == outcome(
            lambda: rest.read_json(body)
        )

    async def test_the_text_is_of_the_moment_of_the_call(self) -> None:
        """What the caller does to the messages meanwhile is not in it."""
        messages: list[Any] = [{"role": "user", "parts": [{"n": number}]} for number in range(50)]
        expected = rules.encode(messages)
        wording = asyncio.create_task(histories.worded(messages))
        turns = 0
        while not wording.done():
            await asyncio.sleep(0)
            turns += 1
            if turns == 2:
                messages[40]["parts"][0]["n"] = "changed"
                del messages[10:30]
        assert await wording == expected
        assert turns > 40

    async def test_others_have_their_turn_while_it_is_read(self) -> None:
        """A history is read a piece at a time."""
        reading = asyncio.create_task(histories.read(json.dumps([{"n": n} for n in range(50)])))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        assert len(await reading) == 50
        assert turns > 10


@pytest.mark.parametrize(
    ("seconds", "turns"),
    [
        (lambda look: look * 1e-4, 0),
        (lambda look: look * 2e-4, 1),
        (lambda look: look**4 * 1e-8, 3),
    ],
    ids=["short", "a little longer", "long, which did not show at first"],
)
async def test_what_is_soon_done_is_done_in_one_go(
    seconds: Callable[[int], float], turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A little more than a piece costs less than to copy it; the others have their turn then."""
    monkeypatch.setattr(histories, "GROUP", 1)
    looks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: seconds(next(looks)))
    monkeypatch.setattr(histories, "time", clock)
    passed = 0

    async def count() -> None:
        nonlocal passed
        while True:
            await asyncio.sleep(0)
            passed += 1

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    messages = [{"n": number} for number in range(38)]
    assert await histories.worded(messages) == rules.encode(messages)
    counting.cancel()
    assert passed == turns
