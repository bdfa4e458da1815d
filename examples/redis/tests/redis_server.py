"""Fresh places on a Redis server of our own: a database each, on 127.0.0.1."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError

from sessionstore_contract.storage import OwnServer, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASES = 100_000

# The server ends with us, however we end: then `read` comes to the end of its input.
WATCHED = '"$@" <&- & server=$!; read _; kill -KILL $server; wait $server'


class RedisServer:
    """A server in a folder of its own, which writes to the disk before it answers."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise StorageUnavailableError("no redis-server on PATH: apt-get install redis-server")
        self._folder = tempfile.mkdtemp(prefix="redis-example-")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": self._folder,
            "databases": str(DATABASES),
            # No snapshots: every write is in the log, and on the disk, before it is answered.
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        }
        self._command = [program]
        for name, value in settings.items():
            self._command += [f"--{name}", value]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["sh", "-c", WATCHED, "sh", *self._command]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while True:
            with Redis(port=self.port) as redis, suppress(RedisError):
                redis.ping()
                return
            if time.monotonic() > deadline:
                raise StorageUnavailableError("redis-server does not answer")
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def crash(self) -> None:
        """Kill it and start it again on what it has written."""
        self.kill()
        self.start()

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"


class RedisStorage:
    """Starts a server when the first place is asked for."""

    name = "redis"

    def __init__(self) -> None:
        self._server: RedisServer | None = None
        self._databases = itertools.count(1)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Lend a database; it is emptied at the end."""
        if self._server is None:
            self._server = RedisServer()
            self._server.start()
        database = next(self._databases)
        try:
            yield self._server.url(database)
        finally:
            with Redis(port=self._server.port, db=database) as redis:
                redis.flushdb()

    @contextmanager
    def own_server(self) -> Iterator[OwnServer]:
        """Lend a server for one place alone, which may be killed."""
        server = RedisServer()
        server.start()
        try:
            yield OwnServer(server.url(0), server.crash)
        finally:
            server.end()

    def connections(self, place: str) -> int | None:
        """Count who is connected to the database of this place."""
        if self._server is None:
            return None
        with Redis(port=self._server.port) as redis:
            return sum(place.endswith(f"/{one['db']}") for one in redis.client_list())

    def server(self) -> str | None:
        """Name the server and its version."""
        if self._server is None:
            return None
        with Redis(port=self._server.port) as redis:
            return f"Redis {redis.info('server')['redis_version']}"

    def close(self) -> None:
        """End the server."""
        server, self._server = self._server, None
        if server is not None:
            server.end()
