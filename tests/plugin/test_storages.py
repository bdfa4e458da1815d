"""Fresh places for an author's own tests: the plugin's fixtures, as a project uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstore_contract.storage.in_memory import OWN, folder_for_places

pytestmark = pytest.mark.slow

OPTIONS = (
    *("-p", "no:cacheprovider", "-p", "no:schemathesis", "-W", "error"),
    *("-o", "asyncio_default_fixture_loop_scope=function"),
)

DATABASES = """
import asyncio
import os

import asyncpg
import pytest

from reference_backends import POSTGRES
from sessionstore_contract import contract_tests

async def use(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetchval(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        )
        assert tables == 0, "somebody was here before"
        await connection.execute("CREATE TABLE mine (n INT)")
        server = await connection.fetchval("SELECT pg_postmaster_start_time()::text")
    finally:
        await connection.close()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "only")
    with open(os.environ["SEEN"], "a") as file:
        file.write(f"{worker}\\t{server}\\t{dsn}\\n")

@pytest.mark.parametrize("number", range(4))
def test_plain(sessionstore_postgres, number):
    asyncio.run(use(sessionstore_postgres))

@pytest.mark.asyncio
async def test_async(sessionstore_postgres):
    await use(sessionstore_postgres)

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_under_anyio(sessionstore_postgres):
    await use(sessionstore_postgres)

@pytest.mark.anyio
async def test_that_leaves_a_connection_and_a_table(sessionstore_postgres):
    left = await asyncpg.connect(sessionstore_postgres)
    await left.execute("CREATE TABLE mine (n INT)")
    left.terminate()

test_contract = contract_tests(POSTGRES, clauses="cost.starts-empty")
"""

PLATFORMS = """
import httpx
import pytest

URLS = []

@pytest.mark.parametrize("number", range(2))
@pytest.mark.asyncio
async def test_empty_at_first(sessionstore_platform, number):
    assert sessionstore_platform.startswith("http://127.0.0.1:")
    async with httpx.AsyncClient(base_url=sessionstore_platform) as client:
        assert (await client.get("/v1/sessions/mine")).status_code == 404
        assert (await client.post("/v1/sessions", json={"session_id": "mine"})).status_code == 201
        assert (await client.get("/v1/sessions/mine")).status_code == 200
    URLS.append(sessionstore_platform)

def test_gone_afterwards():
    with pytest.raises(httpx.ConnectError):
        httpx.get(URLS[0])
"""


FILES = """
from pathlib import Path

from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract import Backend, contract_tests

def opened(path):
    with open("places", "a") as file:
        file.write(path + "\\n")
    return SqliteSessionStore(path)

test_contract = contract_tests(Backend("mine", open=opened), clauses="cost.starts-empty")
"""


def lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param((), id="one-process", marks=pytest.mark.soak),
        pytest.param(("-n", "2"), id="xdist"),
    ],
)
def test_each_test_has_a_database_of_its_own(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    """Plain tests, coroutines and contract tests, in one process or several: on one server."""
    seen = pytester.path / "seen"
    monkeypatch.setenv("SEEN", str(seen))
    monkeypatch.delenv("SESSIONSTORE_POSTGRES_DSN", raising=False)
    pytester.makepyfile(DATABASES)
    result = pytester.runpytest_subprocess(*OPTIONS, *workers)
    result.assert_outcomes(passed=8)
    assert len({place for _, _, place in lines(seen)}) == 6
    assert len({server for _, server, _ in lines(seen)}) == 1
    assert {worker for worker, _, _ in lines(seen)} == ({"gw0", "gw1"} if workers else {"only"})


def test_each_test_has_a_platform_of_its_own(pytester: pytest.Pytester) -> None:
    """It is empty, and nothing listens there after the test."""
    pytester.makepyfile(PLATFORMS)
    pytester.runpytest_subprocess(*OPTIONS).assert_outcomes(passed=3)


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one-process", "xdist"])
@pytest.mark.parametrize("is_named", [True, False])
def test_files_are_in_memory_where_no_folder_is_named(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    workers: tuple[str, ...],
    is_named: bool,
) -> None:
    """In the folder of the run, which goes with it."""
    for name in ("TMPDIR", "TEMP", "TMP", OWN):
        monkeypatch.delenv(name, raising=False)
    parent = folder_for_places()
    if parent is None:
        pytest.skip("this machine has no folder in memory for files of stores")
    if is_named:
        parent = pytester.mkdir("named")
        monkeypatch.setenv("TMPDIR", str(parent))
    pytester.makepyfile(FILES)
    pytester.runpytest_subprocess(*OPTIONS, *workers).assert_outcomes(passed=1)
    for place in map(Path, (pytester.path / "places").read_text().splitlines()):
        folder = place.parents[1]
        assert folder.parent == parent
        assert folder.name.startswith("sessionstore-run-")
        assert not folder.exists()


def test_what_is_not_to_be_had_is_an_error_of_one_line(pytester: pytest.Pytester) -> None:
    """Never a skip: a lane that was promised would be missing, and nobody would know."""
    pytester.makepyfile("def test_mine(sessionstore_postgres): ...")
    nobody = "postgresql://me:secret@127.0.0.1:1/db"
    result = pytester.runpytest_subprocess(*OPTIONS, f"--sessionstore-postgres={nobody}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no PostgreSQL answers at 127.0.0.1:1: start it*"])
    result.stdout.no_fnmatch_line("*secret*")
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_place_that_can_not_be_had_is_told_once(pytester: pytest.Pytester) -> None:
    """One line in the error of the test; the summary may name it again, whole or cut."""
    pytester.makepyfile("def test_mine(sessionstore_postgres): ...")
    dsn = "postgresql://me@127.0.0.1:1/mine"
    result = pytester.runpytest_subprocess(*OPTIONS, "--sessionstore-postgres", dsn)
    result.assert_outcomes(errors=1)
    errors, _, _ = result.stdout.str().partition(" short test summary info ")
    assert errors.count("no PostgreSQL answers at 127.0.0.1:1: start it") == 1
    result.stdout.no_fnmatch_line("During handling of *")


def test_a_server_that_is_misspelt_is_told_before_any_test(pytester: pytest.Pytester) -> None:
    """Whether a test wants one or not: in one line, with the names that there are."""
    pytester.makepyfile("def test_mine(): ...")
    result = pytester.runpytest_subprocess(*OPTIONS, "--sessionstore-postgres", "embeded")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: there is no PostgreSQL 'embeded'; did you mean embedded*")
