"""One answer held against what the clause demands."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import pytest

from sessionstore_contract.expect import (
    Violation,
    expect,
    expect_all_answered,
    expect_answer_or_error,
    violated,
)
from sessionstore_contract.history import Call, History


class Unlike:
    """Raises when it is compared."""

    def __eq__(self, other: object) -> NoReturn:
        raise SystemExit

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Unlike()"


def answering(answer: Any, operation: str = "load") -> Call[Any]:
    async def method() -> Any:
        return answer

    return Call(History(timeout=30.0), 1, operation, method)


def raising(error: BaseException, operation: str = "load") -> Call[Any]:
    async def method() -> NoReturn:
        raise error

    return Call(History(timeout=30.0), 1, operation, method)


def hanging() -> Call[Any]:
    return Call(History(timeout=0.01), 1, "load", asyncio.Event().wait)


async def test_the_answer_demanded_holds() -> None:
    """Nothing is raised, and the step is marked as the one that was judged."""
    call = answering({"a": [1]})
    await expect(call).to_be({"a": [1]})
    assert [step.is_expected for step in call.history.steps] == [True]


async def test_another_answer_is_a_violation() -> None:
    """Headline, demanded and answered are worded."""
    with pytest.raises(Violation) as caught:
        await expect(answering([1, 2])).to_be([1])
    assert caught.value.headline == "load answers [1, 2], not [1]"
    assert str(caught.value) == caught.value.headline
    assert (caught.value.demanded, caught.value.answered) == ("[1]", "[1, 2]")


async def test_the_rival_that_was_answered_is_the_headline() -> None:
    """A known defect is named; of several, the first that matches."""
    with pytest.raises(Violation) as caught:
        await expect(answering({"n": 2})).to_be(
            {"n": 1},
            rather_than={"keeps nothing": {}, "counts twice": {"n": 2}, "doubles": {"n": 2}},
        )
    assert caught.value.headline == "counts twice"
    assert caught.value.demanded == "{'n': 1}"


async def test_a_rival_is_matched_as_json() -> None:
    """True is not the rival 1: no defect is named that was not seen."""
    with pytest.raises(Violation, match="load answers True, not 0"):
        await expect(answering(True)).to_be(0, rather_than={"answers one": 1})


@pytest.mark.parametrize(
    ("answer", "demanded", "headline"),
    [
        (1, True, "load answers the integer 1"),
        (True, 1, "load answers the boolean True"),
        (1.0, 1, "load answers the float 1.0"),
        ({"n": 1.0}, {"n": 1}, "load answers {'n': 1.0}, not {'n': 1}"),
        (-0.0, 0.0, "load answers -0.0, not 0.0"),
        ((1,), [1], "load answers (1,), not [1]"),
        (Unlike(), 1, "load answers Unlike(), not 1"),
        ("\x1b[31m", "a", r"load answers '\x1b[31m', not 'a'"),
    ],
)
async def test_the_headline_says_what_differs(answer: Any, demanded: Any, headline: str) -> None:
    """Where only the kind differs, the kind is named; else both values are shown."""
    with pytest.raises(Violation) as caught:
        await expect(answering(answer)).to_be(demanded)
    assert caught.value.headline == headline


async def test_a_headline_is_short() -> None:
    """Long values are cut in the headline, and shown further in the answer."""
    with pytest.raises(Violation) as caught:
        await expect(answering(["a" * 30] * 100)).to_be(["b" * 30] * 100)
    assert len(caught.value.headline) < 150
    assert len(caught.value.answered) > 300


async def test_kinds_of_numbers_can_be_left_out() -> None:
    """Where a number's kind is no matter, an integer is as good as its float."""
    await expect(answering({"n": 1.0})).to_be({"n": 1}, kinds_of_numbers=False)


async def test_one_of_several_answers_holds() -> None:
    """Any of them will do; a violation names them all."""
    await expect(answering(2)).to_be_one_of([1, 2])
    with pytest.raises(Violation, match="load answers 3, not 1 or 2") as caught:
        await expect(answering(3)).to_be_one_of([1, 2])
    assert caught.value.demanded == "1 or 2"


async def test_the_answer_is_judged_as_it_was_given() -> None:
    """A store that changes its answer afterwards is judged by what it answered."""
    answer: list[Any] = []

    async def method() -> Any:
        asyncio.get_running_loop().call_soon(answer.append, "later")
        return answer

    await expect(Call(History(timeout=30.0), 1, "load", method)).to_be([])


@pytest.mark.parametrize(
    ("error", "headline"),
    [
        (ValueError("no"), "load raised ValueError: no"),
        (
            NotImplementedError("not here"),
            "load raises NotImplementedError: implement it, or do not claim it",
        ),
        (SystemExit(1), "load raised SystemExit: 1"),
    ],
)
async def test_an_exception_is_no_answer(error: BaseException, headline: str) -> None:
    """Whatever was demanded, a call that raises breaks the clause."""
    for judged in (
        expect(raising(error)).to_be(None),
        expect(raising(error)).to_be_one_of([None]),
        expect(raising(error)).to_satisfy("anything", lambda _: True),
        expect(raising(error)).to_succeed(),
    ):
        with pytest.raises(Violation) as caught:
            await judged
        assert caught.value.headline == headline
        assert caught.value.demanded == "an answer"


