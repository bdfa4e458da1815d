"""What nobody well-meaning sends, on a real socket: refused, and nothing changed or revealed."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from reference_backends.platform import create_app
from tests.reference_backends.dict_store import DictStore
from tests.reference_backends.serving import on_a_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "the chat of somebody else"
TOKEN = "right"
LONG = "x" * 10_000
DAY = "01-01T00:00:00Z"
MEGABYTES = b'{"messages": ["' + b"x" * 10_000_000 + b'"]}'

GOOD = f"authorization: Bearer {TOKEN}\r\n"
JSON = "content-type: application/json\r\n"


class Wire:
    """One platform over one store, asked in bytes."""

    def __init__(self, url: str, store: DictStore) -> None:
        self._port = urlsplit(url).port or 0
        self.store = store

    def ask(
        self, method: str, target: str, body: bytes = b"", headers: str = GOOD + JSON
    ) -> tuple[int, bytes]:
        """Send the request as it is written here, and answer status and body."""
        head = f"{method} {target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{headers}"
        with socket.create_connection(("127.0.0.1", self._port), timeout=30) as line:
            line.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            received = b""
            while chunk := line.recv(65536):
                received += chunk
        top, _, content = received.partition(b"\r\n\r\n")
        return int(top.split(b" ")[1]), content

    def state(self) -> Any:
        async def read() -> Any:
            names = ("victim", "cost_data", "a")
            return [
                (await self.store.load(one), await self.store.get_cost_data(one)) for one in names
            ]

        return asyncio.run(read())


@pytest.fixture(scope="module")
def platform() -> Iterator[Wire]:
    store = DictStore()

    async def fill() -> None:
        await store.save("victim", [{"content": SECRET}])
        await store.update("victim", cost_data={"secret": SECRET})

    asyncio.run(fill())
    with on_a_port(lambda: create_app(store, token=TOKEN)) as url:
        yield Wire(url, store)


def refused(platform: Wire, *request: Any, is_routed: bool = True) -> None:
    """Demand 4xx with an error of the one shape, and that all is as it was."""
    before = platform.state()
    status, content = platform.ask(*request)
    assert 400 <= status < 500, content
    assert SECRET.encode() not in content
    if is_routed:
        error = json.loads(content)["error"]
        assert error["code"]
        assert len(error["message"]) < 500
    assert platform.state() == before


@pytest.mark.parametrize(
    "target",
    [
        f"/v1/sessions/{LONG}",
        "/v1/sessions/..",
        "/v1/sessions/../sessions/victim/..",
        "/v1/sessions/%2e%2e",
        "/v1/sessions/%2E",
        "/v1/sessions/victim%0d%0ax-odd:%201",
        "/v1/sessions/victim%00",
        "/v1/sessions/victim%00/cost_data",
        "/v1/sessions/%",
        "/v1/sessions/%zz",
        "/v1/sessions/%ff",
        "/v1/sessions/%ed%a0%80",
        "/v1/sessions//victim",
        "/v1/sessions/victim/",
        "/v1//sessions/victim",
        "//v1/sessions/victim",
        "/v1/sessions/victim/../victim",
        "/v1/sessions/a/../victim",
        "/v1/sessions/.%2fvictim/cost_data/x",
        "/V1/sessions/victim",
    ],
    ids=lambda target: target[:50],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_path_that_leads_nowhere(platform: Wire, method: str, target: str) -> None:
    """Dots, slashes, NUL, line ends, half an encoding: no other session is reached by it."""
    body = {"PUT": b'{"messages": []}', "PATCH": b'{"cost_data": {"n": 1}}'}.get(method, b"")
    refused(platform, method, target, body)


@pytest.mark.parametrize(
    "target",
    [
        "/v1/sessions/a%2F..%2Fvictim",
        "/v1/sessions/..%2Fvictim",
        "/v1/sessions/victim%2Fcost_data",
        "/v1/sessions/victim%3Fx=1",
        "/v1/sessions/victim%23",
        "/v1/sessions/VICTIM",
        "/v1/sessions/victim%20",
        "/v1/sessions/victim;x=1",
        "/v1/sessions/%2576ictim",
    ],
)
def test_an_encoded_id_is_another_session(platform: Wire, target: str) -> None:
    """It is missing, for nobody has made it, whatever it looks like."""
    for method in ("GET", "HEAD", "DELETE"):
        status, content = platform.ask(method, target)
        assert status == 404
        assert SECRET.encode() not in content
        assert method == "HEAD" or json.loads(content)["error"]["code"] == "session_missing"


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("PUT", "/v1/sessions/victim", MEGABYTES),
        ("PATCH", "/v1/sessions/victim", MEGABYTES.replace(b"messages", b"cost_data")),
        ("POST", "/v1/sessions", MEGABYTES.replace(b"messages", b"session_id")),
        ("PUT", "/v1/sessions/victim", b"[" * 1_000_000),
        ("PUT", "/v1/sessions/victim", b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("PATCH", "/v1/sessions/victim", b'{"cost_data": {"n": ' + b"9" * 100_000 + b"}}"),
        ("PATCH", "/v1/sessions/victim", b'{"cost_data": {"n": 1e99999}}'),
        ("PATCH", "/v1/sessions/victim", b'{"cost_data": {"n": 1}, "n": NaN}'),
        ("PUT", "/v1/sessions/victim", b'{"messages": [], "messages": []}'),
        ("POST", "/v1/sessions", json.dumps({"session_id": LONG}).encode()),
        ("POST", "/v1/sessions", b'{"session_id": "victim"}'),
        ("POST", "/v1/sessions", b'{"session_id": "a\\r\\nx-odd: 1"}'),
        ("POST", "/v1/sessions", b'{"session_id": "../victim\\u0000"}'),
        ("POST", "/v1/sessions", b""),
        ("DELETE", "/v1/sessions", b""),
        ("DELETE", "/v1/sessions?inactive_since=2999-01-01", b""),
        ("DELETE", "/v1/sessions?inactive_since=now", b""),
        ("DELETE", f"/v1/sessions?inactive_since=1999-{DAY}&inactive_since=2999-{DAY}", b""),
        ("DELETE", "/v1/sessions?inactive_since=2999-01-01T00:00:00%2B25:00", b""),
        ("DELETE", "/v1/sessions?inactive_since=9999-12-31T23:59:59-23:59", b""),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_a_body_or_query_that_can_t_be(
    platform: Wire, method: str, target: str, body: bytes
) -> None:
    """Ten megabytes, a hundred thousand brackets, digits without end: a clear error each."""
    refused(platform, method, target, body)


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "authorization: Bearer wrong\r\n",
        "authorization: Bearer\r\n",
        "authorization: Basic cmlnaHQ=\r\n",
        f"authorization: Bearer {TOKEN}x\r\n",
        "authorization: Bearer righ\r\n",
        f"authorization: Bearer {LONG}\r\n",
        "authorization: Bearer \u00e9\r\n",
        f"authorization: {TOKEN}\r\n",
        f"x-authorization: Bearer {TOKEN}\r\n",
        f"cookie: authorization=Bearer {TOKEN}\r\n",
        f"authorization: Bearer {TOKEN}\r\nauthorization: Bearer wrong\r\n",
    ],
    ids=lambda headers: headers.strip()[:40],
)
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/v1/sessions/victim", b""),
        ("GET", "/v1/sessions/victim/cost_data", b""),
        ("PUT", "/v1/sessions/victim", b'{"messages": []}'),
        ("PATCH", "/v1/sessions/victim", b'{"cost_data": {"n": 1}}'),
        ("DELETE", "/v1/sessions/victim", b""),
        ("POST", "/v1/sessions", b'{"session_id": "a"}'),
        ("DELETE", "/v1/sessions?inactive_since=2999-01-01T00:00:00Z", b""),
        ("GET", "/v1/sessions/nobody", b""),
        ("GET", "/nowhere", b""),
    ],
)
def test_without_the_token(
    platform: Wire, method: str, target: str, body: bytes, headers: str
) -> None:
    """401 on every route, there or not, for every session, there or not."""
    before = platform.state()
    status, content = platform.ask(method, target, body, headers + JSON)
    assert status == 401
    assert json.loads(content)["error"]["code"] == "unauthorized"
    assert SECRET.encode() not in content
    assert platform.state() == before


@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        ("/v1/sessions/victim", "authorization: Bearer wrong\r\n", "unauthorized"),
        ("/v1/sessions/victim%00", GOOD, "invalid_id"),
        ("/v1/sessions", GOOD, "method_not_allowed"),
        ("/nowhere", GOOD, "not_found"),
    ],
)
def test_who_sends_ten_megabytes_for_nothing_hears_why(
    platform: Wire, target: str, headers: str, expected: str
) -> None:
    """What nobody reads is taken all the same: the connection is not reset under the client."""
    status, content = platform.ask("PUT", target, MEGABYTES, headers)
    assert 400 <= status < 500
    assert json.loads(content)["error"]["code"] == expected


def test_who_asks_first_sends_nothing_for_nothing(platform: Wire) -> None:
    """A client that expects to be told to go on is refused at once."""
    head = "PUT /nowhere HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
    with socket.create_connection(("127.0.0.1", platform._port), timeout=30) as line:
        line.sendall(head.encode())
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_body_that_announces_no_length(platform: Wire) -> None:
    """It is counted as it comes, refused when it is too large, and taken when it is not."""
    for pieces, expected in ((157, 413), (1, 200)):
        text = b'{"messages": ["' + b"x" * 65_536 * pieces + b'"]}'
        head = f"PUT /v1/sessions/other HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{GOOD}"
        chunks = [text[at : at + 65_536] for at in range(0, len(text), 65_536)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
        with socket.create_connection(("127.0.0.1", platform._port), timeout=30) as line:
            line.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode() + body)
            assert line.recv(65536).startswith(b"HTTP/1.1 %d " % expected)


@pytest.mark.parametrize(
    "headers",
    [
        "x-request-id: a\x0bb\r\n",
        "x-request-id: a\rset-cookie: odd=1\r\n",
        "traceparent: 00-\r\n x\r\n",
        f"x-odd: {'y' * 100_000}\r\n",
        "no header\r\n",
        "content-length: 7\r\n",
        "transfer-encoding: odd\r\n",
    ],
    ids=repr,
)
def test_headers_that_try_to_be_more(platform: Wire, headers: str) -> None:
    """What a client sends never becomes a header of the answer, nor a failure of the service."""
    before = platform.state()
    head = f"GET /healthz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{headers}"
    with socket.create_connection(("127.0.0.1", platform._port), timeout=30) as line:
        line.sendall(head.encode() + b"\r\n")
        received = b""
        while chunk := line.recv(65536):
            received += chunk
    top = received.partition(b"\r\n\r\n")[0].lower()
    assert top.split(b" ")[1][:1] in {b"2", b"4"}
    assert b"set-cookie" not in top
    assert b"\x0b" not in top
    assert platform.state() == before
