"""The doors to the contract of a platform: the command, pytest, and an application in process."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from sessionstore_contract import Platform, catalogue, check_platform, check_platform_sync
from sessionstore_contract.cli import main
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.verdict import Conclusion, Finding, Verdict
from sessionstore_contract.wire import CLAUSES
from sessionstore_contract.wire.exchange import Credential, Exchange, Request, curl_lines
from sessionstore_contract.wire.platform import PlatformError

from .mutants.wire_platforms import PlainPlatform, Refused
from .mutants.wire_requests import TellsWhatIsDenied
from .mutants.wire_server import served
from .mutants.wire_sessions import HeadIsGet, PatchGoesDeep
from .report.schema import valid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = EFFORTS["quick"]
CLAIMS = ("--with", "cost-read,auth", "--token-env", "WIRE_TOKEN", "--body-limit", "100000")
ENVIRONMENT = {**os.environ, "WIRE_TOKEN": "right-token"}


def wire(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sessionstore_contract", "wire", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=ENVIRONMENT,
    )


def finding(report: Any, clause_id: str) -> Finding:
    (found,) = (one for one in report.backends[0].findings if one.clause.id == clause_id)
    assert isinstance(found, Finding)
    return found


def test_a_conformant_platform_is_0(tmp_path: Path) -> None:
    """Every clause is in the report, which names its contract."""
    path, baseline = tmp_path / "report.json", tmp_path / "baseline.toml"
    baseline.write_text('[[admitted]]\nclause = "cost.merge-is-shallow"\nreason = "r"\n')
    judged = ("--json", str(path), "--baseline", str(baseline))
    with served(PlainPlatform()) as url:
        ran = wire(url, *CLAIMS, *judged, "--seed", "3", "--effort", "quick", "-q")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "not found out: the clause is of another contract" in ran.stdout
    assert "conformant" in ran.stdout
    said = valid(path)
    assert said["contract"] == {
        "name": "wire",
        "version": catalogue.WIRE.version,
        "digest": catalogue.digest(catalogue.WIRE),
    }
    assert said["seed"] == 3
    (backend,) = said["backends"]
    assert [one["id"] for one in backend["clauses"]] == [one.id for one in CLAUSES]
    assert backend["capabilities"] == ["auth", "cost-read", "persistence"]


def test_a_defect_is_1_and_shown_as_commands() -> None:
    """The diagnosis comes first; a line for curl repeats the step, and the token is a variable."""
    with served(PatchGoesDeep()) as url:
        ran = wire(url, *CLAIMS, "--clause", "wire.patch-merges", "--seed", "3")
    assert ran.returncode == 1
    assert ran.stdout.startswith("PATCH merges nested objects\n")
    again = f"wire {url} --clause wire.patch-merges {' '.join(CLAIMS)} --seed 3\n"
    assert f"    sessionstore-contract {again}" in ran.stdout
    assert 'curl -i -X PATCH -H "Authorization: Bearer ${WIRE_TOKEN}"' in ran.stdout
    assert "right-token" not in ran.stdout + ran.stderr


def test_a_selection_that_holds_is_not_conformant() -> None:
    """Nothing is said of what was not tried."""
    with served(PlainPlatform()) as url:
        assert wire(url, *CLAIMS, "--clause", "wire.get").returncode == 3


def test_nobody_there_is_3(tmp_path: Path) -> None:
    """It can't be found out, and the report is written all the same."""
    with served(PlainPlatform()) as url:
        pass
    path = tmp_path / "report.json"
    ran = wire(url, "--json", str(path))
    assert ran.returncode == 3
    assert "can't be reached" in ran.stdout
    (backend,) = valid(path)["backends"]
    assert backend["verdict"] == "incomplete"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["127.0.0.1:80"], "begins with http:// or https://"),
        (["http://user:pw@127.0.0.1"], "has a user or password in it"),
        (["http://127.0.0.1/?a=b"], "has no query"),
        (["http://127.0.0.1", "--with", "durable"], "no capability 'durable' of a platform"),
        (["http://127.0.0.1", "--with", "auth"], "--token-env NAME"),
        (["http://127.0.0.1", "--token-env", "NO_SUCH"], "no variable NO_SUCH"),
        (["http://127.0.0.1", "--clause", "wire.gte"], "did you mean wire.get"),
        (["http://127.0.0.1", "--clause", "cost.merge-is-shallow"], "no clause"),
    ],
)
def test_a_mistake_is_one_line_and_2(arguments: list[str], line: str) -> None:
    """It says what is wrong, and asks nothing of anybody."""
    ran = CliRunner().invoke(main, ["wire", *arguments])
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert line in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "pw" not in ran.stderr


