"""The command `serve`: a real process on a real port, over a real store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import uvicorn
from click.testing import CliRunner

from sessionstore_contract import serving
from sessionstore_contract.cli import main
from sessionstore_contract.serving import Serving, ServingError, place_of

from .served import COMMAND, children_of, service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.slow

TOKENS = {"WRITER": "write-and-read", "READER": "read-alone"}


def test_what_was_stored_is_there_after_a_stop(tmp_path: Path) -> None:
    """It says where it listens, ends with 0 when it is asked to, and begins where it ended."""
    store = f"sqlite:///{tmp_path}/sessions.db"
    with service("--store", store) as first:
        assert first.said.startswith(f"serving sqlite on {first.url} (process ")
        httpx.put(f"{first.url}/v1/sessions/s", json={"messages": [{"n": 1}]})
        assert httpx.get(f"{first.url}/readyz").json() == {"status": "ok"}
        assert first.stop() == 0
    with service("--store", store) as second:
        answer = httpx.get(f"{second.url}/v1/sessions/s")
        assert answer.json()["messages"] == [{"n": 1}]
        assert "server" not in answer.headers


def test_a_request_under_way_is_answered(tmp_path: Path) -> None:
    """SIGTERM in the middle of a PATCH: it is answered and stored, and nobody new is let in."""
    store = f"sqlite:///{tmp_path}/sessions.db"
    body = b'{"cost_data": {"kept": true}}'
    with service("--store", store) as served:
        httpx.put(f"{served.url}/v1/sessions/s", json={"messages": []})
        address = ("127.0.0.1", urlsplit(served.url).port or 0)
        with socket.create_connection(address, timeout=30) as line:
            line.sendall(
                b"PATCH /v1/sessions/s HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            )
            # It is being read, so the request is under way.
            assert line.recv(4096).startswith(b"HTTP/1.1 100")
            served.process.send_signal(signal.SIGTERM)
            until_refused(address)
            line.sendall(body)
            assert line.recv(4096).startswith(b"HTTP/1.1 200")
        assert served.process.wait(30) == 0
    with service("--store", store) as again:
        found = httpx.get(f"{again.url}/v1/sessions/s/cost_data").json()
        assert found["cost_data"] == {"kept": True}


ASKED_AS_IT_SPEAKS = """
import os, signal, sys
from sessionstore_contract.serving import Serving, serve
if __name__ == "__main__":
    serving = Serving(sys.argv[1], "127.0.0.1", 0, workers=int(sys.argv[2]))
    sys.exit(serve(serving, lambda _: os.kill(os.getpid(), signal.SIGTERM)))
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_stops_when_it_is_asked_as_soon_as_it_speaks(tmp_path: Path, workers: str) -> None:
    """Who reads where it listens knows that it can be stopped."""
    script = tmp_path / "asked.py"
    script.write_text(ASKED_AS_IT_SPEAKS, "utf-8")
    arguments = [f"sqlite:///{tmp_path}/s.db", workers]
    ran = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_workers_are_started_by_older_releases_of_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until 0.53 they were told what to run."""
    made: dict[str, Any] = {}

    def older(config: Any, target: Any, sockets: list[Any]) -> str:
        made.update(config=config, target=target, sockets=sockets)
        return "workers"

    monkeypatch.setattr("uvicorn.supervisors.Multiprocess", older)
    config = uvicorn.Config("nothing:app")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        assert serving._workers(config, server, listener) == "workers"
        assert made == {"config": config, "target": server.run, "sockets": [listener]}


def until_refused(address: tuple[str, int]) -> None:
    while True:
        try:
            socket.create_connection(address, timeout=30).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it was waiting to be let in when the door was closed


def test_a_request_to_a_worker_is_answered(tmp_path: Path) -> None:
    """SIGTERM while one of several workers reads a PATCH: the others end, and this one answers."""
    body = b'{"cost_data": {"kept": true}}'
    with service("--store", f"sqlite:///{tmp_path}/s.db", "--workers", "3") as served:
        httpx.put(f"{served.url}/v1/sessions/s", json={"messages": []}, timeout=60)
        address = ("127.0.0.1", urlsplit(served.url).port or 0)
        with socket.create_connection(address, timeout=30) as line:
            line.sendall(
                b"PATCH /v1/sessions/s HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                b"content-length: %d\r\n\r\n" % len(body)
            )
            assert line.recv(4096).startswith(b"HTTP/1.1 100")
            workers = children_of(served.process.pid)
            served.process.send_signal(signal.SIGTERM)
            while children_of(served.process.pid) == workers:
                pass  # the word has not been passed on yet
            line.sendall(body)
            assert line.recv(4096).startswith(b"HTTP/1.1 200")
        assert served.process.wait(60) == 0


async def test_workers_on_postgresql_keep_every_patch(place: str) -> None:
    """PATCHes of different keys that wait for one row, in more than one process, and then all go.

    A process makes one change of a session at a time: where two wait, there are two processes.
    """
    with service("--store", place, "--workers", "3") as served:
        assert "3 worker processes" in served.said
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=served.url, limits=limits, timeout=60) as http:
            await http.put("/v1/sessions/s", json={"messages": []})
            patches: list[asyncio.Task[httpx.Response]] = []

            def patch() -> None:
                body = {"cost_data": {str(len(patches)): len(patches)}}
                patches.append(asyncio.create_task(http.patch("/v1/sessions/s", json=body)))

            async with locked(place, "s") as connection:
                for _ in range(50):
                    patch()
                while await waiting_for(connection) < 2:
                    assert not any(one.done() for one in patches), "one process has them all"
                    patch()
            answers = await asyncio.gather(*patches)
            assert {one.status_code for one in answers} == {200}
            found = (await http.get("/v1/sessions/s/cost_data")).json()["cost_data"]
        assert found == {str(number): number for number in range(len(patches))}
        # The workers, and what multiprocessing keeps for itself.
        assert len(children_of(served.process.pid)) >= 3
        assert served.stop() == 0


async def waiting_for(connection: asyncpg.Connection[Any]) -> int:
    """Count the connections to its database that wait for a lock by now."""
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    counted: int = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return counted


@asynccontextmanager
async def locked(place: str, session: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Let whoever changes the session wait; answer the connection that it waits for."""
    connection = await asyncpg.connect(place)
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT FROM sessions WHERE session_id = $1 FOR UPDATE", session
            )
            yield connection
    finally:
        await connection.close()


