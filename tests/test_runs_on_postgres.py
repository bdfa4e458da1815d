"""Whole runs on a real PostgreSQL server: a stranger's store, runs side by side, and Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from sessionstore_contract.storage.embedded import EmbeddedServer

from .test_cli import (
    ROOT,
    command,
    processes_that_name,
    report_of,
    until,
    was_something_tried,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PSYCOPG_STORE = """
import json, secrets
from datetime import UTC
import psycopg
from psycopg.types.json import Jsonb

class PsycopgStore:
    def __init__(self, dsn):
        self.dsn = dsn

    async def _run(self, sql, *values):
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await connection.execute("SELECT pg_advisory_lock(7)")
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS chats (id TEXT PRIMARY KEY,"
                " messages JSONB DEFAULT '[]', cost JSONB DEFAULT '{}',"
                " at TIMESTAMPTZ DEFAULT clock_timestamp())")
            await connection.execute("SELECT pg_advisory_unlock(7)")
            cursor = await connection.execute(sql, values)
            return cursor.rowcount, await cursor.fetchone() if cursor.description else None

    async def create(self, session_id=None):
        session_id = secrets.token_hex(16) if session_id is None else session_id
        await self._run("INSERT INTO chats (id) VALUES (%s)", session_id)
        return session_id

    async def load(self, session_id):
        _, row = await self._run("SELECT messages FROM chats WHERE id = %s", session_id)
        return row and row[0]

    async def save(self, session_id, messages):
        if not isinstance(messages, list):
            raise TypeError("messages are a list")
        await self._run(
            "INSERT INTO chats (id, messages) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE"
            " SET messages = EXCLUDED.messages, at = clock_timestamp()",
            session_id, Jsonb(messages))

    async def update(self, session_id, *, cost_data=None):
        if cost_data is not None and not isinstance(cost_data, dict):
            raise TypeError("cost data is an object")
        if not cost_data:
            return await self.exists(session_id)
        count, _ = await self._run(
            "UPDATE chats SET cost = cost || %s, at = clock_timestamp() WHERE id = %s",
            Jsonb(cost_data), session_id)
        return count == 1

    async def get_cost_data(self, session_id):
        _, row = await self._run("SELECT cost FROM chats WHERE id = %s", session_id)
        return row[0] if row else {}

    async def delete(self, session_id):
        return (await self._run("DELETE FROM chats WHERE id = %s", session_id))[0] == 1

    async def exists(self, session_id):
        return (await self._run("SELECT 1 FROM chats WHERE id = %s", session_id))[1] is not None

    async def delete_before(self, cutoff):
        cutoff = cutoff if cutoff.tzinfo else cutoff.replace(tzinfo=UTC)
        return (await self._run("DELETE FROM chats WHERE at < %s", cutoff))[0]

    async def close(self):
        pass
"""


@pytest.fixture
def temporary(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary folder is the test's own, so that leftovers are seen."""
    (tmp_path / "tmp").mkdir(mode=0o777)
    for folder in (tmp_path / "tmp", *tmp_path.parents):
        if folder.owner() == (tmp_path / "tmp").owner() and "pytest-" in str(folder):
            folder.chmod(0o777 if folder.name == "tmp" else 0o755)
    return {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "KIT_TEST": str(tmp_path)}