def test_a_token_that_is_echoed_is_hidden() -> None:
    """Wherever the platform repeats it, the variable stands there."""

    class Echoing(TellsWhatIsDenied):
        def word(self, content: Any) -> bytes:
            return super().word({**content, "you": f"Bearer {self.token}"})

    platform = Platform("echoing", app=Echoing(), token="right-token", adding=["auth"])
    found = finding(check_platform_sync(platform, effort=QUICK), "wire.auth")
    assert found.verdict is Verdict.VIOLATED
    assert "${TOKEN}" in str(found.answered)
    assert "right-token" not in str(found.packed())


@pytest.mark.parametrize("cut", [8, 20, 40])
def test_a_token_that_is_echoed_in_part_or_in_other_letters_is_hidden(cut: int) -> None:
    """Where an answer was cut off within it, too, and where JSON escapes what is in it."""
    token = 'aA0-._~+/"=aA0-._~+/"=aA0-._~+/"=aA0-._~+/"='
    platform = Platform("mine", url="http://127.0.0.1", token=token)
    assert platform.hide(f"Bearer {token[:cut]}... (99 bytes)") == "Bearer ${TOKEN}... (99 bytes)"
    for escaped in (json.dumps(token)[1:-1], token.replace("/", "\\/")):
        assert platform.hide(f"Bearer {escaped}") == "Bearer ${TOKEN}"


def test_a_token_shows_in_no_traceback() -> None:
    """Where the values of variables are shown."""
    platform = Platform("mine", url="http://127.0.0.1", token="right", reader_token="of-readers")
    assert "right" not in repr(platform)
    assert "of-readers" not in repr(platform)
    assert "right" not in repr(Credential.of("right", "TOKEN"))


def test_explain_and_list_know_the_clauses() -> None:
    """As those of stores."""
    listed = CliRunner().invoke(main, ["list", "wire"])
    assert all(one.id in listed.stdout for one in CLAUSES)
    explained = CliRunner().invoke(main, ["explain", "wire.auth"])
    assert "what a platform that does not hold it is told" in explained.stdout


def test_pytest_shows_each_clause_as_a_test(pytester: pytest.Pytester) -> None:
    """One that is broken fails with its diagnosis; one that is not claimed is skipped."""
    pytester.makepyfile(
        """
        from sessionstore_contract import Platform, wire_tests
        from tests.mutants.wire_sessions import PatchGoesDeep

        test_mine = wire_tests(
            Platform("mine", app=PatchGoesDeep(), token="right-token", adding=["cost-read"]),
            clauses=["wire.get", "wire.patch-merges", "wire.auth", "wire.oversize"],
        )
        """
    )
    ran = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "-p", "no:schemathesis", "-rA", "--sessionstore-effort", "quick"
    )
    ran.assert_outcomes(passed=2, failed=1, skipped=1)
    ran.stdout.fnmatch_lines(["FAILED *test_mine?wire.patch-merges?*"])
    ran.stdout.fnmatch_lines(["PATCH merges nested objects", '*curl -i -X PATCH -H "Auth*'])
    ran.stdout.fnmatch_lines(["*test_mine (mine): 1 violated clause, 1 defect"])


async def test_a_platform_is_tried_beside_a_running_loop() -> None:
    """The loop goes on meanwhile."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    report = await check_platform(
        Platform("mine", app=PlainPlatform(), token="right-token"), effort=QUICK
    )
    turning.cancel()
    assert report.backends[0].conclusion is Conclusion.CONFORMANT
    assert turns > 1


class Living(PlainPlatform):
    """Knows the lifespan of an application, and is nothing before its start and after its end."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.threads: set[int] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.threads.add(threading.get_ident())
        if scope["type"] != "lifespan":
            await super().__call__(scope, receive, send)
            return
        for _ in range(2):
            event = (await receive())["type"]
            self.said.append(event)
            await send({"type": f"{event}.complete"})


def test_an_application_is_started_and_ended() -> None:
    """Once, on the loop and thread on which it is asked."""
    app = Living()
    report = check_platform_sync(Platform("mine", app=app, token="right-token"), effort=QUICK)
    assert report.backends[0].conclusion is Conclusion.CONFORMANT
    assert app.said == ["lifespan.startup", "lifespan.shutdown"]
    assert len(app.threads) == 1


