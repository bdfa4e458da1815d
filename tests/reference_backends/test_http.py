"""The HTTP store against a platform that works."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from reference_backends.http import HttpSessionStore
from reference_backends.platform import create_app
from sessionstore_contract.interface import (
    InvalidSessionIdError,
    Json,
    SessionExistsError,
    UnstorableValueError,
)
from tests.reference_backends.asker import STORABLE_IDS
from tests.reference_backends.dict_store import DictStore
from tests.reference_backends.http_operations import (
    MISSING,
    TOKEN,
    answering,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def backing() -> DictStore:
    return DictStore()


@pytest.fixture
async def store(backing: DictStore) -> AsyncIterator[HttpSessionStore]:
    app = create_app(backing, token=TOKEN, max_body_bytes=100_000)
    found = HttpSessionStore("http://platform", token=TOKEN, transport=httpx.ASGITransport(app))
    yield found
    await found.close()


async def test_a_session_from_create_to_delete(store: HttpSessionStore) -> None:
    """Every operation answers over HTTP what the interface says of it."""
    assert await store.load("s") is None
    assert await store.update("s", cost_data={"a": 1}) is False
    assert await store.update("s", cost_data={}) is False
    assert await store.update("s") is False
    assert await store.get_cost_data("s") == {}
    assert await store.delete("s") is False
    assert await store.exists("s") is False
    assert await store.create("s") == "s"
    assert await store.load("s") == []
    assert await store.update("s", cost_data={"a": {"b": 1}, "c": None}) is True
    assert await store.update("s", cost_data={"a": {"d": 1.5}}) is True
    assert await store.update("s", cost_data={}) is True
    assert await store.update("s") is True
    assert await store.get_cost_data("s") == {"a": {"d": 1.5}, "c": None}
    await store.save("s", [{"role": "user", "content": "\N{PILE OF POO}"}])
    assert await store.load("s") == [{"role": "user", "content": "\N{PILE OF POO}"}]
    assert await store.exists("s") is True
    assert await store.delete("s") is True
    assert await store.delete("s") is False


async def test_fresh_ids_and_taken_ids(store: HttpSessionStore) -> None:
    """An id is made when none is given, and one that is taken is refused."""
    first = await store.create()

    assert await store.create() != first
    with pytest.raises(SessionExistsError):
        await store.create(first)


async def test_housekeeping_goes_by_instants(store: HttpSessionStore) -> None:
    """The offset of the cutoff arrives, and a naive one never leaves."""
    await store.create("s")
    now = datetime.now(UTC)

    assert await store.delete_before(now - timedelta(hours=1)) == 0
    with pytest.raises(ValueError, match="offset"):
        await store.delete_before(now.replace(tzinfo=None))
    assert await store.delete_before(now + timedelta(hours=1)) == 1


@pytest.mark.parametrize("session", STORABLE_IDS)
async def test_an_id_means_exactly_itself(
    store: HttpSessionStore, backing: DictStore, session: str
) -> None:
    """What arrives at the platform's store is the id, character for character."""
    for bystander in ("victim", "a", "b"):
        await backing.save(bystander, [{"of": bystander}])

    assert await store.create(session) == session
    await store.save(session, [{"n": 1}])
    assert await store.update(session, cost_data={"n": 1}) is True

    assert await backing.load(session) == [{"n": 1}]
    assert await store.load(session) == [{"n": 1}]
    assert await store.get_cost_data(session) == {"n": 1}
    assert await store.exists(session) is True
    assert await store.delete(session) is True
    for bystander in ("victim", "a", "b"):
        assert await backing.load(bystander) == [{"of": bystander}]


@pytest.mark.parametrize("session", ["", ".", "..", "a\nb", "a\x00", "\ud800", "x" * 256])
async def test_an_invalid_id_is_refused_before_any_request(session: str) -> None:
    """The platform never hears of an id that can't be one."""
    seen: list[httpx.Request] = []
    store = answering(200, seen=seen)

    for operation in (
        store.create(session),
        store.load(session),
        store.save(session, []),
        store.update(session),
        store.update(session, cost_data={}),
        store.get_cost_data(session),
        store.delete(session),
        store.exists(session),
    ):
        with pytest.raises(InvalidSessionIdError):
            await operation
    assert not seen


@pytest.mark.parametrize("value", [float("nan"), b"bytes", "\ud800", datetime.now(UTC), {1: 2}])
async def test_an_unstorable_value_is_refused_before_any_request(value: Json) -> None:
    """The platform never hears of a value that JSON can't keep."""
    seen: list[httpx.Request] = []
    store = answering(200, seen=seen)

    with pytest.raises(UnstorableValueError):
        await store.save("s", [{"a": value}])
    with pytest.raises(UnstorableValueError):
        await store.update("s", cost_data={"a": value})
    assert not seen


async def test_what_the_platform_refuses_is_told_apart(store: HttpSessionStore) -> None:
    """A body over the platform's limit is a value that can't be kept there."""
    with pytest.raises(UnstorableValueError, match=r"PUT http://platform/v1/.* 413 \(too_large\)"):
        await store.save("s", [{"text": "x" * 100_000}])
    assert await store.exists("s") is False


async def test_fifty_updates_at_once_all_stand(store: HttpSessionStore) -> None:
    """Updates of different keys at once lose none of them."""
    await store.create("s")

    await asyncio.gather(*(store.update("s", cost_data={str(n): n}) for n in range(50)))

    assert await store.get_cost_data("s") == {str(n): n for n in range(50)}


async def test_a_prefix_of_the_url_is_kept() -> None:
    """A platform may live below a path."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404, content=MISSING)

    store = HttpSessionStore("http://peer/team/", transport=httpx.MockTransport(answer))

    assert await store.load("a/b") is None
    assert seen[0].url.raw_path == b"/team/v1/sessions/a%2Fb"
