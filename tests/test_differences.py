"""Where two long answers begin to differ."""

from __future__ import annotations

from typing import Any

import pytest

from sessionstore_contract.differences import first_difference
from sessionstore_contract.expect import Violation, expect

from .test_expect import answering


@pytest.mark.parametrize(
    ("answer", "demanded", "difference"),
    [
        ({"a": 1}, {"a": 1, "A": 2}, "the key 'A' is missing"),
        ({"a": 1, "b": 2}, {"a": 1}, "the key 'b' is nobody's"),
        ({"a": 1}, {"a": True}, "['a'] is 1, not True"),
        ([[1, {"n": []}]], [[1, {"n": [2]}]], "0 members, not 1 in [0][1]['n']"),
        ([1, "abcd"], [1, "abce"], "[1][3:] is 'd', not 'e'"),
        ("b", "c", " is 'b', not 'c'"),
        ([0.0], [{}], "[0] is 0.0, not {}"),
    ],
)
def test_a_difference_says_where(answer: Any, demanded: Any, difference: str) -> None:
    """What is missing comes before what differs further in."""
    assert first_difference(answer, demanded) == difference


async def test_two_answers_that_are_cut_alike_are_told_apart() -> None:
    """A headline does not say of something that it is not itself."""
    demanded = {f"key {number}": number for number in range(40)}
    answer = {**demanded, "key 30": 31}
    with pytest.raises(Violation) as violation:
        await expect(answering(answer)).to_be(demanded)
    assert violation.value.headline.endswith("...: ['key 30'] is 31, not 30")
