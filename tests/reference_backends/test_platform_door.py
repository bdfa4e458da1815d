"""Rights, readiness, request ids, traces and the description of the platform."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from reference_backends import rest
from reference_backends.http import HttpSessionStore
from reference_backends.platform import create_app
from reference_backends.platform_description import described, methods_of
from reference_backends.platform_door import OPEN_PATHS
from sessionstore_contract.interface import StoreUnavailableError
from tests.reference_backends.asker import ROUTES, Asker, code
from tests.reference_backends.dict_store import DictStore
from tests.reference_backends.peers import peer, response
from tests.reference_backends.serving import on_a_port

if TYPE_CHECKING:
    from fastapi import FastAPI

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
READING = {"GET", "HEAD"}


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform")


@pytest.mark.parametrize(("method", "suffix", "body"), ROUTES)
async def test_the_right_to_read_alone(method: str, suffix: str, body: bytes | None) -> None:
    """It opens every route that changes nothing, and no other."""
    store = DictStore()
    await store.save("s", [{"kept": True}])
    ask = Asker(create_app(store, token="writer", reader_token="reader"))

    path = f"/v1/sessions/s{suffix}"
    status, answer = await ask(method, path, body or b"", token="Bearer reader")

    assert status == (200 if method in READING else 403)
    assert method in READING or code(answer) == "forbidden"
    assert await store.load("s") == [{"kept": True}]
    assert (await ask(method, path, body or b"", token="Bearer writer"))[0] == 200


@pytest.mark.parametrize(
    "given", ["Bearer readerwriter", "Bearer read", "Basic reader", "reader", "Bearer \u00e9"]
)
async def test_what_is_near_a_token_is_none(given: str) -> None:
    """Neither of the two, nor their sum, nor bytes past ASCII."""
    ask = Asker(create_app(DictStore(), token="writer", reader_token="reader"))

    status, answer = await ask("GET", "/v1/sessions/s", token=given)

    assert (status, code(answer)) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("given", "status"),
    [("writer", 404), ("reader", 404), ("writes", 401), ("w", 401), ("", 401), (None, 401)],
)
async def test_how_long_it_takes_tells_nothing_of_a_token(
    monkeypatch: pytest.MonkeyPatch, given: str | None, status: int
) -> None:
    """What is given is held against both tokens, whichever it is, by what takes as long for all."""
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def noted(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    ask = Asker(create_app(DictStore(), token="writer", reader_token="reader"))
    header = None if given is None else f"Bearer {given}"
    assert (await ask("GET", "/v1/sessions/s", token=header))[0] == status
    said = (given or "").encode()
    assert compared == [(said, b"writer"), (said, b"reader")]


async def test_tokens_given_twice_are_none() -> None:
    """Which of two is meant nobody can say."""
    app = create_app(DictStore(), token="writer")
    async with client_of(app) as client:
        headers = [("authorization", "Bearer writer"), ("authorization", "Bearer x")]
        assert (await client.get("/v1/sessions/s", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "tokens",
    [{"token": ""}, {"reader_token": "r"}, {"token": "same", "reader_token": "same"}],
    ids=str,
)
def test_tokens_that_make_no_sense_are_refused(tokens: dict[str, str]) -> None:
    """Before anything is served with them."""
    with pytest.raises(ValueError, match="token"):
        create_app(DictStore(), **tokens)  # type: ignore[arg-type]


async def test_readiness_is_the_storages() -> None:
    """The service that runs is alive; ready it is when its storage answers, and in time."""

    class Away(DictStore):
        async def exists(self, session_id: str) -> bool:
            raise StoreUnavailableError("postgresql://u:secret@host", is_retry_safe=True)

    ask = Asker(create_app(Away(), token="secret"))

    assert await ask("GET", "/healthz") == (200, {"status": "ok"})
    status, answer = await ask("GET", "/readyz")
    assert (status, code(answer)) == (503, "unavailable")
    assert "secret" not in str(answer)
    assert await Asker(create_app(DictStore()))("GET", "/readyz") == (200, {"status": "ok"})


async def test_a_storage_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks gets an answer all the same."""

    class Hanging(DictStore):
        async def exists(self, session_id: str) -> bool:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("reference_backends.platform.READY_WITHIN", 0.01)
    assert (await Asker(create_app(Hanging()))("GET", "/readyz"))[0] == 503


async def test_a_request_is_answered_under_its_own_id() -> None:
    """The id and the trace of the caller come back; an id that can't be passed on is replaced."""
    async with client_of(create_app(DictStore(), token="secret")) as client:
        given = {"x-request-id": "abc-1", "traceparent": TRACE}
        answer = await client.get("/v1/sessions/s", headers=given)
        assert answer.status_code == 401
        assert {name: answer.headers[name] for name in given} == given

        for odd in ("", "a\x0bb", "a b", "x" * 129, "\u00e9"):
            answer = await client.get("/healthz", headers={b"x-request-id": odd.encode()})
            assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"]), odd
        for odd in (
            "00-0-0-0",
            TRACE.replace("4", "0").replace("b", "g"),
            f"{TRACE}\x0b",
            "ff" + TRACE[2:],
        ):
            answer = await client.get("/healthz", headers={"traceparent": odd})
            assert "traceparent" not in answer.headers, odd


