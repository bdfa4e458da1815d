from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_backends.json_text import decode, encode
from reference_backends.rules import (
    MANY,
    MAX_DEPTH,
    MAX_ID_LENGTH,
    MAX_INTEGER_BITS,
    check_cost_data,
    check_cutoff,
    check_id,
    check_members,
    check_messages,
    fresh_id,
)
from sessionstore_contract.interface import InvalidSessionIdError, UnstorableValueError

from .any_values import ANYTHING


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "session_id", ["a", "A b", "...", "%_?#/", "';--", "é", "e\u0301", "\U0001f600", "x" * 255]
)
def test_an_id_is_kept_as_it_is(session_id: str) -> None:
    """What can be an id is answered unchanged."""
    assert check_id(session_id) == session_id


@pytest.mark.parametrize(
    "session_id",
    [None, 1, b"a", "", ".", "..", "a\nb", "\x00", "\x7f", "\ud800", "x" * (MAX_ID_LENGTH + 1)],
)
def test_what_is_no_id_is_refused(session_id: object) -> None:
    """What can't be an id everywhere is refused, and is a ValueError too."""
    with pytest.raises(InvalidSessionIdError, match=r"id|URL") as caught:
        check_id(session_id)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -0.0, 1e300, 10**25, "", "\u2028", [], {}, {"": None}, nested(MAX_DEPTH - 1)],
    ids=lambda value: repr(value)[:20],
)
def test_a_json_value_comes_back_as_it_was(value: Any) -> None:
    """What the rule lets pass comes back with its type and sign."""
    text = encode(check_messages([value]))

    assert repr(decode(text)) == repr([value])


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "\x00",
        "\ud800",
        {"\x00": 1},
        {1: 1},
        (1,),
        {1},
        b"",
        datetime.now(UTC),
        nested(MAX_DEPTH),
        1 << MAX_INTEGER_BITS,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_can_not_be_kept_is_refused_with_its_place(value: Any) -> None:
    """The message leads to the value, wherever it is."""
    with pytest.raises(UnstorableValueError, match=r"^cost_data\['deep'\]\[0\]"):
        check_cost_data({"deep": [value]})


@pytest.mark.parametrize("messages", [None, {}, "text", ()])
def test_messages_are_a_list(messages: object) -> None:
    """Messages of another type are refused."""
    with pytest.raises(UnstorableValueError, match="messages are a list"):
        check_messages(messages)


@pytest.mark.parametrize("cost_data", [None, [], "text", 1])
def test_cost_data_is_an_object(cost_data: object) -> None:
    """Cost data of another type is refused."""
    with pytest.raises(UnstorableValueError, match="cost data is an object"):
        check_cost_data(cost_data)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5))])
def test_a_cutoff_with_an_offset_is_an_instant(zone: timezone) -> None:
    """An aware datetime of any offset is answered as it is in UTC."""
    cutoff = datetime(2024, 1, 2, tzinfo=zone)

    found = check_cutoff(cutoff)

    assert found == cutoff
    assert found.utcoffset() == timedelta(0)


def test_a_cutoff_past_the_ends_of_time_is_the_end() -> None:
    """No session was active beyond it: what goes and what stays is the same."""
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-14))

    assert check_cutoff(datetime.min.replace(tzinfo=east)) == datetime.min.replace(tzinfo=UTC)
    assert check_cutoff(datetime.max.replace(tzinfo=west)) == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "cutoff",
    [datetime(2024, 1, 2), date(2024, 1, 2), "2024-01-02", None],  # noqa: DTZ001
)
def test_a_cutoff_without_an_offset_is_refused(cutoff: object) -> None:
    """What is no instant is never taken for one."""
    with pytest.raises(ValueError, match="cutoff"):
        check_cutoff(cutoff)


def test_fresh_ids_are_ids_and_differ() -> None:
    """A fresh id carries 128 bits and passes the id rule."""
    made = {check_id(fresh_id()) for _ in range(100)}

    assert len(made) == 100
    assert {len(name) for name in made} == {32}


@given(st.lists(ANYTHING, max_size=4), st.integers(0, MANY))
@example([{"a": 1.5, "b": [[1]]}], MANY)
def test_a_float_anywhere_is_told(value: list[Any], others: int) -> None:
    """Whoever words floats in a way of their own has to hear of each."""
    try:
        may_have = check_members([*value, *range(others)], 0)
    except UnstorableValueError:
        return
    assert may_have or not any(map(has_float, value))


def has_float(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, float) or (isinstance(value, list) and any(map(has_float, value)))


@pytest.mark.parametrize(
    "value",
    ["a\x00", "\ud800", float("nan"), float("inf"), (1,), {1: "x"}, {"\x00": 1}, b""],
)
def test_one_wrong_value_among_many_is_named(value: Any) -> None:
    """It is found among the plain ones, and the message says where it is."""
    messages = [{"content": "plain"} for _ in range(40)]
    with pytest.raises(UnstorableValueError, match=r"^messages\[37\]\['content'\]"):
        check_messages([*messages[:37], {"content": value}, *messages])
