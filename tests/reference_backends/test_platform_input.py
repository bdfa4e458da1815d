"""The REST service asked with hostile ids and bodies, over ASGI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from reference_backends.platform import create_app
from tests.reference_backends.asker import REFUSED_IDS, ROUTES, STORABLE_IDS, Asker, code
from tests.reference_backends.dict_store import DictStore

if TYPE_CHECKING:
    pass


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
def ask(store: DictStore) -> Asker:
    return Asker(create_app(store, max_body_bytes=5000))


@pytest.mark.parametrize("session", STORABLE_IDS)
async def test_an_id_is_one_segment_on_every_route(
    ask: Asker, store: DictStore, session: str
) -> None:
    """A percent-encoded id reaches exactly the session of that id, whatever it holds."""
    for bystander in ("victim", "a", "b"):
        await store.save(bystander, [{"of": bystander}])
    path = f"/v1/sessions/{quote(session, safe='')}"

    assert (await ask("POST", "/v1/sessions", json.dumps({"session_id": session}).encode()))[1] == {
        "session_id": session
    }
    assert (await ask("PATCH", path, b'{"cost_data": {"n": 1}}'))[1] == {"session_id": session}
    assert (await ask("PUT", path, b'{"messages": [{"n": 1}]}'))[1] == {"session_id": session}
    assert (await ask("GET", path))[1] == {"session_id": session, "messages": [{"n": 1}]}
    assert (await ask("GET", f"{path}/cost_data"))[1]["cost_data"] == {"n": 1}
    assert await store.load(session) == [{"n": 1}]
    assert (await ask("HEAD", path))[0] == 200
    assert (await ask("DELETE", path))[0] == 200
    for bystander in ("victim", "a", "b"):
        assert await store.load(bystander) == [{"of": bystander}]


@pytest.mark.parametrize("segment", REFUSED_IDS)
@pytest.mark.parametrize(("method", "suffix", "body"), ROUTES)
async def test_an_invalid_id_is_refused_on_every_route(
    ask: Asker, segment: str, method: str, suffix: str, body: bytes | None
) -> None:
    """One rule for ids, whichever route they come by."""
    status, answer = await ask(method, f"/v1/sessions/{segment}{suffix}", body or b"")

    assert status == 422
    assert method == "HEAD" or code(answer) == "invalid_id"


@pytest.mark.parametrize("session", ['".."', '""', '"a\\nb"', '"\\ud800"', "null", "7", '["a"]'])
async def test_an_invalid_id_is_not_made(ask: Asker, session: str) -> None:
    """POST has the id rule of the other routes."""
    status, answer = await ask("POST", "/v1/sessions", b'{"session_id": %s}' % session.encode())

    assert (status, code(answer)) == (422, "invalid_id")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{'a': 1}",
        b'{"cost_data": {}} trailing',
        b'\xef\xbb\xbf{"cost_data": {}}',
        b'{"cost_data": {"a": "\xff"}}',
        '{"cost_data": {}}'.encode("utf-16"),
        b'{"cost_data": {"a": NaN}}',
        b'{"cost_data": {"a": -Infinity}}',
        b'{"cost_data": {"a": 1e999}}',
        b'{"cost_data": {"a": 1, "a": 2}}',
        b'{"cost_data": {"a": "\\ud800"}}',
        b'{"cost_data": {"\\udfff": 1}}',
        b'{"cost_data": {"a": "\\u0000"}}',
        b'{"cost_data": {"a": %s}}' % (b"[" * 300 + b"]" * 300),
        b'{"cost_data": {"a": %s' % (b"[" * 4900),
        b'{"cost_data": {"a": 1%s}}' % (b"0" * 4500),
        b'{"cost_data": {"a": 1%s}}' % (b"0" * 4250),
        b'{"cost_data": []}',
        b'{"cost_data": null}',
        b'{"cost_data": "text"}',
        b'{"cost_data": 1}',
        b'{"cost_date": {}}',
        b'{"cost_data": {"a": 1}, "messages": []}',
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_bad_input_is_4xx_and_changes_nothing(
    ask: Asker, store: DictStore, body: bytes
) -> None:
    """No body makes the service fail, or reaches the store in part."""
    await store.create("s")
    await store.update("s", cost_data={"kept": 1})

    status, answer = await ask("PATCH", "/v1/sessions/s", body)

    assert status in {400, 422}
    assert code(answer) in {"invalid_body", "unstorable_value"}
    assert await store.get_cost_data("s") == {"kept": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"mesages": []}',
        b'{"messages": null}',
        b'{"messages": {}}',
        b'{"messages": [], "more": 1}',
        b'{"messages": [NaN]}',
    ],
)
async def test_a_put_without_messages_erases_nothing(
    ask: Asker, store: DictStore, body: bytes
) -> None:
    """A history is replaced by a list that was named `messages`, and by nothing else."""
    await store.save("s", [{"kept": True}])

    status, answer = await ask("PUT", "/v1/sessions/s", body)

    assert 400 <= status < 500
    assert code(answer)
    assert await store.load("s") == [{"kept": True}]


async def test_a_body_over_the_limit_is_413(ask: Asker, store: DictStore) -> None:
    """The limit holds to the byte, and for bodies that announce no length."""
    most = b'{"messages": ["%s"]}'
    fits = most % (b"x" * (5000 - len(most) + 2))

    assert (await ask("PUT", "/v1/sessions/s", fits))[0] == 200
    status, answer = await ask("PUT", "/v1/sessions/s", fits[:2500], fits[2500:], b" ")

    assert (status, code(answer)) == (413, "too_large")
    assert len(await store.load("s") or []) == 1


async def test_housekeeping_needs_an_instant(ask: Asker, store: DictStore) -> None:
    """Without a time with an offset nothing is deleted; with one it goes by last activity."""
    await store.create("s")

    for query in (
        "",
        "?inactive_since=",
        "?inactive_since=2999-01-01T00:00:00",
        "?inactive_since=soon",
        "?inactive_since=0001-01-01T00:00:00%2B14:00",
    ):
        status, answer = await ask("DELETE", f"/v1/sessions{query}")
        assert (status, code(answer)) == (422, "invalid_query"), query
    assert await ask("DELETE", "/v1/sessions?inactive_since=1999-01-01T00:00:00%2B05:00") == (
        200,
        {"deleted": 0},
    )
    assert await ask("DELETE", "/v1/sessions?inactive_since=2999-01-01T00:00:00Z") == (
        200,
        {"deleted": 1},
    )