async def test_the_id_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """So that the failure of an answer can be found."""

    class Failing(DictStore):
        async def load(self, session_id: str) -> Any:
            raise RuntimeError("a defect")

    async with client_of(create_app(Failing())) as client:
        headers = {"x-request-id": "abc-1"}
        assert (await client.get("/v1/sessions/s", headers=headers)).status_code == 500
    assert "GET /v1/sessions/s failed (request abc-1)" in caplog.text


async def test_both_are_passed_on_to_the_platform_behind() -> None:
    """A platform over an HTTP store: one id for the whole way, and never another request's."""
    seen: list[tuple[str, str, str | None]] = []

    def answer(head: bytes) -> bytes:
        request, *lines = head.decode().strip().splitlines()
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        path = request.split()[1]
        seen.append((path, headers["x-request-id"], headers.get("traceparent")))
        body = {"session_id": path.rpartition("/")[2], "messages": []}
        return response(json.dumps(body).encode())

    async with peer(answer) as found:
        behind = HttpSessionStore(found.url)
        async with client_of(create_app(behind)) as client:
            await asyncio.gather(
                *(
                    client.get(f"/v1/sessions/{name}", headers={"x-request-id": name} | trace)
                    for name, trace in (("a", {"traceparent": TRACE}), ("b", {}), ("c", {}))
                )
            )
        await behind.close()
    assert sorted(seen, key=str) == [
        ("/v1/sessions/a", "a", TRACE),
        ("/v1/sessions/b", "b", None),
        ("/v1/sessions/c", "c", None),
    ]


async def test_every_method_of_a_path_is_allowed_and_no_other() -> None:
    """The description has the routes that there are: what it names is routed, the rest is 405."""
    app = create_app(DictStore())
    every = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    async with client_of(app) as client:
        for template in described(1, asks_for_token=False)["paths"]:
            path = template.replace("{session_id}", "s")
            refused = {one for one in every if (await client.request(one, path)).status_code == 405}
            assert sorted(every - refused) == methods_of(path)
            answer = await client.request("OPTIONS", path)
            assert answer.headers["allow"] == ", ".join(methods_of(path))
            assert code(answer.json()) == rest.METHOD_NOT_ALLOWED
    assert methods_of("/elsewhere") == []


def schemathesis(url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json"),
            *("-H", "Authorization: Bearer secret", "--no-color", "--warnings", "off"),
            *("--generation-database", "none", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


@pytest.mark.slow
def test_the_description_is_true(tmp_path: Path) -> None:
    """Requests drawn from it, right and wrong ones, are answered as it says."""
    with on_a_port(lambda: create_app(token="secret")) as url:
        ran = schemathesis(url, tmp_path, "-n", "8", "--seed", "1")
    assert ran.returncode == 0, ran.stdout
    assert "No issues found" in ran.stdout


@pytest.mark.soak
def test_the_description_is_true_of_many_requests(tmp_path: Path) -> None:
    """The same with other seeds, and more of them."""
    with on_a_port(lambda: create_app(token="secret")) as url:
        ran = schemathesis(url, tmp_path, "-n", "300")
    assert ran.returncode == 0, ran.stdout


async def test_under_a_path_of_its_own_all_is_as_at_the_root() -> None:
    """Mounted, or behind a proxy that takes a prefix away: health is told without a token."""
    app = create_app(DictStore(), token="writer")
    for outer, prefix, root in (
        (app, "", "/api"),
        (Starlette(routes=[Mount("/api", app)]), "/api", ""),
    ):
        transport = httpx.ASGITransport(_as_uvicorn(outer, root))
        async with httpx.AsyncClient(transport=transport, base_url="http://platform") as client:
            for path in OPEN_PATHS:
                assert (await client.get(f"{prefix}{path}")).status_code == 200
            for path in ("/v1/sessions/s", "/v1/sessions/healthz", "/healthz/", "/api/healthz"):
                assert (await client.get(f"{prefix}{path}")).status_code == 401
            headers = {"authorization": "Bearer writer"}
            answer = await client.options(f"{prefix}/v1/sessions", headers=headers)
            assert answer.headers["allow"] == "DELETE, POST"


def _as_uvicorn(app: Any, root: str) -> Any:
    async def served(scope: Any, receive: Any, send: Any) -> None:
        raw = root.encode() + scope["raw_path"]
        scope = {**scope, "root_path": root, "path": f"{root}{scope['path']}", "raw_path": raw}
        await app(scope, receive, send)

    return served
