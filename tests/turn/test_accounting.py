"""The reference accumulator: what the contract of turns does not see."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as draw

from reference_backends import accounting, figures, open_sqlite
from reference_backends.accounting import Accounting, Usage
from reference_backends.figures import (
    MOST_RECENT,
    Tokens,
    Totals,
    Turn,
    UnreadableTotalsError,
    read_totals,
)
from reference_backends.memory import MemorySessionStore
from reference_backends.null import NullSessionStore
from reference_backends.prices import Price, bill
from sessionstore_contract.turn.stores import KitStore, hanging, raising, write_only

if TYPE_CHECKING:
    from pathlib import Path

ONE = Usage(10, 2, 1)


def store_with(**cost_data: Any) -> KitStore:
    store = KitStore()
    store.put("chat", cost_data)
    return store


async def test_totals_that_an_older_server_left_are_gone_on_with() -> None:
    """The five keys alone, without models and ids; no figure is lost."""
    store = store_with(input_tokens=300, output_tokens=30, turn_count=3, model="old")
    counting = Accounting(store)
    assert (await counting.totals("chat")).model == "old"
    assert await counting.record("chat", ONE, model="new")
    kept = store.peek("chat") or {}
    assert (kept["input_tokens"], kept["turn_count"], kept["model"]) == (310, 4, "new")
    assert (await counting.totals("chat")).model == "new"
    priced = bill(await counting.totals("chat"), {"new": Price(1, 1)})
    assert priced.unpriced == Tokens(300, 30, 0)


async def test_a_writer_of_its_own_is_read_together_with_the_top_level() -> None:
    """A store that one server counted on, and several do now."""
    store = store_with(input_tokens=300, turn_count=3, model="old")
    times = iter([2.0, 1.0])
    for writer in ("a", "b"):
        counting = Accounting(store, writer=writer, clock=lambda: next(times))
        assert await counting.record("chat", ONE, model=f"model-{writer}")
    totals = await Accounting(store).totals("chat")
    assert (totals.tokens.input_tokens, totals.turn_count) == (320, 5)
    assert totals.model == "model-a"  # its turn was later, whichever key is read last
    assert (store.peek("chat") or {})["input_tokens"] == 300


async def test_a_turn_that_another_writer_has_counted_is_not_counted_again() -> None:
    """A gateway that tries again may meet another server."""
    store = store_with()
    for writer in ("a", "b", None):
        counting = Accounting(store, writer=writer)
        assert await counting.record("chat", ONE, model="m", turn_id="turn-1")
    assert (await Accounting(store).totals("chat")).turn_count == 1


def test_several_processes_count_on_one_file(tmp_path: Path) -> None:
    """Three at once, and no turn of any is lost."""
    path = str(tmp_path / "sessions.db")

    async def prepare() -> None:
        store = open_sqlite(path)
        await store.create("chat")
        await store.close()

    async def totals() -> Totals:
        store = open_sqlite(path)
        try:
            return await Accounting(store).totals("chat")
        finally:
            await store.close()

    asyncio.run(prepare())
    processes = [
        subprocess.Popen([sys.executable, "-m", "tests.turn.worker", path, name, "20"])
        for name in ("a", "b", "c")
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    found = asyncio.run(totals())
    assert (found.turn_count, found.tokens.input_tokens) == (60, 600)


async def test_recording_is_bounded_and_the_turn_is_counted_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller goes on while the store hangs; no second call is made until the first is over."""
    store, back = store_with(), asyncio.Event()
    store.behave(hanging(back))
    counting = Accounting(store, patience=0.02)
    assert not await counting.record("chat", ONE, model="m")
    assert not await counting.record("chat", ONE, model="m")
    assert store.calls == ["get_cost_data"]
    assert "session 'chat': the store is slow, 2 turns wait" in caplog.text
    back.set()
    assert await counting.drain()
    assert (store.peek("chat") or {})["turn_count"] == 2


