"""From a storage's name to the storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .elsewhere import NamedPlace, NoStorage
from .file import FileStorage

if TYPE_CHECKING:
    from . import Storage


@dataclass(frozen=True)
class PostgresChoice:
    """Which PostgreSQL serves the places, and the folder that the processes of one run share."""

    server: str = "auto"
    """`auto`, `embedded`, or a DSN."""
    run_folder: str | None = None


def storage(name: str, postgres: PostgresChoice) -> Storage:
    """Make the storage of that name; any other name is a place by itself.

    Raises:
        StorageUnavailableError: it can't be had on this machine; one line that says why.
    """
    match name:
        case "file":
            return FileStorage()
        case "none":
            return NoStorage()
        case "postgres":
            from .postgres_server import postgres_storage  # noqa: PLC0415 - asyncpg is an extra

            return postgres_storage(postgres)
        case "platform":
            from .platform import PlatformStorage  # noqa: PLC0415 - fastapi is an extra

            return PlatformStorage()
    return NamedPlace(name)
