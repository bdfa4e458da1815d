"""The PostgreSQL store on a real server: what the contract does not see."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends.jsonb import encode
from reference_backends.postgres import PostgresSessionStore
from sessionstore_contract.interface import (
    SessionExistsError,
    SessionStoreError,
    UnstorableValueError,
)

from .postgres_places import opened, until_someone_waits

if TYPE_CHECKING:
    from .postgres_places import Connection


async def test_sessions_from_beginning_to_end(place: str) -> None:
    """The operations do what they say, on one session."""
    async with opened(place) as store:
        session = await store.create()
        with pytest.raises(SessionExistsError):
            await store.create(session)
        await store.save(session, [{"role": "user"}])
        assert await store.update(session, cost_data={"a": {"b": 1}, "c": None})
        assert await store.update(session, cost_data={"a": {"d": 2}})
        assert await store.load(session) == [{"role": "user"}]
        assert await store.get_cost_data(session) == {"a": {"d": 2}, "c": None}
        assert await store.delete(session)
        assert not await store.delete(session)
        assert not await store.update(session, cost_data={"a": 1})
        assert await store.load(session) is None
        await store.save(session, [])
        assert await store.get_cost_data(session) == {}


async def test_numbers_keep_their_kind(place: str) -> None:
    """Floats come back as floats and integers exact, where JSONB keeps decimals only."""
    numbers = [
        1e16,
        -1.5e300,
        1.7976931348623157e308,
        5e-324,
        0.1,
        1.0,
        1e22,
        2**53,
        10**25,
        -(10**400),
    ]
    numbers += [random.Random(1).uniform(-1, 1) * 10.0**power for power in range(-300, 300, 7)]
    value = {
        "numbers": numbers,
        "1e+16": ['"1e+16"', "\\", "1e+16", {'a"1e+30': 1e30}],
        "zero": -0.0,
    }
    async with opened(place) as store:
        session = await store.create()
        await store.update(session, cost_data=value)
        read = await store.get_cost_data(session)
    assert read == value
    assert [type(number) for number in read["numbers"]] == [type(number) for number in numbers]
    assert type(read["zero"]) is float
    assert encode("1e+16") == '"1e+16"'


@pytest.mark.parametrize("place_of_it", [0, 999])
async def test_a_float_among_many_messages_stays_one(place: str, place_of_it: int) -> None:
    """Messages without floats are worded in another way than those with one, however deep."""
    messages: list[Any] = [{"role": "user", "content": "hello", "n": n} for n in range(1000)]
    messages[place_of_it] = {"deep": [{"er": [1e16]}]}
    async with opened(place) as store:
        await store.save("s", messages)
        read = await store.load("s")
    assert read == messages
    assert repr(read[place_of_it]) == repr(messages[place_of_it])


async def test_update_without_fields_writes_nothing(place: str, admin: Connection) -> None:
    """Neither form of an empty update touches the row."""
    async with opened(place) as store:
        await store.create("s")
        before = await admin.fetchrow("SELECT xmin, updated_at FROM sessions")
        assert await store.update("s")
        assert await store.update("s", cost_data={})
        assert not await store.update("missing")
        assert await admin.fetchrow("SELECT xmin, updated_at FROM sessions") == before


async def test_delete_before_is_strict_and_aware(place: str, admin: Connection) -> None:
    """The cutoff itself survives, offsets mean the same instant, and naive cutoffs are refused."""
    instant = datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
    async with opened(place) as store:
        for name in ("before", "at"):
            await store.create(name)
        await admin.execute("UPDATE sessions SET updated_at = $1", instant)
        await admin.execute(
            "UPDATE sessions SET updated_at = $1 WHERE session_id = 'before'",
            instant - timedelta(microseconds=1),
        )
        for wrong in (datetime(2030, 1, 1), "2030-01-01", None):  # noqa: DTZ001
            with pytest.raises(ValueError, match="cutoff"):
                await store.delete_before(wrong)  # type: ignore[arg-type]
        assert await store.delete_before(instant.astimezone(timezone(timedelta(hours=5)))) == 1
        assert await store.exists("at")
        assert await store.delete_before(datetime.min.replace(tzinfo=UTC)) == 0


async def test_activity_is_the_moment_of_writing(place: str, admin: Connection) -> None:
    """A write that waited for another is dated when it was made, not when it was asked for."""
    async with opened(place) as store:
        await store.create("s")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            waiting = [
                asyncio.create_task(store.update("s", cost_data={"a": 1})),
                asyncio.create_task(store.save("s", [])),
            ]
            await until_someone_waits(admin)
            released = await admin.fetchval("SELECT clock_timestamp()")
        await asyncio.gather(*waiting)
        assert await admin.fetchval("SELECT updated_at FROM sessions") > released


@pytest.mark.parametrize("instances", [1, 4])
async def test_updates_at_once_all_stand(place: str, instances: int) -> None:
    """Fifty updates of different keys are all there, on one instance and on four."""
    stores = [PostgresSessionStore(place, pool_size=5) for _ in range(instances)]
    await stores[0].create("s")
    updates = (stores[n % instances].update("s", cost_data={str(n): n}) for n in range(50))
    assert all(await asyncio.gather(*updates))
    assert await stores[0].get_cost_data("s") == {str(n): n for n in range(50)}
    await asyncio.gather(*(store.close() for store in stores))


async def test_cancelled_while_waiting_for_a_lock(place: str, admin: Connection) -> None:
    """An update cancelled while it waits has no effect later, when the lock is free."""
    async with opened(place) as store:
        await store.create("s")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions FOR UPDATE")
            update = asyncio.create_task(store.update("s", cost_data={"a": 1}))
            await until_someone_waits(admin)
            update.cancel()
            with pytest.raises(asyncio.CancelledError):
                await update
        assert await store.get_cost_data("s") == {}


async def test_stuck_session_leaves_others_served(place: str, admin: Connection) -> None:
    """More updates of a locked session than the pool has connections hold up that session only."""
    async with opened(place, pool_size=2) as store:
        await store.create("stuck")
        await store.create("other")
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM sessions WHERE session_id = 'stuck' FOR UPDATE")
            stuck = [
                asyncio.create_task(store.update("stuck", cost_data={str(n): n})) for n in range(6)
            ]
            await until_someone_waits(admin)
            assert await store.update("other", cost_data={"a": 1})
            assert await store.get_cost_data("stuck") == {}
        assert all(await asyncio.gather(*stuck))


async def test_refused_values_reach_no_server() -> None:
    """Ids and values are checked before any connection is made."""
    store = PostgresSessionStore("postgresql://u:p@127.0.0.1:1/d")
    for work in (store.save("s", None), store.save("s", [b""]), store.update("s", cost_data=[])):  # type: ignore[arg-type,list-item]
        with pytest.raises(UnstorableValueError):
            await work
    with pytest.raises(SessionStoreError):
        await store.create("")
    await store.close()