def test_rights(tmp_path: Path) -> None:
    """Without a token 401, with the right to read alone 403 for a write; and no token is shown."""
    arguments = ["--store", "memory", "--token-env", "WRITER", "--reader-token-env", "READER"]
    with service(*arguments, **TOKENS) as served:
        url = f"{served.url}/v1/sessions/s"
        write = {"authorization": f"Bearer {TOKENS['WRITER']}"}
        read = {"authorization": f"Bearer {TOKENS['READER']}"}
        body: dict[str, Any] = {"messages": []}
        assert httpx.put(url, json=body).status_code == 401
        assert httpx.put(url, json=body, headers=read).status_code == 403
        assert httpx.put(url, json=body, headers=write).status_code == 200
        assert httpx.get(url, headers=read).status_code == 200
        assert httpx.get(f"{served.url}/healthz").status_code == 200
        command = Path(f"/proc/{served.process.pid}/cmdline").read_text("utf-8")
        assert not [one for one in TOKENS.values() if one in command + served.said]


@pytest.mark.parametrize("claims", ["cost-read,auth,retention"])
def test_the_contract_of_a_platform_holds_on_it(tmp_path: Path, claims: str) -> None:
    """Served over SQLite, tried by the command, as anybody would."""
    path = tmp_path / "report.json"
    arguments = ["--token-env", "WRITER", "--reader-token-env", "READER"]
    with service("--store", f"sqlite:///{tmp_path}/s.db", *arguments, **TOKENS) as served:
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "sessionstore_contract", "wire", served.url, *arguments),
                *("--with", claims, "--json", str(path), "--strict"),
                *("--effort", "quick"),
            ],
            env={**os.environ, **TOKENS},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout
    (backend,) = json.loads(path.read_text("utf-8"))["backends"]
    assert backend["counts"]["held"] == len(backend["clauses"])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--store", "mongodb://secret@host"], "no store 'mongodb'"),
        (["--store", "memroy"], "did you mean memory?"),
        (["--store", "sqlite://"], "sqlite:///path"),
        (["--store", "memory", "--workers", "2"], "leave out --workers"),
        (["--store", "memory", "--token-env", "NO_SUCH"], "no variable NO_SUCH"),
        (["--store", "memory", "--host", "0.0.0.0"], "say --token-env NAME"),
        (["--store", "memory", "--reader-token-env", "READER"], "reader token"),
    ],
)
def test_a_mistake_is_one_line_and_2(arguments: list[str], line: str) -> None:
    """Before anything listens, and without what may be secret."""
    ran = CliRunner(env=TOKENS).invoke(main, ["serve", "--port", "0", *arguments])
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert line in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "secret" not in ran.stderr


def test_a_port_that_is_taken_is_told() -> None:
    """In one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = subprocess.run(
            [*COMMAND, "--port", port, "--store", "memory"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 2
    assert f"can't listen on 127.0.0.1:{port}" in ran.stderr


def test_the_place_of_a_store() -> None:
    """By its URL."""
    assert place_of("sqlite:///a/b.db") == "a/b.db"
    assert place_of("sqlite:////a/b.db") == "/a/b.db"
    assert place_of("postgres://u@h/d") == "postgresql://u@h/d"
    assert place_of("postgresql://u@h/d") == "postgresql://u@h/d"
    with pytest.raises(ServingError):
        Serving("memory:/", "127.0.0.1", 0)


def loaded(url: str, seconds: float, requests: int) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.load", url, str(seconds), str(requests)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_a_load_from_another_process(tmp_path: Path) -> None:
    """Reads and PATCHes of many clients: no error, no lost key."""
    with service("--store", f"sqlite:///{tmp_path}/s.db") as served:
        found = loaded(served.url, 0, 720)
    assert found["requests"] == 720
    assert (found["errors"], found["lost"]) == ([], 0)


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 3])
def test_a_load_for_a_minute(place: str, tmp_path: Path, workers: int) -> None:
    """No error, no lost key, and memory that does not grow once the service has been in use."""
    store = place if workers > 1 else f"sqlite:///{tmp_path}/s.db"
    with service("--store", store, "--workers", str(workers)) as served:
        loaded(served.url, 15, 1000)
        before = served.resident()
        found = loaded(served.url, 60, 1000)
        after = served.resident()
        assert (found["errors"], found["lost"]) == ([], 0)
        assert after < before + 8 * 1024, f"{before} KiB, then {after} KiB"
