"""The REST service over ASGI: its routes, its errors, its token, and the store behind it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import httpx
import pytest

from reference_backends.platform import create_app
from sessionstore_contract.interface import (
    Json,
    StoreClosedError,
    StoreUnavailableError,
)
from tests.reference_backends.asker import ROUTES, Asker, code
from tests.reference_backends.dict_store import DictStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
def ask(store: DictStore) -> Asker:
    return Asker(create_app(store, max_body_bytes=5000))


async def test_a_session_from_create_to_delete(ask: Asker) -> None:
    """Each route answers what the contract says of it, in the order of a session's life."""
    assert await ask("POST", "/v1/sessions", b'{"session_id": "s"}') == (201, {"session_id": "s"})
    assert await ask("GET", "/v1/sessions/s") == (200, {"session_id": "s", "messages": []})
    assert await ask("GET", "/v1/sessions/s/cost_data") == (
        200,
        {"session_id": "s", "cost_data": {}},
    )
    assert await ask("PATCH", "/v1/sessions/s", b'{"cost_data": {"a": {"b": 1}, "c": null}}') == (
        200,
        {"session_id": "s"},
    )
    assert (await ask("PATCH", "/v1/sessions/s", b'{"cost_data": {"a": {"d": 2}}}'))[0] == 200
    assert (await ask("PATCH", "/v1/sessions/s", b"{}"))[0] == 200
    assert (await ask("PUT", "/v1/sessions/s", b'{"messages": [{"role": "user"}]}'))[0] == 200
    assert (await ask("GET", "/v1/sessions/s"))[1]["messages"] == [{"role": "user"}]
    assert (await ask("GET", "/v1/sessions/s/cost_data"))[1]["cost_data"] == {
        "a": {"d": 2},
        "c": None,
    }
    assert await ask("HEAD", "/v1/sessions/s") == (200, None)
    assert (await ask("DELETE", "/v1/sessions/s"))[0] == 200
    assert code((await ask("DELETE", "/v1/sessions/s"))[1]) == "session_missing"


async def test_a_fresh_id_is_made(ask: Asker) -> None:
    """A POST without an id answers one that has not been given before."""
    first, second = [(await ask("POST", "/v1/sessions", b"{}"))[1]["session_id"] for _ in "12"]

    assert first
    assert first != second


async def test_a_taken_id_is_409(ask: Asker, store: DictStore) -> None:
    """A POST of an id that exists changes nothing of the session."""
    await store.save("s", [{"kept": True}])

    status, answer = await ask("POST", "/v1/sessions", b'{"session_id": "s"}')

    assert (status, code(answer)) == (409, "session_exists")
    assert await store.load("s") == [{"kept": True}]


@pytest.mark.parametrize(("method", "suffix", "body"), ROUTES)
async def test_a_missing_session_is_told_by_its_code(
    ask: Asker, store: DictStore, method: str, suffix: str, body: bytes | None
) -> None:
    """Every route but the upsert answers 404 for a missing session, and makes none."""
    if method == "PUT":
        assert (await ask(method, f"/v1/sessions/s{suffix}", body or b""))[0] == 200
        return

    status, answer = await ask(method, f"/v1/sessions/s{suffix}", body or b"")

    assert status == 404
    assert method == "HEAD" or code(answer) == "session_missing"
    assert not await store.exists("s")


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("GET", "/v1/session/s", 404, "not_found"),
        ("GET", "/v1/sessions/", 404, "not_found"),
        ("GET", "/v1/sessions/s/", 404, "not_found"),
        ("GET", "/v1/sessions/s/cost", 404, "not_found"),
        ("GET", "/v1/sessions/a/b", 404, "not_found"),
        ("GET", "/v1/sessions", 405, "method_not_allowed"),
        ("POST", "/v1/sessions/s", 405, "method_not_allowed"),
    ],
)
async def test_a_missing_route_is_no_missing_session(
    ask: Asker, method: str, path: str, status: int, expected: str
) -> None:
    """What is not routed has codes of its own, in the same shape."""
    found, answer = await ask(method, path, b"{}")

    assert (found, code(answer)) == (status, expected)


