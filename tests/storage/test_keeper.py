"""One embedded server for all processes of a run, and nothing left of it afterwards."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from sessionstore_contract.storage import StorageUnavailableError, embedded, keeper
from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.installation import (
    ServerFailedError,
    find_package,
    programs,
    way_to_package,
)
from sessionstore_contract.storage.run_lock import RunLock
from tests.storage.clients import OF_EMBEDDED, SOURCES, clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.storage.clients import Client

pytestmark = pytest.mark.slow


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Start clients, of one run if nothing else is said, and end them all."""
    with clients(OF_EMBEDDED, tmp_path) as start:
        yield start


def processes_of(folder: Path) -> list[int]:
    """Answer the processes that were started on the folder."""
    lines = [line.split(None, 1) for line in _ps("pid=,args=").splitlines()]
    return [int(line[0]) for line in lines if len(line) > 1 and str(folder) in line[1]]


def is_keeper_started(run_folder: Path) -> bool:
    keeper = f"storage.keeper --package=.* --run-folder={re.escape(str(run_folder))} "
    return re.search(keeper, _ps("args=")) is not None


def _ps(columns: str) -> str:
    command = ["ps", "-A", "-ww", "-o", columns]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def is_gone(*folders: Path) -> bool:
    """Wait, for so long as an immediate stop may take, until no process and no file is left."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if not any(folder.exists() or processes_of(folder) for folder in folders):
            return True
        time.sleep(0.02)
    return False


def test_processes_of_a_run_share_a_server(client: Callable[..., Client]) -> None:
    """Two processes that start at once use one server, until the last has left."""
    first, second = client(), client()
    (dsn, folder), (same_dsn, _) = first.answer(), second.answer()
    assert dsn == same_dsn

    first.leave()
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    second.leave()
    assert is_gone(folder)


def test_runs_are_apart(client: Callable[..., Client]) -> None:
    """Two runs have a server each, and the end of one does not touch the other."""
    first, second = client("one"), client("two")
    (_, gone), (dsn, _) = first.answer(), second.answer()
    first.leave()
    assert is_gone(gone)
    psycopg.connect(dsn).close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ends_with_its_only_client(
    client: Callable[..., Client], tmp_path: Path, number: signal.Signals
) -> None:
    """However the only client ends, the server, its files and the run's folder go with it."""
    only = client()
    _, folder = only.answer()
    only.process.send_signal(number)
    only.process.wait(timeout=20)
    assert is_gone(folder)
    assert list(tmp_path.glob("run/*")) == []
    # After Ctrl-C the client left in good order, and the folder is its own to remove.
    assert number == signal.SIGINT or is_gone(tmp_path / "run")


def test_client_killed_while_the_server_starts(client: Callable[..., Client]) -> None:
    """A client that is killed before it has its answer leaves nothing behind either."""
    only = client()
    run_folder = Path(str(only.process.args[-1]))  # type: ignore[index]
    # Before there is a keeper, only the owner of the run's folder can remove the lock in it.
    deadline = time.monotonic() + 30
    while not is_keeper_started(run_folder) and time.monotonic() < deadline:
        time.sleep(0.005)
    only.process.kill()
    assert is_gone(run_folder)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no parent death signal")
def test_server_ends_with_a_killed_keeper(tmp_path: Path) -> None:
    """When the keeper itself is killed the server ends, and who leaves removes the files."""
    server = EmbeddedServer.join(tmp_path)
    assert server._keeper is not None
    server._keeper.kill()
    server.leave()
    assert is_gone(server._folder)
    again = EmbeddedServer.join(tmp_path)
    psycopg.connect(again.dsn).close()
    again.leave()
    again.leave()
    assert is_gone(again._folder)


def test_killed_client_leaves_the_server_to_the_others(client: Callable[..., Client]) -> None:
    """The server outlives the client that started it when others are left."""
    starter = client()
    _, folder = starter.answer()
    other = client()
    dsn, _ = other.answer()
    starter.process.kill()
    starter.process.wait()
    psycopg.connect(dsn).close()
    other.leave()
    assert is_gone(folder)


def test_joins_again_after_the_last_has_left(tmp_path: Path) -> None:
    """A run folder can be used again; its server is another one."""
    first = EmbeddedServer.join(tmp_path)
    second = EmbeddedServer.join(tmp_path)
    assert first.dsn == second.dsn
    first.leave()
    second.leave()
    assert not first._folder.exists()
    third = EmbeddedServer.join(tmp_path)
    try:
        assert third.dsn != first.dsn
        with psycopg.connect(third.dsn) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
    finally:
        third.leave()
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_crashed_is_back_at_the_same_address(tmp_path: Path) -> None:
    """What was committed is there, who was connected is not, and nothing is left at the end."""
    server = EmbeddedServer.join(tmp_path)
    try:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n INT)")
            connection.execute("CREATE UNLOGGED TABLE lost (n INT)")
            connection.execute("INSERT INTO kept VALUES (1)")
            connection.execute("INSERT INTO lost VALUES (1)")
            server.crash()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
            assert connection.execute("SELECT n FROM lost").fetchall() == []
        server.crash()
        psycopg.connect(server.dsn).close()
    finally:
        server.leave()
    assert is_gone(server._folder)
    with pytest.raises(StorageUnavailableError, match="has left it"):
        server.crash()