def test_an_application_that_does_not_start_is_not_accused() -> None:
    """Nothing can be found out of it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    report = check_platform_sync(Platform("mine", app=app), effort=QUICK)
    assert report.exit_code == 3
    assert finding(report, "wire.get").reason == "the application did not start: no database"


class Begun(PlainPlatform):
    """Has what it needs from its start on, and hands it to each request."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.rows = scope["state"]["rows"]
            await super().__call__(scope, receive, send)
            return
        scope["state"]["rows"] = {}
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})


def test_a_request_has_the_state_that_an_application_has_begun_with() -> None:
    """As a server gives it: a pool that was opened at the start is there."""
    report = check_platform_sync(Platform("mine", app=Begun(), token="right-token"), effort=QUICK)
    assert report.backends[0].conclusion is Conclusion.CONFORMANT


@pytest.mark.parametrize(
    ("status", "way_out"),
    [(401, "--token-env"), (403, "--token-env"), (301, "redirects to"), (308, "redirects to")],
)
def test_a_platform_that_is_asked_wrongly_is_not_accused(status: int, way_out: str) -> None:
    """Without the token, or at a URL that leads elsewhere, nothing can be found out of it."""

    class Elsewhere(PlainPlatform):
        async def answer(self, scope: Any, body: bytes) -> Any:
            return status, {}

    report = check_platform_sync(Platform("mine", app=Elsewhere()), effort=QUICK)
    assert report.exit_code == 3
    said = finding(report, "wire.get").reason
    assert str(said).startswith(f"the platform answers {status}: ")
    assert way_out in str(said)


def test_a_token_that_is_not_let_in_is_not_asked_for_again() -> None:
    """Nor one that is, by a platform that hides with 403 what is missing."""

    class Hiding(PlainPlatform):
        def row(self, session: str) -> Any:
            if session not in self.rows:
                raise Refused(403, "not yours")
            return self.rows[session]

    report = check_platform_sync(Platform("mine", app=Hiding(), token="right-token"), effort=QUICK)
    said = str(finding(report, "wire.get").reason)
    assert said.startswith("the platform answers 403: the token that was handed over is not let")
    assert "--token-env" not in said


def test_a_platform_that_gives_no_answer_to_the_first_question_is_told_which() -> None:
    """It is there, and may do everything else right."""

    class Hanging(PlainPlatform):
        async def get(self, session: str) -> Any:
            await asyncio.sleep(3600)

    platform = Platform("mine", app=Hanging(), token="right-token", timeout=0.2)
    said = finding(check_platform_sync(platform, effort=QUICK), "wire.get").reason
    assert said == "a GET of a missing session, asked first, is not answered: none within 0.2 s"


class Hinting(PlainPlatform):
    """Says 103 before each answer, once it is served."""

    before = 103


class HintingWithBodies(HeadIsGet):
    before = 103


@pytest.mark.parametrize(("app", "length"), [(Hinting(), 0), (HintingWithBodies(), 1)])
def test_hints_before_an_answer_are_no_body_of_a_head(app: Any, length: int) -> None:
    """1xx heads come before that of the final answer, and a body after it is seen all the same."""
    with served(app) as url:
        platform = Platform("mine", url=url, token="right-token")
        (clause,) = catalogue.select(["wire.head"], contract=catalogue.WIRE)
        report = check_platform_sync(platform, clauses=[clause], effort=QUICK)
    violated = [one for one in report.backends[0].findings if one.verdict is Verdict.VIOLATED]
    assert len(violated) == length


def test_a_put_is_answered_by_any_2xx() -> None:
    """202 as well, where what was put can be read at once."""

    class Accepting(PlainPlatform):
        async def put(self, session: str, body: Any) -> Any:
            await super().put(session, body)
            return 202, {"session_id": session}

    report = check_platform_sync(
        Platform("mine", app=Accepting(), token="right-token"), effort=QUICK
    )
    assert report.backends[0].conclusion is Conclusion.CONFORMANT


class Forked(PlainPlatform):
    """Two processes with a memory of their own each, by turns."""

    turn = 1
    keeps = True

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.other = 0, self.rows

    async def answer(self, scope: Any, body: bytes) -> Any:
        if self.asked == 0:
            self.other = {}
        self.asked += 1
        if self.asked % self.turn == 0:
            self.rows, self.other = self.other, self.rows
        return await super().answer(scope, body)


