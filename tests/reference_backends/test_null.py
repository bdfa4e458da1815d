from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reference_backends.null import NullSessionStore
from sessionstore_contract.interface import InvalidSessionIdError, UnstorableValueError


async def test_it_keeps_nothing() -> None:
    """After writes of every kind, everything is missing."""
    store = NullSessionStore()
    assert await store.create("a") == "a"
    await store.save("a", [{"role": "user"}])

    assert await store.update("a", cost_data={"turns": 1}) is False
    assert await store.update("a") is False
    assert await store.load("a") is None
    assert await store.exists("a") is False
    assert await store.get_cost_data("a") == {}
    assert await store.delete("a") is False
    assert await store.delete_before(datetime.now(UTC)) == 0


async def test_it_makes_fresh_ids() -> None:
    """`create` without an id answers another one each time."""
    store = NullSessionStore()

    assert await store.create() != await store.create()


async def test_it_refuses_what_the_others_refuse() -> None:
    """The rules for ids, values and cutoffs are those of the stores that keep something."""
    store = NullSessionStore()
    for refused in (store.create(""), store.load(""), store.exists(""), store.delete("")):
        with pytest.raises(InvalidSessionIdError):
            await refused
    with pytest.raises(UnstorableValueError):
        await store.save("a", [{"x": float("nan")}])
    with pytest.raises(UnstorableValueError):
        await store.update("a", cost_data=[])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no UTC offset"):
        await store.delete_before(datetime(2024, 1, 2))  # noqa: DTZ001


async def test_close_may_be_called_again() -> None:
    """There is nothing to close, as often as one likes."""
    store = NullSessionStore()
    await store.close()
    await store.close()
