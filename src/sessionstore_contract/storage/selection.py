"""From a storage's name, and what was said of PostgreSQL, to the storage."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..names import nearest
from . import OwnServer, StorageUnavailableError, contained
from .elsewhere import NamedPlace, NoStorage
from .embedded import EmbeddedServer
from .file import FileStorage
from .installation import find_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from . import Storage
    from .kept_server import KeptServer

SERVERS = ("auto", "embedded", "container")
"""What is said in place of a DSN."""

VARIABLE = "SESSIONSTORE_POSTGRES_DSN"


@dataclass(frozen=True)
class PostgresChoice:
    """Which PostgreSQL serves the places, and the folder that the processes of one run share."""

    server: str
    """`auto`, `embedded`, `container`, `container:IMAGE`, or a DSN."""
    run_folder: str

    @property
    def dsn(self) -> str | None:
        """The DSN that was given, on the command line or in the environment; None: a kept one."""
        if self.server == "auto":
            return os.environ.get(VARIABLE) or None
        return None if self.is_kept_by_name else self.server

    @property
    def mark(self) -> str:
        """What the names of the places of one run begin with, in all of its processes."""
        return sha256(self.run_folder.encode()).hexdigest()[:12] if self.run_folder else ""

    @property
    def is_kept_by_name(self) -> bool:
        """Whether it was said that the kit starts the server, and which."""
        return self.server == "embedded" or self._kind == "container"

    @property
    def image(self) -> str | None:
        """The image of the container in which the kit starts the server; None: another one."""
        if self._kind == "container":
            return self.server.partition(":")[2] or contained.default_image()
        if self.server != "auto" or self.dsn is not None or find_package() is not None:
            return None
        return contained.default_image() if contained.is_installed() else None

    @property
    def _kind(self) -> str:
        return self.server.partition(":")[0]


@contextmanager
def provided(
    name: str, postgres: PostgresChoice, *, files: Path | None = None
) -> Iterator[Storage]:
    """Provide the storage of that name, and close it; any other name is a place by itself.

    Places that are files are made in the folder `files`, else in that of temporary files.

    Raises:
        StorageUnavailableError: it can't be had on this machine; one line that says why.
    """
    match name:
        case "file":
            storage: Storage = FileStorage(files)
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
def server_held(
    name: str, postgres: PostgresChoice, check: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Keep the server of a run alive, although the processes that use it come and go.

    `check` is called while it starts, and what it raises ends the waiting.

    Raises:
        StorageUnavailableError: it does not start; one line that says why.
    """
    if name != "postgres":
        yield
        return
    if postgres.dsn is not None:
        try:
            yield
        finally:
            # A process that was killed, as when the run is stopped, has dropped nothing.
            _drop_left(postgres.dsn, postgres.mark)
        return
    with _kept(postgres.image, Path(postgres.run_folder), check):
        yield


def require_known(server: str) -> None:
    """Refuse a word that names no server, whether one is wanted or not.

    Raises:
        StorageUnavailableError: it is one; the line names those that there are.
    """
    # Of a word alone it is certain that no password is in it.
    if server.isalpha() and server not in SERVERS:
        raise StorageUnavailableError(
            f"there is no PostgreSQL {server!r}{nearest(server, SERVERS)} "
            "(also container:IMAGE, or a DSN, postgresql://user:password@host:port/dbname)"
        )


def _drop_left(dsn: str, mark: str) -> None:
    with suppress(ImportError):
        from .postgres import drop_left  # noqa: PLC0415 - asyncpg is an extra

        drop_left(dsn, mark)


@contextmanager
def _postgres(choice: PostgresChoice) -> Iterator[Storage]:
    require_known(choice.server)
    if choice.dsn is not None:
        with _places_on(choice.dsn, mark=choice.mark) as storage:
            yield storage
        return
    own_server = partial(_own_server, choice.image)
    with (
        _kept(choice.image, Path(choice.run_folder)) as server,
        _places_on(server.dsn, own_server) as storage,
    ):
        yield storage


@contextmanager
def _own_server(image: str | None) -> Iterator[OwnServer]:
    with (
        TemporaryDirectory(prefix="sessionstore-") as folder,
        _kept(image, Path(folder)) as server,
    ):
        yield OwnServer(server.dsn, server.crash)


@contextmanager
def _kept(
    image: str | None, run_folder: Path, check: Callable[[], None] = lambda: None
) -> Iterator[KeptServer]:
    if image is None:
        server: KeptServer = EmbeddedServer.join(run_folder, check)
    else:
        server = contained.ContainedServer.join(run_folder, image, check)
    try:
        yield server
    finally:
        server.leave()


@contextmanager
def _places_on(
    dsn: str,
    own_server: Callable[[], AbstractContextManager[OwnServer | None]] = nullcontext,
    mark: str = "",
) -> Iterator[Storage]:
    try:
        from .postgres import PostgresStorage  # noqa: PLC0415 - asyncpg is an extra

        storage = PostgresStorage(dsn, own_server, mark)
    except ImportError:
        raise StorageUnavailableError(
            "fresh places on PostgreSQL need asyncpg: pip install 'sessionstore-contract[postgres]'"
        ) from None
    try:
        yield storage
    finally:
        storage.close()
