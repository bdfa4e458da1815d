"""Fresh places on a MariaDB server of our own: a database each, on 127.0.0.1."""

from __future__ import annotations

import getpass
import itertools
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql

from sessionstore_contract.storage import StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The server ends with us, however we end: then `read` comes to the end of its input.
WATCHED = '"$@" <&- & server=$!; read _; kill -KILL $server; wait $server'

SECONDS = 60


class MariaDbStorage:
    """Starts a server when the first place is asked for, in a folder that goes with it."""

    name = "mariadb"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._port = 0
        self._password = secrets.token_hex(16)
        self._databases = itertools.count(1)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Lend a database; it is dropped at the end."""
        if self._process is None:
            self._start()
        name = f"place_{next(self._databases)}"
        self._ask(f"CREATE DATABASE {name}")
        try:
            yield f"mysql://root:{self._password}@127.0.0.1:{self._port}/{name}"
        finally:
            for (number,) in self._ask(
                f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
            ):
                with suppress(pymysql.Error):  # which has ended by itself
                    self._ask(f"KILL {number}")
            self._ask(f"DROP DATABASE {name}")

    def connections(self, place: str) -> int | None:
        """Count who is connected to the database of this place."""
        name = place.rpartition("/")[2]
        ((count,),) = self._ask(
            f"SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{name}'"
        )
        return int(count)

    def server(self) -> str | None:
        """Name the server and its version."""
        if self._process is None:
            return None
        ((version,),) = self._ask("SELECT VERSION()")
        return f"MariaDB {version.partition('-')[0]}"

    def close(self) -> None:
        """End the server."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        path = f"{os.environ['PATH']}:/usr/sbin"
        program, install = (
            shutil.which(name, path=path) for name in ("mariadbd", "mariadb-install-db")
        )
        if program is None or install is None:
            raise StorageUnavailableError(
                "no mariadbd on PATH: apt-get install mariadb-server-core mariadb-client-core"
            )
        self._folder = Path(tempfile.mkdtemp(prefix="mariadb-example-"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        first = self._folder / "first.sql"
        first.write_text(f"ALTER USER root@localhost IDENTIFIED BY '{self._password}';\n")
        settings = [
            "--no-defaults",
            f"--datadir={self._folder}/data",
            f"--user={getpass.getuser()}",
        ]
        made = subprocess.run(
            [install, *settings, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if made.returncode:
            shutil.rmtree(self._folder)
            raise StorageUnavailableError(f"mariadb-install-db: {' '.join(made.stdout.split())}")
        settings += [
            "--bind-address=127.0.0.1",
            f"--port={self._port}",
            f"--socket={self._folder}/socket",
            f"--init-file={first}",
            f"--log-error={self._folder}/log",
            "--max-connections=1000",
            "--max-allowed-packet=256M",
            "--innodb-log-file-size=512M",
            "--skip-log-bin",
            # Nothing is kept after the run; the process may be killed, the machine is not.
            "--innodb-flush-log-at-trx-commit=2",
        ]
        self._process = subprocess.Popen(
            ["sh", "-c", WATCHED, "sh", program, *settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            with suppress(pymysql.Error):
                self._ask("SELECT 1")
                return
            if time.monotonic() > deadline:
                raise StorageUnavailableError("mariadbd does not answer")
            time.sleep(0.05)

    def _ask(self, statement: str) -> Any:
        with (
            pymysql.connect(
                host="127.0.0.1", port=self._port, user="root", password=self._password
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall()
