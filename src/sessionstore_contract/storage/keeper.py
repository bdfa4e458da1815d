"""The process that keeps one PostgreSQL server for all processes of a run, and ends with them.

A client is a connection to its socket; the kernel closes it even when the client is killed. When
no client is left, the keeper stops the server, removes every file and ends. In the run's folder
it leaves `postgres.address`, where later clients find it; `postgres.lock` is held by whoever
reads or writes that.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import shutil
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sessionstore_contract.storage.database_server import DatabaseServer
from sessionstore_contract.storage.installation import (
    ServerFailedError,
    copied,
    may_start,
    private_folder,
    programs,
    server_account,
)
from sessionstore_contract.storage.run_folder import PATIENCE, RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Keeper:
    """Serves clients until the last one has gone."""

    def __init__(
        self,
        listener: socket.socket,
        first: socket.socket,
        greeting: bytes,
        crash: Callable[[], None],
    ) -> None:
        self._listener = listener
        self._crash = crash
        self._greeting = greeting
        self._clients: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._welcome(first)

    def serve(self) -> list[socket.socket]:
        """Return when no client is left; answer the one that waits for the end, if any does."""
        waiting: list[socket.socket] = []
        while self._clients:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._welcome(self._listener.accept()[0])
                elif isinstance(key.fileobj, socket.socket):
                    waiting += self._hear(key.fileobj)
        return waiting

    def _welcome(self, client: socket.socket) -> None:
        self._clients.add(client)
        self._selector.register(client, selectors.EVENT_READ)
        with suppress(OSError):
            client.sendall(self._greeting)

    def _hear(self, client: socket.socket) -> list[socket.socket]:
        try:
            said = client.recv(64)
        except OSError:
            said = b""
        if said == b"crash\n":
            self._crash_for(client)
            return []
        is_leaving = said != b""
        self._clients.remove(client)
        self._selector.unregister(client)
        if is_leaving and not self._clients:
            return [client]
        with suppress(OSError), client:
            if is_leaving:
                client.sendall(b"others stay\n")
        return []

    def _crash_for(self, client: socket.socket) -> None:
        try:
            self._crash()
            answer = b"back\n"
        except ServerFailedError as error:
            answer = " ".join(str(error).split()).encode() + b"\n"
        with suppress(OSError):
            client.sendall(answer)


class Server(Protocol):
    """What is kept."""

    @property
    def dsn(self) -> str:
        """Where it is, once it has started."""

    def start(self) -> None:
        """Return when it serves; ServerFailedError says why it does not."""

    def stop(self) -> None:
        """End it, whether it has started or not."""

    def crash(self) -> None:
        """Stop it without warning and start it again."""


def keep(
    make_server: Callable[[Path], Server],
    folder: Path,
    run_folder: Path,
    first: socket.socket,
) -> None:
    """Start the server, keep it as long as there are clients, and remove all traces."""
    server: Server | None = None
    run = RunFolder(run_folder)
    waiting: list[socket.socket] = []
    # Until it serves, the lock is held by whoever has started it, and waits to be told of its end.
    patience = 0.0
    try:
        server = make_server(folder)
        server.start()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "keeper"))
            listener.listen(64)
            run.address.write_text(str(folder / "keeper"))
            greeting = {"dsn": server.dsn, "folder": str(folder), "keeper": os.getpid()}
            line = json.dumps(greeting).encode() + b"\n"
            patience = PATIENCE
            waiting = Keeper(listener, first, line, server.crash).serve()
    finally:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        if waiting:
            run.give_up(str(folder / "keeper"), timeout=0)
        else:  # Whoever made the run's folder was killed, perhaps; if not, it is not empty.
            run.clear_away(str(folder / "keeper"), timeout=patience)


def _keep_installed(package: Path, run_folder: Path, first: socket.socket) -> None:
    account, original = server_account(), programs(package)
    is_startable = may_start(original, account)
    # From a file system in memory programs may not be started, as a rule of containers.
    folder = private_folder(account, may_be_in_memory=is_startable)

    def make(folder: Path) -> Server:
        mine = original if is_startable else copied(original, package, account, folder)
        return DatabaseServer(mine, folder, account)

    keep(make, folder, run_folder, first)


def _contained(image: str, folder: Path) -> Server:
    from sessionstore_contract.storage.database_container import (  # noqa: PLC0415
        DatabaseContainer,  # it imports the engine's client
    )

    return DatabaseContainer(image, folder)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--package", type=Path, help="of a wheel with PostgreSQL in it")
    source.add_argument("--image", help="of a container")
    parser.add_argument("--run-folder", type=Path, required=True)
    parser.add_argument("--client", type=int, required=True, help="descriptor of a connection")
    asked = parser.parse_args()
    os.umask(0o077)
    for number in ENDING:
        signal.signal(number, _end)
    first = socket.socket(fileno=asked.client)
    try:
        if asked.image is None:
            _keep_installed(asked.package, asked.run_folder, first)
        else:
            keep(partial(_contained, asked.image), private_folder({}), asked.run_folder, first)
    except (ServerFailedError, OSError) as error:
        with suppress(OSError):
            first.sendall(json.dumps({"error": str(error)}).encode() + b"\n")


if __name__ == "__main__":
    main()
