"""A container that can't be had: one line says why, and the way out. No engine is needed here."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sessionstore_contract.storage import StorageUnavailableError, abandoned, contained, selection
from sessionstore_contract.storage.abandoned import is_abandoned, this_process
from sessionstore_contract.storage.contained import ContainedServer
from sessionstore_contract.storage.installation import ServerFailedError
from sessionstore_contract.storage.selection import PostgresChoice

is_linux = pytest.mark.skipif(sys.platform != "linux", reason="told by /proc")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("unix:///nowhere/engine.sock", "no container engine answers"),
        ("tcp://engine.example:2375", "the container engine is on engine.example"),
    ],
)
def test_no_engine_is_one_line_and_2(address: str, reason: str) -> None:
    """It was asked for by name, so the command was wrong here; nothing is tried in its place."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "sessionstore_contract", "run", "postgres"),
            *("--postgres", "container:postgres:17"),
        ],
        env={**os.environ, "DOCKER_HOST": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("sessionstore-contract: PostgreSQL in a container of postgres:17 ")
    assert reason in line
    assert "SESSIONSTORE_POSTGRES_DSN" in line
    assert ended.stdout == ""


def test_an_engine_that_does_not_answer_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """Its client does: a socket, of which somebody else's test would be told some time later."""
    engine = pytest.importorskip("sessionstore_contract.storage.database_container")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/engine.sock")
    with pytest.raises(ServerFailedError, match="no container engine answers: No such file"):
        engine.engine_version()
    gc.collect()
    assert [str(one.message) for one in recwarn] == []


def test_missing_packages_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which one is missing, and what to install."""
    monkeypatch.setattr(contained, "MODULES", ("sys", "not_to_be_found"))
    with pytest.raises(StorageUnavailableError, match="needs not_to_be_found") as said:
        ContainedServer.join(tmp_path, "postgres:18")
    assert "sessionstore-contract[containers]" in str(said.value)
    assert list(tmp_path.iterdir()) == []


def chosen(postgres: PostgresChoice) -> tuple[str | None, str | None]:
    return postgres.dsn, postgres.image


def test_auto_is_a_dsn_then_the_embedded_server_then_a_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is installed decides; what it turns out to be is in the report."""
    monkeypatch.setenv("SESSIONSTORE_POSTGRES_DSN", "postgresql://there/db")
    monkeypatch.delenv("SESSIONSTORE_POSTGRES_IMAGE", raising=False)
    auto = PostgresChoice("auto", "")
    assert chosen(auto) == ("postgresql://there/db", None)
    monkeypatch.delenv("SESSIONSTORE_POSTGRES_DSN")
    assert chosen(auto) == (None, None)
    monkeypatch.setattr(selection, "find_package", lambda: None)
    assert chosen(auto) == (None, "postgres:18")
    monkeypatch.setenv("SESSIONSTORE_POSTGRES_IMAGE", "postgres:15")
    assert chosen(auto) == (None, "postgres:15")
    monkeypatch.setattr(contained, "MODULES", ("not_to_be_found",))
    assert chosen(auto) == (None, None)


@pytest.mark.parametrize(
    ("said", "image"),
    [
        ("container", "postgres:18"),
        ("container:postgres:16", "postgres:16"),
        ("container:there/pg@sha256:0f", "there/pg@sha256:0f"),
        ("embedded", None),
        ("postgresql://container:postgres@there/db", None),
    ],
)
def test_an_image_is_what_follows_the_first_colon(
    monkeypatch: pytest.MonkeyPatch, said: str, image: str | None
) -> None:
    """Names of images hold colons themselves."""
    monkeypatch.delenv("SESSIONSTORE_POSTGRES_IMAGE", raising=False)
    assert PostgresChoice(said, "").image == image


@is_linux
def test_a_process_is_abandoned_only_when_it_is_certainly_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its number may be somebody else's by now, and other machines can't be looked at."""
    mine = this_process()
    assert not is_abandoned(mine)
    machine, number, began = mine.split()
    assert is_abandoned(f"{machine} {number} {int(began) - 1}")
    assert is_abandoned(f"{machine} {2**22 + 1} {began}")
    assert not is_abandoned(f"another/pid:[1] {2**22 + 1} {began}")
    monkeypatch.setattr(abandoned, "_started_at", lambda _: None)
    assert not is_abandoned(f"{machine} 1 {began}")  # hidden, as another user's can be
    assert is_abandoned(f"{machine} {2**22 + 1} {began}")
    assert not is_abandoned("")
    assert not is_abandoned(" 1 1")


def test_waiting_for_a_server_ends_when_the_run_is_stopped(tmp_path: Path) -> None:
    """An image may take minutes to be fetched; Ctrl-C does not wait for that."""
    asked = threading.Event()

    class StopError(Exception):
        pass

    def check() -> None:
        asked.set()
        raise StopError

    with pytest.raises(StopError):
        ContainedServer.join(tmp_path, "postgres:18", check)
    assert asked.is_set()
    assert list(tmp_path.glob("postgres.address")) == []
