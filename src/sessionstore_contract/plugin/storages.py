"""The storages of one pytest process, opened on first use and closed at its end."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..storage import StorageUnavailableError
from ..storage.selection import PostgresChoice, provided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..storage import Storage


class Storages:
    """One of each name, for contract tests and for the fixtures."""

    def __init__(self, postgres: PostgresChoice, files: Path) -> None:
        self._postgres = postgres
        self._files = files
        self._opened: dict[str, Storage] = {}
        self._handed_over: set[int] = set()
        self._closing = ExitStack()

    def named(self, name: str) -> Storage:
        """Answer the storage of that name.

        Raises:
            StorageUnavailableError: it can't be had; one line that says why.
        """
        if name not in self._opened:
            self._opened[name] = self._closing.enter_context(
                provided(name, self._postgres, files=self._files)
            )
        return self._opened[name]

    def handed_over(self, storage: Storage) -> Storage:
        """Answer a storage of an author's own: closed at the end too, as nobody else knows when."""
        if id(storage) not in self._handed_over:
            self._handed_over.add(id(storage))
            self._closing.callback(storage.close)
        return storage

    def close(self) -> None:
        """Close every storage that was used."""
        self._closing.close()


STORAGES = pytest.StashKey[Storages]()


def storages_of(config: pytest.Config, run_folder: str) -> Storages:
    """Answer the storages that this pytest process shares."""
    if STORAGES not in config.stash:
        server = config.getoption("sessionstore_postgres", "auto")
        config.stash[STORAGES] = Storages(PostgresChoice(server, run_folder), Path(run_folder))
        config.add_cleanup(config.stash[STORAGES].close)
    return config.stash[STORAGES]


@contextmanager
def fresh_place(storages: Storages, name: str) -> Iterator[str]:
    """Lend a place that nobody has used; a test that can't have one is an error, not skipped."""
    with ExitStack() as lending:
        why = None
        try:
            place = lending.enter_context(storages.named(name).fresh())
        except StorageUnavailableError as error:
            why = str(error)
        if why is not None:  # not while it is handled: pytest would show it twice
            pytest.fail(why, pytrace=False)
        yield place