async def test_a_hang_is_no_answer() -> None:
    """A call that does not come back in time breaks the clause that judges it."""
    with pytest.raises(Violation, match="load does not answer in time"):
        await expect(hanging()).to_succeed()
    with pytest.raises(Violation, match="load does not answer in time"):
        await expect(hanging()).to_be_refused("takes it")


async def test_a_worded_demand() -> None:
    """What a function decides is worded by the clause; the answer is handed on."""
    answer = ["a"]
    assert await expect(answering(answer)).to_satisfy("one item", lambda it: len(it) == 1) is answer
    with pytest.raises(Violation) as caught:
        await expect(answering([])).to_satisfy("one item", lambda it: len(it) == 1)
    assert caught.value.headline == "load answers [], not one item"
    assert caught.value.demanded == "one item"


async def test_an_answer_that_the_demand_can_not_look_at_is_not_as_demanded() -> None:
    """A demand that stumbles over the answer is the answer's violation, not the kit's failure."""
    with pytest.raises(Violation, match="load answers None, not one item"):
        await expect(answering(None)).to_satisfy("one item", lambda it: len(it) == 1)


async def test_success_is_any_answer() -> None:
    """None, too, is an answer."""
    assert await expect(answering(None)).to_succeed() is None


async def test_a_refusal_is_an_exception() -> None:
    """Any exception will do, and it is answered."""
    error = KeyError("taken")
    assert await expect(raising(error)).to_be_refused("takes it") is error


async def test_an_answer_is_no_refusal() -> None:
    """The headline says what it means that none was raised."""
    with pytest.raises(Violation) as caught:
        await expect(answering("id")).to_be_refused("an id is given twice")
    assert caught.value.headline == "an id is given twice"
    assert caught.value.demanded == "a refusal (an exception)"
    assert caught.value.answered == "'id'"


@pytest.mark.parametrize(
    ("call", "headline"),
    [
        (
            raising(NotImplementedError()),
            "load raises NotImplementedError: implement it, or do not claim it",
        ),
        (raising(SystemExit(1)), "load raised SystemExit: 1"),
        (
            Call(History(timeout=30.0), 1, "load", lambda: "id"),
            "load raised NotAwaitableError: load answers 'id' without being awaited",
        ),
    ],
    ids=["not implemented", "no Exception", "not awaitable"],
)
async def test_what_says_nothing_of_the_value_is_no_refusal(call: Call[Any], headline: str) -> None:
    """A missing operation has refused nothing, nor has one that ends the process."""
    with pytest.raises(Violation) as caught:
        await expect(call).to_be_refused("takes it")
    assert caught.value.headline == headline


async def test_calls_made_at_once_all_come_back() -> None:
    """The first that does not is told, with what it was part of."""
    good = await answering(1).perform(is_expected=True)
    bad = await raising(ValueError("busy"), "save").perform(is_expected=True)
    expect_all_answered([good, good], "five writers")
    with pytest.raises(Violation, match="five writers: save raised ValueError: busy") as caught:
        expect_all_answered([good, bad, good], "five writers")
    assert caught.value.operation == "save"


@pytest.mark.parametrize("call", [answering([1]), raising(OSError("no")), raising(ValueError())])
async def test_who_is_hindered_answers_rightly_or_raises(call: Call[Any]) -> None:
    """Any exception will do."""
    expect_answer_or_error(await call.perform(is_expected=True), [1], "in the dark")


@pytest.mark.parametrize(
    ("call", "headline"),
    [
        (answering(None), "load answers None in the dark"),
        (
            raising(NotImplementedError()),
            "load raises NotImplementedError: implement it, or do not claim it in the dark",
        ),
        (raising(SystemExit(1)), "load raised SystemExit: 1 in the dark"),
        (hanging(), "load does not answer in time in the dark"),
    ],
)
async def test_what_else_comes_of_being_hindered_is_a_violation(
    call: Call[Any], headline: str
) -> None:
    """An answer that is wrong, none at all, and what says nothing of the hindrance."""
    step = await call.perform(is_expected=True)
    with pytest.raises(Violation) as caught:
        expect_answer_or_error(step, [1], "in the dark")
    assert caught.value.headline == headline
    assert caught.value.demanded == "[1], or an exception"


def test_a_violation_can_be_said_outright() -> None:
    """Where no single answer shows it, the clause says what was demanded and found."""
    with pytest.raises(Violation) as caught:
        violated("loses writes", demanded="5", answered="4")
    violation = caught.value
    assert (violation.headline, violation.demanded, violation.answered) == (
        "loses writes",
        "5",
        "4",
    )
