"""A counterexample as Python: exact, whole, and as short as it is said to be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sessionstore_contract import program
from sessionstore_contract.expect import Demand
from sessionstore_contract.history import Step

from .replay import replay

CUTOFF = datetime(2037, 12, 31, tzinfo=UTC)


class Recording:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def __getattr__(self, operation: str) -> Any:
        async def call(*arguments: Any, **keywords: Any) -> Any:
            self.asked.append((operation, *arguments, keywords))
            return self.answer

        return call


def step(operation: str, *arguments: Any, answer: Any = None, instance: int = 1) -> Step:
    return Step(
        number=1,
        instance=instance,
        operation=operation,
        arguments=arguments,
        keywords={},
        is_expected=True,
        began=1,
        began_at=0.0,
        outcome="answered",
        answer=answer,
        answer_as_given=answer,
    )


def does_it_hold(answered: Any, demanded: Any, later: Any) -> bool:
    """Write the program of an answer, and play it with another answer."""
    lines = program.written([step("load", "s", answer=answered)], Demand(one_of=(demanded,)))
    try:
        replay(lines, lambda: Recording(later))
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(
    ("answered", "demanded"),
    [
        (True, 1),
        (1, True),
        ([1.0], [1]),
        ({"n": False}, {"n": 0}),
        (0.0, -0.0),
        (None, []),
        ([], None),
        (1, float("nan")),
        ("a", "\u00e9\ud800\U0001f600\u2028'\"\\\n"),
        ({}, {"a": [None, True, 0.5, float("inf")], "": {}}),
    ],
    ids=repr,
)
def test_the_program_tells_right_from_wrong_by_kind(answered: Any, demanded: Any) -> None:
    """It fails on the answer that was given, and passes on the one that is demanded."""
    assert not does_it_hold(answered, demanded, later=answered)
    assert does_it_hold(answered, demanded, later=demanded)


def test_arguments_are_exactly_what_they_were() -> None:
    """Whatever is special in them, and however long they are."""
    odd = {"text": "x" * 5000, "\ud800": ["\u202e", 2**70, -1.5, float("-inf"), None, False]}
    store = Recording()
    lines = program.written([step("save", "e\u0301", odd), step("delete_before", CUTOFF)], Demand())
    replay(lines, lambda: store)

    assert store.asked == [("save", "e\u0301", odd, {}), ("delete_before", CUTOFF, {})]
    assert "\n".join(lines).isascii()


def test_ids_that_a_store_made_are_variables() -> None:
    """Another store makes others."""
    steps = [
        step("create", answer="id-1"),
        step("create", answer="id-2"),
        step("exists", "id-2", answer=False),
    ]
    assert program.written(steps, Demand(one_of=(True,))) == (
        "session = await store.create()",
        "session_2 = await store.create()",
        "assert await store.exists(session_2) is True",
    )


def test_instances_have_names() -> None:
    """One that is opened in the middle is said to be."""
    beside = [step("create", "s", answer="s"), step("load", "s", instance=4)]
    assert program.written(beside, Demand(one_of=([],))) == (
        "# first, second: instances on one place",
        "await first.create('s')",
        "assert await second.load('s') == []",
    )
    anew = [step("create", "s", answer="s"), step("close"), step("load", "s", instance=4)]
    assert program.written(anew, Demand(one_of=([],))) == (
        "await first.create('s')",
        "await first.close()",
        "# second: opened on the same place, now that first is closed",
        "assert await second.load('s') == []",
    )


def test_what_was_refused_is_suppressed_and_what_must_be_is_demanded() -> None:
    """The program goes on behind a refusal, and fails without one at its end."""
    refused = replace(step("create", "s"), outcome="raised")
    lines = program.written([refused, step("create", "s", answer="s")], Demand(is_refusal=True))
    assert lines == (
        "import contextlib",
        "import pytest",
        "with contextlib.suppress(Exception):",
        "    await store.create('s')",
        "with pytest.raises(Exception):",
        "    await store.create('s')",
    )


def test_an_id_of_its_own_is_demanded() -> None:
    """What is taken, and what is no text, is not."""
    steps = [step("create", answer="id-1"), step("create", answer="id-1")]
    lines = program.written(steps, Demand(none_of=("", "id-1")))
    for wrong in ("id-1", "", None):
        with pytest.raises(AssertionError):
            replay(lines, lambda wrong=wrong: Recording(wrong))  # type: ignore[misc]


def test_what_is_too_long_or_no_value_is_said() -> None:
    """Never a program that lacks a part."""
    many = [step("load", "s")] * 61
    assert program.written(many, Demand()) == (program.TOO_LONG,)
    assert program.written([step("save", "s", ["x" * 8000])], None) == (program.TOO_LONG,)
    assert program.written([step("save", "s", [object()])], None) == (program.UNWRITABLE,)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert program.written([step("save", "s", deep)], None) == (program.UNWRITABLE,)


def test_a_demand_that_is_no_data_is_remarked() -> None:
    """The calls are there all the same."""
    assert program.written([step("load", "s")], None) == (
        "await store.load('s')  # not as demanded",
    )
