"""A PostgreSQL server in a container, one for all processes of a run."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Self

from sessionstore_contract.storage import StorageUnavailableError
from sessionstore_contract.storage.kept_server import KeptServer, Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VARIABLE = "SESSIONSTORE_POSTGRES_IMAGE"

IMAGE = "postgres:18"
"""The image when none is named."""

START_TIMEOUT = 600.0
"""Seconds for the keeper to start a server; the image may have to be fetched first."""

STOP_TIMEOUT = 60.0
"""Seconds for the engine to remove the container; it may have others to look after."""

MODULES = ("testcontainers", "asyncpg")


class ContainedServer(KeptServer):
    """This process's part in a server that a container engine runs."""

    @classmethod
    def join(cls, run_folder: Path, image: str, check: Callable[[], None] = lambda: None) -> Self:
        """Answer the server of the run, as `KeptServer.shared` does.

        Raises:
            StorageUnavailableError: there is no server to be had; one line says why.
        """
        missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
        if missing:
            raise StorageUnavailableError(
                f"PostgreSQL in a container needs {' and '.join(missing)}: "
                "pip install 'sessionstore-contract[containers]'"
            )
        name = f"PostgreSQL in a container of {image}"
        source = Source(name, (f"--image={image}",), START_TIMEOUT, STOP_TIMEOUT, _end)
        return cls.shared(run_folder, source, check)


def is_installed() -> bool:
    """Whether what starts containers is installed; of an engine nothing is known by that."""
    return all(importlib.util.find_spec(name) for name in MODULES)


def default_image() -> str:
    """Answer the image that the environment names, or else the kit's own choice."""
    return os.environ.get(VARIABLE) or IMAGE


def _end(folder: Path) -> None:
    from sessionstore_contract.storage.database_container import (  # noqa: PLC0415
        remove_container_of,  # it imports the engine's client
    )

    remove_container_of(folder)