@pytest.mark.parametrize("turn", range(1, 14))
def test_no_request_is_blamed_for_a_memory_of_each_process(turn: int) -> None:
    """What a refused request seems to have changed flaps without it too."""
    app = Forked()
    app.turn = turn
    report = check_platform_sync(
        Platform("mine", app=app, token="right-token", adding=["cost-read", "auth"]), effort=QUICK
    )
    blamed = [
        one
        for one in report.backends[0].findings
        if one.verdict is Verdict.VIOLATED
        and any(word in str(one.headline) for word in ("changes", "erases", "unreadable", "an id"))
    ]
    assert blamed == []


@pytest.mark.parametrize("turn", [3, 7, 13, 20, 27])
def test_no_connection_and_no_client_is_blamed_for_it_either(turn: int) -> None:
    """On a socket, where these are seen."""
    app = Forked()
    app.turn = turn
    chosen = ["wire.kept-connections-stay-in-step", "wire.a-client-that-leaves-breaks-nothing"]
    with served(app) as url:
        report = check_platform_sync(
            Platform("mine", url=url, token="right-token", adding=["cost-read"]),
            clauses=catalogue.select(chosen, contract=catalogue.WIRE),
            effort=QUICK,
        )
    said = {finding(report, one).verdict for one in chosen}
    assert said <= {Verdict.HELD, Verdict.INCONCLUSIVE}


def test_what_a_refused_request_left_behind_is_blamed_on_it() -> None:
    """Where others fail too from then on, as on a connection that was broken by it."""

    class Breaking(PlainPlatform):
        is_broken = False

        async def patch(self, session: str, body: Any) -> Any:
            self.is_broken = self.is_broken or "cost_data" not in body
            return await super().patch(session, body)

        async def get(self, session: str) -> Any:
            return (500, {}) if self.is_broken else await super().get(session)

    (clause,) = catalogue.select(["wire.unknown-members-are-refused"], contract=catalogue.WIRE)
    report = check_platform_sync(
        Platform("mine", app=Breaking(), token="right-token"), clauses=[clause], effort=QUICK
    )
    found = finding(report, "wire.unknown-members-are-refused")
    assert found.headline == "PATCH with a misspelt member changes the session"
    assert len(found.witness) == 5


def test_a_slow_platform_is_told_what_gives_it_longer() -> None:
    """A clause that asks often is given up, and no fault is seen in it."""

    class Slow(PlainPlatform):
        async def answer(self, scope: Any, body: bytes) -> Any:
            await asyncio.sleep(0.1)
            return await super().answer(scope, body)

    (clause,) = catalogue.select(["wire.ids-are-one-segment"], contract=catalogue.WIRE)
    report = check_platform_sync(
        Platform("mine", app=Slow(), token="right-token"),
        clauses=[clause],
        effort=replace(QUICK, limit=1),
    )
    found = finding(report, "wire.ids-are-one-segment")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "--effort thorough" in str(found.reason)


def test_a_platform_that_limits_the_rate_is_not_accused() -> None:
    """429, and 503 with a time to wait, say nothing of the contract."""

    class Limiting(PlainPlatform):
        asked = 0

        async def answer(self, scope: Any, body: bytes) -> Any:
            self.asked += 1
            return (429, {}) if self.asked > 3 else await super().answer(scope, body)

    report = check_platform_sync(
        Platform("mine", app=Limiting(), token="right-token", adding=["cost-read"]), effort=QUICK
    )
    assert {one.verdict for one in report.backends[0].findings} <= {
        Verdict.HELD,
        Verdict.INCONCLUSIVE,
        Verdict.NOT_APPLICABLE,
    }
    assert "it limits the rate" in str(finding(report, "wire.delete").reason)


def test_a_platform_that_hangs_costs_its_clauses_alone() -> None:
    """A request that is not answered in time is told as such."""

    class Hanging(PlainPlatform):
        async def delete(self, session: str) -> Any:
            await asyncio.sleep(3600)

    platform = Platform("mine", app=Hanging(), token="right-token", timeout=0.2)
    (clause,) = catalogue.select(["wire.delete"], contract=catalogue.WIRE)
    found = finding(check_platform_sync(platform, clauses=[clause], effort=QUICK), "wire.delete")
    assert found.headline == "DELETE is not answered: none within 0.2 s"


