"""Histories worded and read in pieces: the same as in one go, and others have their turn."""

from __future__ import annotations

import asyncio
import itertools
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_backends import histories, json_text, rest, rules

from .any_values import ANYTHING, TEXTS, drive, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be done in pieces, however short."""
    monkeypatch.setattr(histories, "GROUP", 1)
    monkeypatch.setattr(histories, "PIECE", 0.0)
    monkeypatch.setattr(histories, "IN_ONE_GO", 0.0)
    monkeypatch.setattr(json_text, "DECODED_AT_ONCE", 1)
    monkeypatch.setattr(rest, "READ_BACK_AT_ONCE", 1)


@pytest.mark.usefixtures("in_small_pieces")
class TestInPieces:
    @given(value=st.lists(ANYTHING, max_size=8))
    def test_worded(self, value: list[Any]) -> None:
        """The text, or the refusal, is that of the whole."""
        whole = outcome(lambda: json_text.encode(rules.check_messages(value)))
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

    @given(value=st.lists(ANYTHING | st.just({"a": "},{"}), max_size=8))
    @example([{"a": 1}, {"b": "},{"}, {"c": [{}, {}]}, {}])
    @example([{"a": "\x00"}, {}])
    @example([{}, float("nan")])
    def test_what_is_as_worded_can_be_kept(self, value: list[Any]) -> None:
        """What `worded` answers is found to be so, unless it is deep or large; nothing else is."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        body = text.encode(errors="surrogatepass")
        if drive(histories.is_as_worded(body)):
            assert drive(histories.worded(json.loads(text))) == text

    @given(texts=st.lists(TEXTS | st.sampled_from(["{}", '{"a":1}', '{"a":1,"a":2}']), max_size=4))
    @example(["{}]", "[{}"])
    @example(["{}", ""])
    @example(["{}", '{"a": 1}', "{}"])
    def test_no_other_text_is_as_worded(self, texts: list[str]) -> None:
        """Brackets that fit only together, a comma too many, a name that comes twice."""
        text = f"[{','.join(texts)}]"
        if drive(histories.is_as_worded(text.encode())):
            assert drive(histories.worded(json.loads(text))) == text

    @pytest.mark.skipif(json_text._FAST is None, reason="the extra `fast` is not installed")
    @pytest.mark.parametrize(
        "messages",
        [[], [{}], [{"a": "},{"}] * 50, [{"a": [{"b": 1}, {"b": 2}]}, 1, [2], "x", None] * 9],
        ids=["none", "one", "texts like cuts", "deeper"],
    )
    async def test_what_is_common_is_as_worded(self, messages: list[Any]) -> None:
        """Wherever it seems to be cut."""
        assert await histories.is_as_worded((await histories.worded(messages)).encode())

    async def test_the_text_is_of_the_moment_of_the_call(self) -> None:
        """What the caller does to the messages meanwhile is not in it."""
        messages: list[Any] = [{"role": "user", "parts": [{"n": number}]} for number in range(50)]
        expected = json_text.encode(messages)
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

    @pytest.mark.parametrize(
        "going_through",
        [
            lambda messages: histories.read(json.dumps(messages)),
            pytest.param(
                lambda messages: histories.is_as_worded(json_text.encode(messages).encode()),
                marks=pytest.mark.skipif(json_text._FAST is None, reason="`fast` is missing"),
            ),
        ],
        ids=["read", "is_as_worded"],
    )
    async def test_others_have_their_turn_while_it_is_read(
        self, going_through: Callable[[Any], Coroutine[Any, Any, Any]]
    ) -> None:
        """A history is read a piece at a time."""
        messages = [{"n": n} for n in range(50)]
        reading = asyncio.create_task(going_through(messages))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        assert await reading in (messages, True)
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
    assert await histories.worded(messages) == json_text.encode(messages)
    counting.cancel()
    assert passed == turns


def test_space_is_passed_over_at_once() -> None:
    """However much there is: eight megabytes of it in a loop of ours take the half of a second."""
    looks: list[Any] = []

    class Watched(str):
        __slots__ = ()

        def __getitem__(self, place: Any) -> str:
            looks.append(place)
            return super().__getitem__(place)

    text = Watched(" \t\r\n" * 1000 + "[]")
    reading = histories._Reading(text, json.JSONDecoder())
    assert reading.after_space(0) == 4000
    assert reading.after_space(4000) == 4000
    assert reading.after_space(4002) == 4002
    assert len(looks) == 3


def test_a_text_that_is_cut_wrong_over_and_over_is_soon_read_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However far from its beginning those cuts are: somebody may mean to hold up the others."""
    read = 0
    decode = json_text.decode

    def decoded(text: Any) -> Any:
        nonlocal read
        read += len(text)
        return decode(text)

    def read_back(text: bytes) -> Any:
        nonlocal read
        read += len(text)
        raise ValueError

    monkeypatch.setattr(json_text, "read_back", read_back)
    monkeypatch.setattr(json_text, "decode", decoded)
    monkeypatch.setattr(json_text, "DECODED_AT_ONCE", 1)
    history = [[1, 1, 1, 1], [1, 1, 1, 1, "x" * 2**21 + "},{],[1,1,1," * 100]]
    text = json.dumps(history, separators=(",", ":"))
    assert drive(histories.read(text)) == history
    assert drive(histories.is_as_worded(text.encode())) is False
    assert len(text) < read < 3 * len(text)
