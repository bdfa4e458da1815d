"""A platform that is killed: back on its port with what it was told, and nothing of it left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends import HTTP
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage import StorageUnavailableError, platform
from sessionstore_contract.storage.own_platform import own_platform
from sessionstore_contract.storage.platform import PlatformStorage
from sessionstore_contract.verdict import Verdict

from ..places import in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionstore_contract.verdict import Finding

COUNTING = "tests.storage.counting:in_a_file"
FORGETTING = EntryPoint(
    "reference-on-a-file", "tests.storage.counting:that_forgets", platform.GROUP
)


@pytest.fixture(autouse=True)
def quick_places() -> Iterator[None]:
    with in_memory():
        yield


def asked(place: str) -> int:
    """Ask the platform how often it was."""
    with urllib.request.urlopen(place, timeout=10) as answer:
        return int(answer.read())


def is_refused(place: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2])), timeout=3).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True  # reset: the listener went while the connection waited for it
    return False


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def keepers_of(parent: int) -> list[int]:
    """Find the keepers that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            command = stat.with_name("cmdline").read_bytes()
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found += [int(stat.parent.name)] if b"platform_keeper" in command else []
    return found


def folder_of(keeper: int) -> Path:
    words = Path(f"/proc/{keeper}/cmdline").read_bytes().split(b"\0")
    return Path(words[-2].decode())


def test_a_killed_platform_is_back_with_what_it_was_told() -> None:
    """On the same port, whoever was connected is cut off, and at the end nobody listens there."""
    with own_platform(COUNTING) as server:
        assert (asked(server.place), asked(server.place)) == (1, 2)
        port = int(server.place.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
            server.crash()
            with suppress(ConnectionResetError):
                assert connected.recv(1) == b""
        assert asked(server.place) == 3
        server.crash()
        assert asked(server.place) == 4
        (keeper,) = keepers_of(os.getpid())
        folder = folder_of(keeper)
        assert [one.name for one in folder.iterdir()] == ["platform"]
    assert is_refused(server.place)
    assert keepers_of(os.getpid()) == []
    assert not folder.exists()


def test_a_killed_keeper_takes_the_platform_along() -> None:
    """The next crash says so, and no process, port or folder is left."""
    with own_platform(COUNTING) as server:
        (keeper,) = keepers_of(os.getpid())
        folder = folder_of(keeper)
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: is_refused(server.place))
        with pytest.raises(StorageUnavailableError, match="the platform's keeper has ended"):
            server.crash()
    assert not folder.exists()


OPENING = f"""
import sys
from sessionstore_contract.storage.own_platform import own_platform
with own_platform({COUNTING!r}) as server:
    print(server.place, flush=True)
    sys.stdin.read()
"""


def test_a_killed_user_takes_all_of_it_along() -> None:
    """Keeper, platform and folder end with whoever has started them."""
    with subprocess.Popen(
        [sys.executable, "-c", OPENING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as user:
        assert user.stdout is not None
        place = user.stdout.readline().strip()
        (keeper,) = keepers_of(user.pid)
        folder = folder_of(keeper)
        assert folder.exists()
        user.kill()
    wait_until(lambda: is_refused(place) and not folder.exists())
    wait_until(lambda: not Path(f"/proc/{keeper}").exists())


@pytest.mark.parametrize(
    ("maker", "reason"),
    [
        ("tests.storage.counting:that_does_not_start", "on the moon"),
        ("tests.storage.counting:unknown", "has no attribute 'unknown'"),
    ],
)
def test_a_platform_that_does_not_start_is_told(maker: str, reason: str) -> None:
    """In one line, with the cause."""
    with pytest.raises(StorageUnavailableError, match=reason), own_platform(maker):
        pass
    assert keepers_of(os.getpid()) == []


def found(monkeypatch: pytest.MonkeyPatch, *entries: Any) -> Finding:
    """Try the clause of crashes over HTTP, with these platforms installed."""
    monkeypatch.setattr(
        platform,
        "entry_points",
        lambda *, name, **_: [one for one in entries if one.name == name],
    )
    (clause,) = (one for one in CLAUSES if one.id == "durability.server-crash")
    storage = PlatformStorage()
    try:
        return try_clause(clause, HTTP, storage, Conditions(1, EFFORTS["quick"]))
    finally:
        storage.close()


def test_a_platform_that_forgets_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference store over HTTP keeps no more than its platform does."""
    finding = found(monkeypatch, FORGETTING)
    assert finding.headline == "an acknowledged save is lost when its server crashes"


def test_a_platform_without_a_file_is_not_crashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found out of one that has no maker for it."""
    plain = EntryPoint("reference", "reference_backends.platform:create_app", platform.GROUP)
    finding = found(monkeypatch, plain)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "no platform 'reference-on-a-file' is installed" in str(finding.reason)