@pytest.mark.parametrize(
    "given", [None, "Bearer wrong", "Bearer", "Bearer ", "Basic secret", "secret", "Bearer secret2"]
)
@pytest.mark.parametrize("path", ["/v1/sessions/s", "/v1/sessions/..", "/v1/nothing", "/v1"])
async def test_without_the_token_every_route_is_401(path: str, given: str | None) -> None:
    """The token is asked for before the path, the id and the body are looked at."""
    ask = Asker(create_app(DictStore(), token="secret"))

    status, answer = await ask("PUT", path, b"{", token=given)

    assert (status, code(answer)) == (401, "unauthorized")


async def test_the_token_opens(store: DictStore) -> None:
    """With the token the routes work; asking for life needs none."""
    ask = Asker(create_app(store, token="secret"))

    assert (await ask("POST", "/v1/sessions", b"{}", token="bearer secret"))[0] == 201
    assert await ask("GET", "/healthz") == (200, {"status": "ok"})
    with pytest.raises(ValueError, match="empty"):
        create_app(store, token="")


@pytest.mark.parametrize(
    ("problem", "status", "expected"),
    [
        (StoreUnavailableError("host:5432 is down", is_retry_safe=True), 503, "unavailable"),
        (StoreClosedError("closed"), 503, "unavailable"),
        (NotImplementedError("no"), 501, "not_supported"),
        (RuntimeError("password=hunter2"), 500, "internal"),
    ],
)
async def test_a_failing_store_is_5xx_without_internals(
    problem: Exception, status: int, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The details of a failure are in the log, and not in the answer."""

    class Failing(DictStore):
        async def load(self, session_id: str) -> list[dict[str, Json]] | None:
            raise problem

    with caplog.at_level(logging.WARNING, logger="reference_backends.platform"):
        found, answer = await Asker(create_app(Failing()))("GET", "/v1/sessions/s")

    assert (found, code(answer)) == (status, expected)
    assert str(problem) not in answer["error"]["message"]
    assert str(problem) in caplog.text


async def test_cost_data_of_a_session_that_goes_meanwhile_is_not_invented() -> None:
    """A session that is deleted between the two looks is answered with its data or as missing."""

    class Vanishing(DictStore):
        async def exists(self, session_id: str) -> bool:
            await self.delete(session_id)
            return await super().exists(session_id)

    store = Vanishing()
    ask = Asker(create_app(store))
    await store.save("s", [])

    assert (await ask("GET", "/v1/sessions/s/cost_data"))[0] == 404
    await store.save("s", [])
    await store.update("s", cost_data={"n": 1})
    assert (await ask("GET", "/v1/sessions/s/cost_data"))[1]["cost_data"] == {"n": 1}


async def test_fifty_patches_at_once_all_stand(store: DictStore) -> None:
    """Updates of different keys at once lose none of them."""
    ask = Asker(create_app(store))
    await store.create("s")

    await asyncio.gather(
        *(ask("PATCH", "/v1/sessions/s", b'{"cost_data": {"%d": 1}}' % n) for n in range(50))
    )

    assert await store.get_cost_data("s") == {str(n): 1 for n in range(50)}


@pytest.fixture
async def client(store: DictStore) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://platform") as found:
        yield found


async def test_no_answer_may_be_cached(client: httpx.AsyncClient) -> None:
    """A cache on the way would serve an old state as the present one."""
    answers = [await client.get(path) for path in ("/healthz", "/v1/sessions/s", "/nowhere")]

    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


async def test_the_api_describes_itself(client: httpx.AsyncClient) -> None:
    """OpenAPI names every route."""
    paths = (await client.get("/openapi.json")).json()["paths"]

    assert paths.keys() == {
        "/v1/sessions",
        "/v1/sessions/{session_id}",
        "/v1/sessions/{session_id}/cost_data",
        "/healthz",
        "/readyz",
    }


@pytest.mark.parametrize("is_owned", [True, False])
async def test_a_store_is_closed_by_its_owner(store: DictStore, *, is_owned: bool) -> None:
    """The end of the application closes the store when that was asked for, and only then."""
    app = create_app(store, close_store=is_owned)

    async with app.router.lifespan_context(app):
        assert not store.is_closed

    assert store.is_closed is is_owned
