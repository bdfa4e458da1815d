"""A PostgreSQL server from a wheel, one for all processes of a run."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from sessionstore_contract.storage import StorageUnavailableError
from sessionstore_contract.storage.installation import find_package, way_to_package
from sessionstore_contract.storage.kept_server import KeptServer, Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


START_TIMEOUT = 75.0
"""Seconds for the keeper to start a server, on a slow disk too."""

STOP_TIMEOUT = 10.0


class EmbeddedServer(KeptServer):
    """This process's part in a server whose programs are in a wheel."""

    @classmethod
    def join(cls, run_folder: Path, check: Callable[[], None] = lambda: None) -> Self:
        """Answer the server of the run, as `KeptServer.shared` does.

        Raises:
            StorageUnavailableError: there is no server to be had; one line says why.
        """
        package = find_package()
        if package is None:
            raise StorageUnavailableError(
                f"the embedded PostgreSQL is missing: {way_to_package()}, "
                "or name a server with --postgres or SESSIONSTORE_POSTGRES_DSN"
            )
        arguments = (f"--package={package}",)
        name = "the embedded PostgreSQL"
        source = Source(name, arguments, START_TIMEOUT, STOP_TIMEOUT, _end)
        return cls.shared(run_folder, source, check)


def _end(folder: Path) -> None:
    with suppress(OSError, ValueError):
        server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGQUIT)
