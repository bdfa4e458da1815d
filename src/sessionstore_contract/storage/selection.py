"""From a storage's name, and what was said of PostgreSQL, to the storage."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from . import OwnServer, StorageUnavailableError
from .elsewhere import NamedPlace, NoStorage
from .file import FileStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from . import Storage

VARIABLE = "SESSIONSTORE_POSTGRES_DSN"


@dataclass(frozen=True)
class PostgresChoice:
    """Which PostgreSQL serves the places, and the folder that the processes of one run share."""

    server: str
    """`auto`, `embedded`, or a DSN."""
    run_folder: str

    @property
    def dsn(self) -> str | None:
        """The DSN that was given, on the command line or in the environment; None: embedded."""
        if self.server == "auto":
            return os.environ.get(VARIABLE) or None
        return None if self.server == "embedded" else self.server


@contextmanager
def provided(name: str, postgres: PostgresChoice) -> Iterator[Storage]:
    """Provide the storage of that name, and close it; any other name is a place by itself.

    Raises:
        StorageUnavailableError: it can't be had on this machine; one line that says why.
    """
    match name:
        case "file":
            storage: Storage = FileStorage()
        case "none":
            storage = NoStorage()
        case "postgres":
            with _postgres(postgres) as storage:
                yield storage
            return
        case "platform":
            from .platform import PlatformStorage  # noqa: PLC0415 - fastapi is an extra

            storage = PlatformStorage()
        case _:
            storage = NamedPlace(name)
    try:
        yield storage
    finally:
        storage.close()


@contextmanager
def server_held(name: str, postgres: PostgresChoice) -> Iterator[None]:
    """Keep the server of a run alive, although the processes that use it come and go.

    Raises:
        StorageUnavailableError: it does not start; one line that says why.
    """
    if name != "postgres" or postgres.dsn is not None:
        yield
        return
    with _embedded(postgres):
        yield


@contextmanager
def _postgres(choice: PostgresChoice) -> Iterator[Storage]:
    if choice.dsn is not None:
        with _places_on(choice.dsn) as storage:
            yield storage
        return
    with _embedded(choice) as dsn, _places_on(dsn, _own_server) as storage:
        yield storage


@contextmanager
def _own_server() -> Iterator[OwnServer]:
    from .embedded import EmbeddedServer  # noqa: PLC0415 - only who uses it pays for it

    with TemporaryDirectory(prefix="sessionstore-") as folder:
        server = EmbeddedServer.join(Path(folder))
        try:
            yield OwnServer(server.dsn, server.crash)
        finally:
            server.leave()


@contextmanager
def _embedded(choice: PostgresChoice) -> Iterator[str]:
    from .embedded import EmbeddedServer  # noqa: PLC0415 - only who uses it pays for it

    server = EmbeddedServer.join(Path(choice.run_folder))
    try:
        yield server.dsn
    finally:
        server.leave()


@contextmanager
def _places_on(
    dsn: str, own_server: Callable[[], AbstractContextManager[OwnServer | None]] = nullcontext
) -> Iterator[Storage]:
    try:
        from .postgres import PostgresStorage  # noqa: PLC0415 - asyncpg is an extra

        storage = PostgresStorage(dsn, own_server)
    except ImportError:
        raise StorageUnavailableError(
            "fresh places on PostgreSQL need asyncpg: pip install 'sessionstore-contract[postgres]'"
        ) from None
    try:
        yield storage
    finally:
        storage.close()