def test_password_is_not_on_the_command_line(tmp_path: Path) -> None:
    """Neither the arguments of a process nor a file hold the password."""
    server = EmbeddedServer.join(tmp_path)
    try:
        password = server.dsn.split(":")[2].partition("@")[0]
        assert password not in _ps("args=")
        small = [path for path in server._folder.iterdir() if path.is_file()]
        assert [path.name for path in small if password in path.read_text()] == []
        assert server._folder.stat().st_mode & 0o077 == 0
    finally:
        server.leave()


def test_missing_wheel_says_how_it_is_come_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the wheel the one line says how it is come by."""
    monkeypatch.setattr(embedded, "find_package", lambda: None)
    way = re.escape(way_to_package())
    with pytest.raises(StorageUnavailableError, match=way) as said:
        EmbeddedServer.join(tmp_path)
    assert "\n" not in str(said.value)


def test_failure_of_the_keeper_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that can't be started gives its reason in one line, and leaves nothing."""
    package = tmp_path / "package"
    (package / "pginstall18" / "bin").mkdir(parents=True)
    for name in ("initdb", "postgres"):
        program = package / "pginstall18" / "bin" / name
        program.write_text("#!/bin/sh\necho 'initdb: error: no space left' >&2; exit 1\n")
        program.chmod(0o755)
    monkeypatch.setattr(embedded, "find_package", lambda: package)
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    with pytest.raises(StorageUnavailableError, match="no space left") as said:
        EmbeddedServer.join(run_folder)
    assert "\n" not in str(said.value)
    assert processes_of(package) == []


def test_one_that_never_served_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has started it holds the lock, and waits to be told why there is no server."""
    monkeypatch.setattr(keeper, "ENDING", ())  # they belong to the main thread
    monkeypatch.setattr(keeper, "PATIENCE", 1_000.0)

    def fails(_folder: Path) -> keeper.Server:
        raise ServerFailedError("no space left")

    run, folder = tmp_path / "run", tmp_path / "server"
    run.mkdir()
    folder.mkdir()
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor() as pool, RunLock(run / "postgres.lock").held(timeout=0):
        keeping = pool.submit(keeper.keep, fails, folder, run, theirs)
        with pytest.raises(ServerFailedError, match="no space left"):
            keeping.result(timeout=10)
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_root_copies_what_the_account_can_not_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel below a folder that only root may enter is copied for the server's account."""
    package = find_package()
    assert package is not None
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    parts = [programs(package).parent, package.with_name(f"{package.name}.libs")]
    for part in filter(Path.is_dir, parts):
        target = hidden / part.relative_to(package.parent)
        shutil.copytree(part, target, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
    monkeypatch.setattr(embedded, "find_package", lambda: hidden / package.name)
    (tmp_path / "run").mkdir()
    server = EmbeddedServer.join(tmp_path / "run")
    try:
        psycopg.connect(server.dsn).close()
        assert (server._folder / "installation").is_dir()
    finally:
        server.leave()
    assert is_gone(server._folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as an ordinary user then")
def test_runs_as_an_ordinary_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An ordinary user has a server of their own, and nothing is left of it."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    pythons = [sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"]
    can_run = "import sys; sys.exit(sys.version_info < (3, 11))"
    usable = [name for name in pythons if _succeeds([name, "-c", can_run], nobody)]
    package = find_package()
    assert package is not None
    if not usable or not _succeeds([str(programs(package) / "initdb"), "--version"], nobody):
        pytest.skip("an ordinary user can't reach Python or the wheel")
    home = Path("/tmp") / f"sessionstore-test-{os.getpid()}"
    home.mkdir()
    try:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(
            SOURCES / "sessionstore_contract", home / "sessionstore_contract", ignore=ignored
        )
        (home / "run").mkdir()
        os.chown(home / "run", 65534, 65534)
        home.chmod(0o755)
        ended = subprocess.run(
            [usable[0], "-c", OF_EMBEDDED, str(home / "run")],
            input="\n",
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env={
                "PYTHONPATH": f"{home}:{package.parent}",
                "HOME": str(home),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            timeout=60,
            **nobody,  # type: ignore[call-overload]
        )
        assert ended.returncode == 0, ended.stderr
        assert is_gone(Path(ended.stdout.split()[1]))
    finally:
        shutil.rmtree(home)


def _succeeds(command: list[str], account: dict[str, object]) -> bool:
    try:
        ended = subprocess.run(  # type: ignore[call-overload]
            command, capture_output=True, check=False, cwd="/", **account
        )
    except OSError:
        return False
    return bool(ended.returncode == 0)