def started(
    environment: dict[str, str], *arguments: str, cwd: Path = ROOT
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("run", "--postgres", "embedded", *arguments),
        env=environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    until(lambda: not processes_that_name(environment["KIT_TEST"]))
    until(lambda: list((tmp_path / "tmp").iterdir()) == [])


@pytest.mark.parametrize("clauses", ["cost.*", pytest.param("*", marks=pytest.mark.soak)])
def test_a_strangers_store_gets_places_without_code(
    clauses: str, tmp_path: Path, temporary: dict[str, str]
) -> None:
    """A class on psycopg is opened on the same DSNs, and holds the contract."""
    (tmp_path / "strangers.py").write_text(PSYCOPG_STORE)
    run = started(
        temporary, "strangers:PsycopgStore", "--storage", "postgres", "-n", "2",
        "--effort", "quick", "--level", "must", "--clause", clauses, cwd=tmp_path,
    )  # fmt: skip
    stdout, stderr = run.communicate(timeout=180)

    assert run.returncode == (0 if clauses == "*" else 3), stdout + stderr
    assert re.search(r"PostgreSQL 18.* [1-9]\d* +0 .*(conformant|incomplete)", stdout)
    leaves_nothing(temporary, tmp_path)


TELLING = """
import os
from reference_backends.postgres import PostgresSessionStore

def open_store(place):
    with open(os.environ["KIT_TEST"] + "/modes", "a") as told:
        told.write(os.environ.get("PGSSLMODE", "none") + " ")
    return PostgresSessionStore(place)
"""


@pytest.mark.parametrize(("given", "told"), [(None, "disable"), ("allow", "allow")])
def test_drivers_are_told_that_a_server_has_no_tls(
    given: str | None, told: str, tmp_path: Path, temporary: dict[str, str]
) -> None:
    """Every opening of a store finds it in the environment, or what stood there before."""
    (tmp_path / "telling.py").write_text(TELLING)
    environment = temporary | ({} if given is None else {"PGSSLMODE": given})
    run = started(
        environment, "telling:open_store", "--storage", "postgres", "-n", "1",
        "--clause", "interface.has-every-operation", cwd=tmp_path,
    )  # fmt: skip
    stdout, stderr = run.communicate(timeout=180)

    assert run.returncode == 3, stdout + stderr
    assert set((tmp_path / "modes").read_text().split()) == {told}


def test_two_runs_at_once_do_not_disturb_each_other(
    tmp_path: Path, temporary: dict[str, str]
) -> None:
    """Each has a server and a folder of its own."""
    options = ("--effort", "quick", "--clause", "cost.*", "--clause", "retention.*")
    runs = [started(temporary, "postgres", *options) for _ in range(2)]
    told = [run.communicate(timeout=180) for run in runs]

    assert [run.returncode for run in runs] == [3, 3], told
    assert [re.findall(" (0) +0 +[0-9]+ +[0-9]+ incomplete", out) for out, _ in told] == [["0"]] * 2
    leaves_nothing(temporary, tmp_path)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_ends_early_takes_the_server_along(
    tmp_path: Path, temporary: dict[str, str], stop: signal.Signals
) -> None:
    """Ctrl-C, SIGTERM and SIGKILL leave no process and no file."""
    path = tmp_path / "r.json"
    # One worker: in the moment in which another is started nobody could clear away what is its own.
    run = started(temporary, "postgres", "-n", "1", "--json", str(path))
    until(lambda: path.exists() and was_something_tried(tmp_path / "tmp"))
    run.send_signal(stop)
    run.communicate(timeout=60)

    until(lambda: not processes_that_name(temporary["KIT_TEST"]))
    if stop is not signal.SIGKILL:
        assert run.returncode == 3
        assert report_of(path)["backends"][0]["verdict"] == "incomplete"
    leaves_nothing(temporary, tmp_path)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_ends_early_leaves_no_place_on_a_server_of_somebodys(
    tmp_path: Path, temporary: dict[str, str], stop: signal.Signals
) -> None:
    """Its workers are killed, and drop nothing themselves."""
    server = EmbeddedServer.join(tmp_path)
    path = tmp_path / "r.json"
    try:
        run = started(temporary, "postgres", "--postgres", server.dsn, "--json", str(path))
        until(lambda: was_something_tried(tmp_path / "tmp"))
        until(lambda: len(contract_databases(server.dsn)) > 2)
        run.send_signal(stop)
        run.communicate(timeout=60)
        assert run.returncode == 3
        assert contract_databases(server.dsn) == []
    finally:
        server.leave()


def contract_databases(dsn: str) -> list[str]:
    """Name the places on the server."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        query = "SELECT datname FROM pg_database WHERE datname LIKE 'contract%'"
        return [name for (name,) in connection.execute(query)]


def test_a_run_that_is_killed_before_its_server_is_there_leaves_nothing(
    tmp_path: Path, temporary: dict[str, str]
) -> None:
    """It is killed while it starts the keeper, which would be there a millisecond later."""
    for milliseconds in (0, 0, 0, 1, 2, 4):
        run = started(temporary, "postgres", "-n", "1")
        deadline = time.monotonic() + 30
        while not any((tmp_path / "tmp").glob("*/postgres.lock")):  # without a pause: it is short
            assert time.monotonic() < deadline
        time.sleep(milliseconds / 1000)
        run.kill()
        run.communicate(timeout=60)
        leaves_nothing(temporary, tmp_path)


def test_the_workers_of_one_pytest_run_share_one_server(
    pytester: pytest.Pytester, temporary: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With xdist too; and it is gone when pytest has ended."""
    for name, value in temporary.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile(
        """
        import asyncpg
        from reference_backends import open_postgres
        from sessionstore_contract import Backend, contract_tests

        async def opened(dsn):
            connection = await asyncpg.connect(dsn)
            started = await connection.fetchval("SELECT pg_postmaster_start_time()::text")
            await connection.close()
            with open("servers.txt", "a") as file:
                file.write(started + "\\n")
            return open_postgres(dsn)

        test_postgres = contract_tests(
            Backend("postgres", open=opened, storage="postgres", without=["multi-process"]),
            clauses=["lifecycle", "cost"],
        )
        """
    )
    result = pytester.run(
        sys.executable, "-m", "pytest", "-n", "2", "--sessionstore-postgres", "embedded"
    )

    assert result.parseoutcomes().get("failed", 0) == 0
    assert result.ret == 0
    servers = set((pytester.path / "servers.txt").read_text().split("\n")) - {""}
    assert len(servers) == 1
    until(lambda: not processes_that_name(temporary["KIT_TEST"]))


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_ctrl_c_in_pytest_takes_the_server_along(
    tmp_path: Path, temporary: dict[str, str], workers: tuple[str, ...]
) -> None:
    """No process and no file of the kit is left, with xdist too."""
    (tmp_path / "test_it.py").write_text(
        "from reference_backends import POSTGRES\n"
        "from sessionstore_contract import contract_tests\n"
        "test_postgres = contract_tests(POSTGRES)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *workers,
         "--sessionstore-postgres", "embedded", "test_it.py"],
        env=temporary,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    until(lambda: bool(list((tmp_path / "tmp").glob("*/postgres.address"))))
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    run.wait(60)

    assert run.returncode == pytest.ExitCode.INTERRUPTED
    until(lambda: not processes_that_name(temporary["KIT_TEST"]))
    until(lambda: not list((tmp_path / "tmp").glob("sessionstore-*")))
