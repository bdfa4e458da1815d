"""Processes that take part in the server of a run, and may be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sessionstore_contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCES = Path(sessionstore_contract.__file__).parent.parent

PROGRAM = """
import sys
from pathlib import Path
from sessionstore_contract.storage.{module}

run_folder = Path(sys.argv[1])
server = {joined}
try:
    print(server.dsn, server._folder, flush=True)
    sys.stdin.readline()
finally:
    server.leave()
"""

OF_EMBEDDED = PROGRAM.format(
    module="embedded import EmbeddedServer", joined="EmbeddedServer.join(run_folder)"
)
OF_CONTAINED = PROGRAM.format(
    module="contained import ContainedServer, default_image",
    joined="ContainedServer.join(run_folder, default_image())",
)


class Client:
    """A process that takes part in the server of a run."""

    def __init__(self, program: str, run_folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(run_folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
        )

    def answer(self) -> tuple[str, Path]:
        """Answer the DSN and the folder of the server, when it is there."""
        assert self.process.stdout is not None
        dsn, folder = self.process.stdout.readline().split()
        return dsn, Path(folder)

    def leave(self) -> None:
        """Have it leave the server, and end."""
        self.process.communicate("\n", timeout=60)


@contextmanager
def clients(program: str, folder: Path) -> Iterator[Callable[..., Client]]:
    """Start clients, of one run if nothing else is said, and end them all."""
    started: list[Client] = []

    def start(run: str = "run") -> Client:
        (folder / run).mkdir(exist_ok=True)
        started.append(Client(program, folder / run))
        return started[-1]

    yield start
    for client in started:
        client.process.kill()
        client.process.communicate()
