"""One container for all processes of a run, and nothing left of it afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import psycopg
import pytest

from sessionstore_contract.storage import StorageUnavailableError
from sessionstore_contract.storage.abandoned import KEEPER
from sessionstore_contract.storage.contained import ContainedServer, default_image
from tests.plugin.test_storages import DATABASES, OPTIONS, lines
from tests.storage.clients import OF_CONTAINED, clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.storage.clients import Client

pytestmark = pytest.mark.container


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Start clients, of one run if nothing else is said, and end them all."""
    with clients(OF_CONTAINED, tmp_path) as start:
        yield start


@pytest.fixture
def engine() -> Iterator[Any]:
    """The engine itself, which is asked what there is."""
    opened = docker.from_env()
    yield opened
    opened.close()


def container_of(engine: Any, folder: Path) -> Any:
    return engine.containers.get((folder / "container").read_text())


def is_soon(condition: Callable[[], bool]) -> bool:
    """Wait for so long as removing a container may take."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_gone(engine: Any, name: str, folder: Path) -> bool:
    """Wait until neither container nor folder is left."""
    return is_soon(lambda: not named(engine, name) and not folder.exists())


def named(engine: Any, name: str) -> list[Any]:
    found: list[Any] = engine.containers.list(all=True, filters={"name": name}, ignore_removed=True)
    return found


def containers(engine: Any) -> set[str]:
    return {one["Id"] for one in engine.api.containers(all=True)}


def volumes(engine: Any) -> set[str]:
    return {volume.name for volume in engine.volumes.list()}


def test_processes_of_a_run_share_a_container(client: Callable[..., Client], engine: Any) -> None:
    """Two that start at once use one; it listens on 127.0.0.1 alone, and goes with its data."""
    before = volumes(engine)
    first, second = client(), client()
    (dsn, folder), (same_dsn, _) = first.answer(), second.answer()
    assert dsn == same_dsn
    container = container_of(engine, folder)
    assert container.image.tags == [default_image()]
    ports = container.attrs["HostConfig"]["PortBindings"]
    assert [one["HostIp"] for bound in ports.values() for one in bound] == ["127.0.0.1"]
    assert list(ports) == ["5432/tcp"]

    first.leave()
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("off",)
    second.leave()
    assert is_gone(engine, container.name, folder)
    assert volumes(engine) - before == set()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ends_with_its_only_client(
    client: Callable[..., Client], engine: Any, number: signal.Signals
) -> None:
    """However the only client ends, the container goes with it; there is no reaper."""
    only = client()
    _, folder = only.answer()
    name = container_of(engine, folder).name
    only.process.send_signal(number)
    only.process.wait(timeout=60)
    assert is_gone(engine, name, folder)
    assert named(engine, "ryuk") == []  # it is not asked for, unless the environment says so


def test_who_leaves_removes_what_a_killed_keeper_has_left(tmp_path: Path, engine: Any) -> None:
    """The last client knows the container by the folder, and removes both."""
    server = ContainedServer.join(tmp_path, default_image())
    name = container_of(engine, server._folder).name
    assert server._keeper is not None
    server._keeper.kill()
    server.leave()
    assert is_gone(engine, name, server._folder)


def test_the_next_run_removes_what_nobody_was_left_to_remove(
    client: Callable[..., Client], tmp_path: Path, engine: Any
) -> None:
    """Keeper and clients killed at once leave a container; that of a living keeper is kept."""
    killed = client()
    _, folder = killed.answer()
    left = container_of(engine, folder).name
    greeted = container_of(engine, folder).labels[KEEPER]
    keeper = int(greeted.split()[1])
    os.kill(keeper, signal.SIGKILL)
    killed.process.kill()
    killed.process.wait()
    assert named(engine, left)

    another, third = tmp_path / "another", tmp_path / "a-third"
    another.mkdir()
    third.mkdir()
    living = ContainedServer.join(another, default_image())
    try:
        assert named(engine, left) == []
        later = ContainedServer.join(third, default_image())
        later.leave()
        psycopg.connect(living.dsn).close()
    finally:
        living.leave()


def test_a_server_that_crashed_is_back_at_the_same_address(tmp_path: Path, engine: Any) -> None:
    """What was committed is there, and who was connected is not."""
    server = ContainedServer.join(tmp_path, default_image())
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
    finally:
        name = container_of(engine, server._folder).name
        server.leave()
    assert named(engine, name) == []


@pytest.mark.parametrize("is_early", [True, False], ids=["while-it-starts", "while-it-serves"])
def test_a_run_that_is_interrupted_leaves_no_container(
    tmp_path: Path, engine: Any, is_early: bool
) -> None:
    """Ctrl-C goes to the whole group of processes, as the terminal sends it."""
    before = containers(engine)
    report = tmp_path / "report.json"
    run = subprocess.Popen(
        [
            *(sys.executable, "-m", "sessionstore_contract", "run", "postgres"),
            *("--postgres", "container", "--json", str(report)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with run:
        assert run.stderr is not None
        try:
            if is_early:
                while not containers(engine) - before:
                    assert run.poll() is None
            else:
                assert "trying" in run.stderr.readline()
        finally:
            os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=120)
    assert run.returncode == 3
    assert "the run was stopped" in said
    assert containers(engine) - before == set()
    assert json.loads(report.read_text())["backends"][0]["verdict"] == "incomplete"


def test_xdist_workers_share_a_container(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, engine: Any
) -> None:
    """Fixtures and contract tests of two workers are on one server, which ends with them."""
    before = containers(engine)
    seen = pytester.path / "seen"
    monkeypatch.setenv("SEEN", str(seen))
    pytester.makepyfile(DATABASES)
    result = pytester.runpytest_subprocess(*OPTIONS, "-n", "2", "--sessionstore-postgres=container")
    result.assert_outcomes(passed=8)
    assert {worker for worker, _, _ in lines(seen)} == {"gw0", "gw1"}
    assert len({server for _, server, _ in lines(seen)}) == 1
    # xdist kills a worker that has not ended 10 s after its last test; the keeper removes then.
    assert is_soon(lambda: containers(engine) <= before)


def test_an_image_that_is_not_to_be_had_is_told_in_one_line(tmp_path: Path, engine: Any) -> None:
    """It names the image, and nothing is left."""
    (tmp_path / "run").mkdir()
    nowhere = "127.0.0.1:1/nobody/postgres:0"
    with pytest.raises(StorageUnavailableError, match=nowhere) as said:
        ContainedServer.join(tmp_path / "run", nowhere)
    assert "\n" not in str(said.value)
    assert "connection refused" in str(said.value)


def test_a_container_that_ends_is_told_with_its_last_words(tmp_path: Path, engine: Any) -> None:
    """An image whose server does not start: what it said is in the line, and nothing is left."""
    (tmp_path / "run").mkdir()
    before = containers(engine)
    broken = engine.containers.create(
        default_image(), entrypoint=["sh", "-c", "echo no space left >&2; exit 1"]
    )
    try:
        image = broken.commit("sessionstore-test", "broken")
    finally:
        broken.remove()
    try:
        with pytest.raises(StorageUnavailableError, match="no space left") as said:
            ContainedServer.join(tmp_path / "run", "sessionstore-test:broken")
    finally:
        engine.images.remove(image.id, force=True)
    assert "\n" not in str(said.value)
    assert containers(engine) - before == set()
