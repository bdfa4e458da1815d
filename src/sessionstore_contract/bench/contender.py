"""Who is measured: a store of a backend, or the bare driver of its storage."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..names import extra_for
from ..opening import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ..backend import Backend
    from .workload import Measured

BARE = {
    "file": ("bare_sqlite", "BareSqlite"),
    "postgres": ("bare_postgres", "BarePostgres"),
    "platform": ("bare_http", "BareHttp"),
    "none": ("bare_memory", "BareMemory"),
}
"""By the storage: the module and the class of the driver that does the same on it."""


class NoRivalError(Exception):
    """There is nothing to hold a backend against; one line that says why and the way out."""


@dataclass(frozen=True)
class Contender:
    """Somebody who can be opened on a place and asked for operations."""

    name: str
    open: Callable[[str | None], Any]

    @asynccontextmanager
    async def opened(self, place: str | None) -> AsyncIterator[Measured]:
        """Open it on the place, and close it in the end."""
        store, leave = await self.open(place)
        try:
            try:
                yield store
            finally:
                await store.close()
        finally:
            await leave()


def of_backend(backend: Backend) -> Contender:
    """Answer the contender that is a backend's store."""
    has_place = backend.storage_name != "none"
    return Contender(
        backend.name, lambda place: open_store(backend.open, place if has_place else None)
    )


def bare_driver(backend: Backend) -> Contender:
    """Answer the contender that is the driver of the backend's storage and nothing else.

    Raises:
        NoRivalError: the kit knows none for that storage, or it is not installed.
    """
    storage = backend.storage_name if isinstance(backend.storage, str) else "its own"
    if storage not in BARE:
        raise NoRivalError(
            f"{backend.name}: for storage {storage} the kit knows no driver to hold it against: "
            "name another target with --against"
        )
    module, name = BARE[storage]
    try:
        driver = import_module(f"{__package__}.{module}")
    except ImportError as problem:
        raise NoRivalError(f"{backend.name}: {problem}{extra_for(problem)}") from None

    async def open_driver(place: str | None) -> Any:
        opened = getattr(driver, name)(place)
        await opened.open()
        return opened, _nothing

    return Contender(f"bare {driver.VERSION}", open_driver)


async def _nothing() -> None:
    return
