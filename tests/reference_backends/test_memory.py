from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends.memory import MemorySessionStore
from sessionstore_contract.interface import (
    InvalidSessionIdError,
    SessionExistsError,
    StoreClosedError,
    UnstorableValueError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


async def test_a_session_is_missing_then_empty_then_full() -> None:
    """Missing, empty and full are told apart."""
    store = MemorySessionStore()
    assert await store.load("a") is None
    assert await store.exists("a") is False
    assert await store.create("a") == "a"
    assert await store.load("a") == []
    await store.save("a", [{"role": "user"}])
    assert await store.load("a") == [{"role": "user"}]
    assert await store.exists("a") is True
    assert await store.delete("a") is True
    assert await store.delete("a") is False
    assert await store.load("a") is None


async def test_create_refuses_a_taken_id() -> None:
    """The session that has the id stays as it was."""
    store = MemorySessionStore()
    await store.save("a", [{"n": 1}])
    with pytest.raises(SessionExistsError, match="'a'"):
        await store.create("a")
    assert await store.load("a") == [{"n": 1}]


async def test_update_merges_one_level_deep() -> None:
    """A key that is given is replaced whole, the others and the messages stay, None is a value."""
    store = MemorySessionStore()
    await store.save("a", [{"n": 1}])
    assert await store.update("a", cost_data={"turns": 1, "usage": {"in": 3, "out": 5}})
    assert await store.update("a", cost_data={"usage": {"in": 9}, "model": None})
    await store.save("a", [])

    assert await store.get_cost_data("a") == {"turns": 1, "usage": {"in": 9}, "model": None}


async def test_update_of_a_missing_session_makes_none() -> None:
    """The answer is False, and nothing is there afterwards."""
    store = MemorySessionStore()
    assert await store.update("a", cost_data={"turns": 1}) is False
    assert await store.exists("a") is False


async def test_save_after_delete_starts_without_cost_data() -> None:
    """Nothing of the deleted session comes back."""
    store = MemorySessionStore()
    await store.create("a")
    await store.update("a", cost_data={"turns": 1})
    await store.delete("a")
    await store.save("a", [])
    assert await store.get_cost_data("a") == {}


async def test_values_are_copied_in_and_out() -> None:
    """Neither side sees what the other does to a value later."""
    store = MemorySessionStore()
    message, usage = {"tags": ["a"]}, {"in": [1]}
    await store.save("a", [message])
    await store.update("a", cost_data={"usage": usage})
    message["tags"].append("b")
    usage["in"].append(2)
    for _ in range(2):
        loaded = await store.load("a")
        cost_data = await store.get_cost_data("a")
        assert loaded == [{"tags": ["a"]}]
        assert cost_data == {"usage": {"in": [1]}}
        loaded[0]["tags"].clear()
        cost_data["usage"].clear()


async def test_refused_values_change_nothing() -> None:
    """None of the keys of a refused update is kept, and no refused history."""
    store = MemorySessionStore()
    await store.create("a")
    with pytest.raises(UnstorableValueError):
        await store.update("a", cost_data={"fine": 1, "bad": float("nan")})
    with pytest.raises(UnstorableValueError):
        await store.update("a", cost_data=[])  # type: ignore[arg-type]
    with pytest.raises(UnstorableValueError):
        await store.save("b", [object()])  # type: ignore[list-item]
    with pytest.raises(InvalidSessionIdError):
        await store.save("..", [])
    assert await store.get_cost_data("a") == {}
    assert await store.exists("b") is False


async def test_delete_before_goes_by_the_last_write() -> None:
    """`save` and an effective `update` count, reads and an empty update do not."""
    store = MemorySessionStore()
    for name in ("read", "empty", "saved", "updated"):
        await store.create(name)
    cutoff = datetime.now(UTC)
    await store.load("read")
    await store.update("empty", cost_data={})
    await store.save("saved", [])
    await store.update("updated", cost_data={"turns": 1})

    assert await store.delete_before(cutoff.astimezone(timezone(timedelta(hours=5)))) == 2
    assert await store.exists("saved")
    assert await store.exists("updated")


async def test_a_naive_cutoff_is_refused() -> None:
    """A time without an offset is not taken for local time."""
    with pytest.raises(ValueError, match="no UTC offset"):
        await MemorySessionStore().delete_before(datetime(2024, 1, 2))  # noqa: DTZ001


async def test_updates_at_once_all_stand() -> None:
    """Updates of different keys lose nothing."""
    store = MemorySessionStore()
    await store.create("a")
    await asyncio.gather(*(store.update("a", cost_data={str(n): n}) for n in range(50)))
    assert await store.get_cost_data("a") == {str(n): n for n in range(50)}


CALLS: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
    "create": lambda store: store.create("a"),
    "load": lambda store: store.load("a"),
    "save": lambda store: store.save("a", []),
    "update": lambda store: store.update("a"),
    "get_cost_data": lambda store: store.get_cost_data("a"),
    "delete": lambda store: store.delete("a"),
    "exists": lambda store: store.exists("a"),
    "delete_before": lambda store: store.delete_before(datetime.now(UTC)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_closed_stays_closed(call: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
    """Every operation of a closed store raises."""
    store = MemorySessionStore()
    await store.close()
    await store.close()
    with pytest.raises(StoreClosedError):
        await call(store)