@pytest.mark.parametrize(
    "mistake",
    [
        {},
        {"url": "http://127.0.0.1", "app": PlainPlatform()},
        {"url": "http://127.0.0.1", "token": "two words"},
        {"url": "http://127.0.0.1", "token": ""},
        {"url": "http://127.0.0.1:port"},
    ],
    ids=["nothing", "both", "a token of two words", "an empty token", "no port"],
)
def test_a_platform_that_is_described_wrong_is_refused(mistake: dict[str, Any]) -> None:
    """At once, and without the token in the message."""
    with pytest.raises(PlatformError) as refused:
        Platform("mine", **mistake)
    assert "two words" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "is_disposable"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://localhost", True),
        ("https://chat.example", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_only_what_is_near_is_disposable(url: str, *, is_disposable: bool) -> None:
    """Who says nothing does not lose what others made elsewhere."""
    assert Platform("mine", url=url).is_disposable is is_disposable


@contextmanager
def echo() -> Iterator[tuple[str, list[tuple[str, str, bytes, bytes]]]]:
    """Serve what remembers each request as it came."""
    seen: list[tuple[str, str, bytes, bytes]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        body = (await receive())["body"]
        seen.append(
            (scope["method"], scope["raw_path"].decode(), body, headers.get(b"authorization", b""))
        )
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with served(app) as url:
        yield url, seen


@pytest.mark.parametrize(
    "body",
    [
        None,
        b'{"a": "it\'s $HOME `x`"}',
        b"\xff\x00\n",
        b"[" * 5000,
        b'{"a": "' + b"x" * 300_000 + b'"}',
    ],
    ids=["none", "quotes", "bytes", "repeated", "large"],
)
@pytest.mark.parametrize("method", ["PATCH", "HEAD"])
def test_a_command_asks_the_same(method: str, body: bytes | None) -> None:
    """What is printed can be pasted: it sends what the clause has sent."""
    if method == "HEAD" and body is not None:
        return
    request = Request(
        method, "/v1/sessions/a%2Fb%3F%27c", body, Credential.of("secret", "MY_TOKEN")
    )
    with echo() as (url, seen):
        line = request.curl(url)
        assert "secret" not in line
        subprocess.run(
            ["bash", "-c", line],
            env={**os.environ, "MY_TOKEN": "secret"},
            check=True,
            capture_output=True,
            timeout=30,
        )
    assert seen == [(method, request.path, body or b"", b"Bearer secret")]


def test_a_command_sends_chunks() -> None:
    """Where the clause has sent them: a length would be another question."""
    seen: list[tuple[Any, ...]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        names = {name for name, _ in scope["headers"]}
        seen.append((b"content-length" in names, (await receive())["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    body = b"x" * 100_000
    with served(app) as url:
        line = Request("PUT", "/v1/sessions/s", body, is_chunked=True).curl(url)
        subprocess.run(["bash", "-c", line], check=True, capture_output=True, timeout=30)
    assert seen == [(False, body)]


def test_a_command_leaves_and_says_what_it_has() -> None:
    """A client that leaves is given as long; an ETag is a word of its own, whatever is in it."""
    left = Request("PUT", "/v1/sessions/s", b"{}", leaves_after=0.0012)
    assert "--max-time 0.0012 " in left.curl("http://127.0.0.1")
    assert left.worded() == "PUT /v1/sessions/s [leaving after 1.2 ms] {}"
    known = Request("GET", "/v1/sessions/s", if_none_match='W/"it\'s"')
    assert known.worded() == 'GET /v1/sessions/s [If-None-Match: W/"it\'s"]'
    assert 'If-None-Match: W/"it\'s"' in shlex.split(known.curl("http://127.0.0.1"))


def test_a_body_after_a_head_is_shown_by_its_command() -> None:
    """By the one that only asks for the head, curl would leave it out."""
    asked = Exchange(1, Request("HEAD", "/v1/sessions/s"), is_judged=True)
    asked.outcome, asked.status, asked.body = "answered", 200, b"{}"
    assert asked.answered() == "200 {}"
    (line,) = curl_lines([asked], "http://127.0.0.1")
    with served(HeadIsGet()) as url:
        line = line.replace("http://127.0.0.1", url)
        put = Request("PUT", "/v1/sessions/s", b'{"messages": []}', Credential.of("t", "TOKEN"))
        line = line.replace("curl", "curl -H 'Authorization: Bearer right-token'")
        for one in (put.curl(url), line):
            ran = subprocess.run(
                ["bash", "-c", one],
                env={**os.environ, "TOKEN": "right-token"},
                check=False,
                capture_output=True,
                text=True,
                timeout=30,
            )
    assert '"messages": []' in ran.stdout