async def test_a_caller_that_is_cancelled_does_not_take_the_turn_with_it() -> None:
    """The request ends, the write goes on."""
    store, back = store_with(), asyncio.Event()
    arrived = asyncio.Event()
    store.behave(hanging(back, arrived))
    counting = Accounting(store)
    recording = asyncio.create_task(counting.record("chat", ONE, model="m"))
    await arrived.wait()
    recording.cancel()
    back.set()
    assert await counting.drain()
    assert (store.peek("chat") or {})["turn_count"] == 1


async def test_a_store_whose_call_is_cancelled_from_within_is_a_failed_one() -> None:
    """A pool that is closing cancels what it runs: that is not the caller's cancellation."""

    class Cancelling(KitStore):
        async def get_cost_data(self, session_id: str) -> dict[str, Any]:
            raise asyncio.CancelledError

    store = Cancelling()
    store.put("chat")
    counting = Accounting(store)
    assert not await counting.record("chat", ONE, model="m")


async def test_what_can_not_be_written_is_logged_with_its_figures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Somebody may bill it by hand."""
    store = store_with()
    store.behave(raising(RuntimeError("away")), ["update"])
    counting = Accounting(store)
    await counting.record("chat", ONE, model="m", turn_id="turn-1")
    assert not await counting.drain(0.01)
    lost = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    (line,) = lost
    assert line == (
        "not counted, and the process may end: session 'chat' turn 'turn-1' model 'm' "
        "input_tokens=10 output_tokens=2 cached_tokens=1"
    )


async def test_memory_does_not_grow_with_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound turns are logged; and nothing is kept of sessions that are written."""
    monkeypatch.setattr(accounting, "MOST_WAITING", 3)
    store = store_with()
    store.behave(raising(RuntimeError("away")), ["get_cost_data"])
    counting = Accounting(store)
    for _ in range(5):
        await counting.record("chat", ONE, model="m")
    store.recover()
    assert await counting.drain()
    assert (store.peek("chat") or {})["turn_count"] == 3
    assert counting._books == {}


async def test_what_has_waited_is_written_when_the_store_is_back() -> None:
    """Also of a session in which nobody speaks any more."""
    store = store_with()
    store.put("silent")
    store.behave(raising(RuntimeError("away")), ["update"])
    counting = Accounting(store)
    assert not await counting.record("silent", ONE, model="m")
    store.recover()
    assert await counting.record("chat", ONE, model="m")
    for _ in range(20):
        await asyncio.sleep(0)
    assert (store.peek("silent") or {})["turn_count"] == 1


