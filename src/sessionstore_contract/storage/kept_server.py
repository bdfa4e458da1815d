"""A PostgreSQL server that a keeper holds, one for all processes of a run."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sessionstore_contract.storage import StorageUnavailableError
from sessionstore_contract.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable


INTERVAL = 0.1
"""Seconds that go by before whoever waits asks again whether it still should."""

JOIN_TIMEOUT = 10.0
"""Seconds for a keeper that serves to greet another client."""


@dataclass(frozen=True)
class Source:
    """Where a run's server comes from."""

    name: str
    """As a sentence has it: `the embedded PostgreSQL`."""
    keeper_arguments: tuple[str, ...]
    """What the keeper is told of it."""
    start_timeout: float
    """Seconds for the keeper to start a server, and for others to wait until it has."""
    stop_timeout: float
    """Seconds that the last one to leave waits for the server to be gone."""
    end: Callable[[Path], None]
    """Ends the server of a keeper that was killed; it is called with the server's folder."""


def _go_on() -> None:
    """Nobody asks this one to stop."""


class KeptServer:
    """This process's part in the server of a run.

    Whoever is killed has left: the server ends with its last client. A child made by `os.fork`
    holds its parent's part open until it ends; children that want a part of their own `join`.
    """

    def __init__(
        self,
        connection: socket.socket,
        greeting: dict[str, str],
        keeper: subprocess.Popen[bytes] | None,
        source: Source,
    ) -> None:
        self._connection: socket.socket | None = connection
        self._folder = Path(greeting["folder"])
        self._keeper = keeper
        self._source = source
        self.dsn = greeting["dsn"]
        """The server's own database; the user may do anything on this server."""

    @classmethod
    def shared(cls, run_folder: Path, source: Source, check: Callable[[], None] = _go_on) -> Self:
        """Answer the server of the run; the first who asks starts it, the others wait for it.

        Processes that name the same folder, which is there, share a server. Two files are kept in
        it while the server runs. `check` is called now and then; what it raises ends the waiting.

        Raises:
            StorageUnavailableError: there is no server to be had; one line says why.
        """
        try:
            run = RunFolder(run_folder.resolve())
            with run.lock.held(timeout=source.start_timeout):
                return cls._joined(run, source) or cls._started(run, source, check)
        except OSError as error:  # TimeoutError is one
            reason = str(error)
        raise StorageUnavailableError(
            f"{source.name} did not start ({reason}): "
            "name a server with --postgres or SESSIONSTORE_POSTGRES_DSN"
        )

    @classmethod
    def _joined(cls, run: RunFolder, source: Source) -> Self | None:
        try:
            address = run.address.read_text()
            connection = socket.socket(socket.AF_UNIX)
        except FileNotFoundError:
            return None
        try:
            connection.settimeout(JOIN_TIMEOUT)
            connection.connect(address)
            greeting = _greeting(connection)
        except OSError:
            greeting = None
        except BaseException:
            connection.close()
            raise
        if greeting is None:  # The keeper is ending: whoever was its last client has left.
            connection.close()
            return None
        return cls(connection, greeting, None, source)

    @classmethod
    def _started(cls, run: RunFolder, source: Source, check: Callable[[], None]) -> Self:
        # The first client is connected before the keeper lives, so that it can't outlive it.
        connection, its_end = socket.socketpair()
        with its_end:
            keeper = _spawned(source, run.path, its_end.fileno())
        try:
            connection.settimeout(source.start_timeout)
            _wait_for_word(connection, source.start_timeout, check)
            greeting = _greeting(connection)
            if greeting is None or "error" in greeting:
                reason = "its keeper ended" if greeting is None else greeting["error"]
                raise OSError(" ".join(reason.split()))
        except BaseException:
            connection.close()
            # It may be in the middle of something long, where it does not look for its clients.
            keeper.terminate()
            _reap(keeper, source.stop_timeout)
            raise
        return cls(connection, greeting, keeper, source)

    def crash(self) -> None:
        """Stop the server without warning and start it again, for everybody who uses it.

        Raises:
            StorageUnavailableError: it did not come back; one line says why.
        """
        try:
            if self._connection is None:
                raise OSError("this process has left it")
            self._connection.settimeout(self._source.start_timeout)
            self._connection.sendall(b"crash\n")
            with self._connection.makefile("rb") as lines:
                answer = lines.readline().decode().strip()
        except OSError as error:
            answer = str(error)
        if answer != "back":
            raise StorageUnavailableError(
                f"{self._source.name} was stopped and did not come back: {answer}"
            )

    def leave(self) -> None:
        """Give up this process's part; the last one waits until server and files are gone.

        It waits for so long as its source says. May be called again.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        patience = self._source.stop_timeout
        is_last = _is_last(connection, patience)
        if is_last and self._folder.exists():
            _clear_after_killed_keeper(self._source, self._folder)
        if self._keeper is not None:
            _reap(self._keeper, patience if is_last else 0.0)


def _is_last(connection: socket.socket, patience: float) -> bool:
    with connection:
        try:
            connection.settimeout(patience)
            connection.sendall(b"leave\n")
            return not connection.recv(64)  # its end is the end of the keeper
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def _clear_after_killed_keeper(source: Source, folder: Path) -> None:
    source.end(folder)
    deadline = time.monotonic() + source.stop_timeout
    while folder.exists() and time.monotonic() < deadline:
        # The server writes until it has ended.
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)


def _spawned(source: Source, run_folder: Path, client: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sessionstore_contract.storage.keeper"]
    command += [*source.keeper_arguments, f"--run-folder={run_folder}", f"--client={client}"]
    # The keeper imports this very kit, however this process has found it.
    own = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (own, os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(  # noqa: S603
        command,
        env={**os.environ, "PYTHONPATH": path},
        cwd="/",
        stdin=subprocess.DEVNULL,
        # A pipe of the caller would stay open as long as the keeper lives.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(client,),
        # Ctrl-C in the terminal is for the clients; the keeper ends after them.
        start_new_session=True,
    )


def _wait_for_word(connection: socket.socket, timeout: float, check: Callable[[], None]) -> None:
    deadline = time.monotonic() + timeout
    while not select.select([connection], [], [], INTERVAL)[0]:
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing was heard of it for {timeout:.0f} s")


def _greeting(connection: socket.socket) -> dict[str, str] | None:
    with connection.makefile("rb") as lines:
        line = lines.readline()
    greeting: dict[str, str] | None = json.loads(line) if line.endswith(b"\n") else None
    return greeting


def _reap(keeper: subprocess.Popen[bytes], patience: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        keeper.wait(patience)
        return
    threading.Thread(target=keeper.wait, name="sessionstore-contract keeper", daemon=True).start()
