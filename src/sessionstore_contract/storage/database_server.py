"""One PostgreSQL server in a folder of its own, fast because it need not outlive the machine."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from sessionstore_contract.storage.installation import Account, ServerFailedError

START_TIMEOUT = 30.0
"""Seconds for initdb, and again for the server to take connections."""

STOP_TIMEOUT = 5.0
"""Seconds before a server that does not stop is killed."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Every worker has several stores open at once, and drivers open ten connections for each.
    "max_connections": "1000",
    # Nothing is kept after the run, so nothing waits for the disk.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    # In the data folder, which is removed with all that is in it.
    "dynamic_shared_memory_type": "mmap",
    # Not UTC, under which a store that keeps the server's local time is right.
    "TimeZone": "Asia/Kathmandu",
}


class DatabaseServer:
    """A server on 127.0.0.1, child of this process, which ends with it where the system can."""

    def __init__(self, programs: Path, folder: Path, account: Account) -> None:
        self._programs = programs
        self._data = folder / "data"
        self._log = folder / "log"
        self._account = account
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Make the data folder and start the server; return when it takes connections.

        Raises:
            ServerFailedError: it did not start; what it said is in the message.
        """
        self._make_data()
        for _ in range(5):
            self._port = _free_port()
            if self._serves():
                return
            self.stop()
            if "Address already in use" not in self._log.read_text(errors="replace"):
                break
        raise ServerFailedError(f"PostgreSQL did not start: {self._last_words()}")

    def stop(self) -> None:
        """Stop it at once; its processes are gone afterwards."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGQUIT)  # the server's word for: at once
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def crash(self) -> None:
        """Stop it without warning and start it again at the same address.

        Raises:
            ServerFailedError: it did not start again; what it said is in the message.
        """
        self.stop()
        if not self._serves():
            raise ServerFailedError(f"PostgreSQL did not start again: {self._last_words()}")

    def _make_data(self) -> None:
        word = self._data.with_name("word")
        with os.fdopen(os.open(word, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(self._password)
        if self._account:
            os.chown(word, self._account["user"], self._account["group"])
        command = [str(self._programs / "initdb"), f"--pgdata={self._data}", f"--pwfile={word}"]
        command += ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        # A random password gains nothing from being stretched, and each connection would pay.
        command += ["--no-sync", "--no-instructions", "--set=scram_iterations=1"]
        try:
            with self._log.open("wb") as log:
                code = self._started(command, log.fileno()).wait(START_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise ServerFailedError("initdb did not end in time") from None
        finally:
            word.unlink()
        if code != 0:
            raise ServerFailedError(f"initdb failed: {self._last_words()}")

    def _serves(self) -> bool:
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self._port)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("wb") as log:
            process = self._process = self._started(command, log.fileno())
        deadline = time.monotonic() + START_TIMEOUT
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                lines = (self._data / "postmaster.pid").read_text().splitlines()
                # Whose process is named: the file of a server that crashed may still be there.
                if len(lines) > 7 and (int(lines[0]), lines[7].strip()) == (process.pid, "ready"):
                    return True
            time.sleep(0.01)
        return False

    def _started(self, command: list[str], log: int) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        try:
            return subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**environment, "LC_ALL": "C", "TZ": "UTC"},
                process_group=0,
                # This process has one thread, so that Python may run in the child.
                preexec_fn=_end_with_the_parent,  # noqa: PLW1509
                **self._account,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerFailedError(f"{command[0]} can't be started: {error}") from None

    def _last_words(self) -> str:
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line]
        telling = [line for line in lines if "FATAL" in line or "error:" in line]
        return (telling or lines or ["it said nothing"])[-1].strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end_with_the_parent() -> None:
    if sys.platform == "linux":
        parent_death_signal = 1
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGQUIT)