async def test_turns_are_counted_again_after_too_many_have_waited(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that was away for long is not written off."""
    monkeypatch.setattr(accounting, "MOST_WAITING", 1)
    store = store_with()
    store.put("silent")
    store.behave(raising(RuntimeError("away")), ["get_cost_data"])
    counting = Accounting(store)
    await counting.record("silent", ONE, model="m")
    await counting.record("chat", Usage(7, 7, 7), model="m", turn_id="lost")
    assert "too many turns wait: session 'chat' turn 'lost' model 'm' input_tokens=7" in caplog.text
    store.recover()
    assert await counting.record("chat", ONE, model="m")
    assert (store.peek("chat") or {})["turn_count"] == 1


async def test_draining_asks_a_store_again_that_is_away_for_a_moment() -> None:
    """Servers and their stores are often restarted together."""
    store, away = store_with(), 2

    async def behave(do: Any) -> Any:
        nonlocal away
        away -= 1
        if away >= 0:
            raise RuntimeError("away")
        return await do()

    store.behave(behave, ["update"])
    counting = Accounting(store)
    assert not await counting.record("chat", ONE, model="m")
    assert await counting.drain()
    assert (store.peek("chat") or {})["turn_count"] == 1


async def test_draining_does_not_wait_for_what_will_not_come() -> None:
    """Totals that can't be read are read in the same way a moment later."""
    store = store_with(input_tokens="many")
    counting = Accounting(store)
    assert not await counting.record("chat", ONE, model="m")
    store.calls.clear()
    assert not await counting.drain()
    assert store.calls == ["get_cost_data"]


async def test_one_huge_figure_does_not_end_the_counting_of_a_session() -> None:
    """It is no number of tokens; and a sum past what floats hold exactly is a sum."""
    store = store_with(input_tokens=2**53 - 1, turn_count=1)
    counting = Accounting(store)
    for usage in (Usage(2**53 - 1, 1, 0), ONE, ONE):
        assert await counting.record("chat", usage, model="m")
    kept = store.peek("chat") or {}
    assert (kept["input_tokens"], kept["turn_count"]) == (2**53 - 1 + 20, 4)
    assert (await counting.totals("chat")).turn_count == 4


@pytest.mark.parametrize("name", ["", "\x00", "\ud800", "n" * 201, 7])
def test_a_writer_has_a_name_that_can_be_a_key(name: Any) -> None:
    """Said when the server is built: with another one no turn could ever be written."""
    with pytest.raises(ValueError, match="is no name of a writer"):
        Accounting(KitStore(), writer=name)


async def test_reading_totals_is_bounded() -> None:
    """Whether the call lets itself be cancelled or not."""
    store, back = store_with(), asyncio.Event()

    async def stubborn(do: Any) -> Any:
        while not back.is_set():
            with suppress(asyncio.CancelledError):
                await back.wait()
        return await do()

    store.behave(stubborn)
    asyncio.get_running_loop().call_later(1, back.set)
    with pytest.raises(TimeoutError):
        await Accounting(store, patience=0.02).totals("chat")
    assert not back.is_set()
    back.set()


async def test_what_is_no_exception_is_a_failure_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """Drivers that are written in Rust panic so."""

    class PanicError(BaseException):
        pass

    store = store_with()

    async def panic(_: Any) -> Any:
        raise PanicError("at src/lib.rs")

    store.behave(panic, ["update"])
    counting = Accounting(store)
    assert not await counting.record("chat", ONE, model="m")
    assert "1 turns wait to be counted: PanicError: at src/lib.rs" in caplog.text
    store.recover()
    assert await counting.drain()
    assert (store.peek("chat") or {})["turn_count"] == 1


async def test_a_session_that_is_gone_is_owed_nothing() -> None:
    """The Null store, and a session that was deleted meanwhile: nothing waits, nothing is made."""
    for store in (NullSessionStore(), KitStore()):
        counting = Accounting(store)
        assert not await counting.record("chat", ONE, model="m")
        assert await counting.drain()
        assert not await store.exists("chat")


async def test_a_session_that_could_not_be_saved_is_waited_for() -> None:
    """The first save failed, and with it the session: its turn is counted once it is there."""
    store = KitStore()
    counting = Accounting(store)
    assert not await counting.record("chat", ONE, model="m", may_be_missing=True)
    store.put("chat")
    assert await counting.drain()
    assert (store.peek("chat") or {})["turn_count"] == 1


async def test_a_session_that_is_made_anew_owes_nothing_of_the_old_one() -> None:
    """Turns that are gone with their session are not added to its successor."""
    store = store_with()
    counting = Accounting(store)
    for _ in range(2):
        await counting.record("chat", ONE, model="m")
    await store.delete("chat")
    store.put("chat")
    for _ in range(2):
        await counting.record("chat", ONE, model="m")
    assert (store.peek("chat") or {})["turn_count"] == 2


async def test_ids_are_bounded_and_short() -> None:
    """Cost data does not grow with the chat, nor with what a client sends as an id."""
    store = store_with()
    counting = Accounting(store)
    for number in range(MOST_RECENT + 5):
        await counting.record("chat", ONE, model="m", turn_id=f"{number}-" + "x" * 500)
    recent = (store.peek("chat") or {})["recent_turns"]
    assert len(recent) == MOST_RECENT
    assert {len(one) for one in recent} == {16}


async def test_a_model_that_no_store_takes_as_a_key_does_not_hold_up_the_others() -> None:
    """A turn that could never be written would keep every later one waiting."""
    store = store_with()
    counting = Accounting(store)
    for model in ("\x00", "", "\ud800", "m" * 300, None):
        await counting.record("chat", ONE, model=model)  # type: ignore[arg-type]
    assert set((store.peek("chat") or {})["models"]) == {"unknown"}


@pytest.mark.parametrize("turn_id", [5, b"x", ["x"], "\ud800"])
async def test_an_id_that_is_no_text_does_not_hold_up_the_others(turn_id: Any) -> None:
    """It is taken as it is written."""
    counting = Accounting(store_with())
    for _ in range(2):
        assert await counting.record("chat", ONE, model="m", turn_id=turn_id)
    assert await counting.record("chat", ONE, model="m", turn_id="next")
    assert (await counting.totals("chat")).turn_count == 2


async def test_usage_that_is_none_is_told_and_raises_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Such as the dict that a provider's library answers."""
    counting = Accounting(store_with())
    usage: Any = {"input_tokens": 3}
    assert await counting.record("chat", usage, model="m") is False
    assert "not added" in caplog.text


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks before 3.12")
async def test_tasks_that_begin_at_once_do_not_begin_each_other_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a store that answers at once a task has ended before whoever made it has it."""
    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))
    store = MemorySessionStore()
    await store.create("chat")
    assert await Accounting(store).record("chat", ONE, model="m")
    gc.collect()
    assert not caplog.records


async def test_a_store_that_can_not_be_read_gets_each_turn_by_itself() -> None:
    """Also turns that waited together."""
    store = write_only()
    store.put("chat")
    store.behave(raising(RuntimeError("away")), ["update"])
    counting = Accounting(store)
    await counting.record("chat", ONE, model="m")
    store.behaviours.pop("update")
    store.updates.clear()
    assert await counting.record("chat", Usage(20, 4, 0), model="m")
    assert [one["input_tokens"] for one in store.updates] == [10, 20]
    assert [one["turn_count"] for one in store.updates] == [1, 1]


@pytest.mark.parametrize(
    "cost_data",
    [
        None,
        [],
        {"input_tokens": "1"},
        {"turn_count": -1},
        {"output_tokens": float("nan")},
        {"cached_tokens": True},
        {"input_tokens": 0.5},
        {"models": []},
        {"models": {"m": 1}},
        {"recent_turns": {}},
        {"usage:a": 1},
        {"usage:a": {"input_tokens": None}},
    ],
)
def test_what_is_no_sum_is_not_taken_for_one(cost_data: Any) -> None:
    """None of it is read as zero."""
    with pytest.raises(UnreadableTotalsError):
        read_totals(cost_data)


@pytest.mark.parametrize(
    ("given", "taken"),
    [(0, 0), (7, 7), (7.0, 7), (-1, None), (1.5, None), (True, None), ("7", None), (None, None)]
    + [(float(text), None) for text in ("nan", "inf", "-inf", "1e300")],
)
def test_figures(given: Any, taken: int | None) -> None:
    """Whole numbers that are not negative, and floats that are such."""
    assert figures.whole(given) == taken


turns = draw.lists(
    draw.builds(
        Turn,
        draw.text(min_size=1, max_size=3),
        draw.sampled_from(["a", "b"]),
        draw.builds(Tokens, *[draw.integers(0, 1000)] * 3),
        draw.floats(0, 10),
    ),
    max_size=8,
)


@settings(max_examples=30)
@given(draw.lists(turns, max_size=4))
def test_totals_do_not_depend_on_who_counted(parts: list[list[Turn]]) -> None:
    """Added by several writers and merged, the sums are those of one; and they survive JSON."""
    cost_data = {
        f"usage:{number}": Totals().plus(part).fields() for number, part in enumerate(parts)
    }
    together = read_totals(cost_data)
    alone = Totals().plus([turn for part in parts for turn in part])
    assert together.tokens == alone.tokens
    assert together.turn_count == alone.turn_count
    assert together.models == alone.models
    assert read_totals(alone.fields()) == alone


@pytest.mark.parametrize("price", [-1, "nan", "inf", "dear"])
def test_a_price_is_a_sum_of_money(price: Any) -> None:
    """Anything else is refused when the table is made, not when the bill is."""
    with pytest.raises(ValueError, match="no sum of money"):
        Price(price, 1)


def test_more_cached_than_input_tokens_are_no_discount() -> None:
    """A provider that reports nonsense is paid for what it can have read."""
    assert Price(1, 1, 0).of(Tokens(1000, 0, 5000)) == 0
    assert Price(1, 1, 2).of(Tokens(1000, 0, 5000)) == 2
