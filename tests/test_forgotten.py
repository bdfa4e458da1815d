"""Processes that use a store and never close it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends.memory import MemorySessionStore
from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract.forgotten import NotUsedError, ends_by_itself
from tests.mutants.closing import KeepsTheProcess

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30.0
"""Seconds for what ends: the time it takes is not judged here."""


class FailsThere(MemorySessionStore):
    """Can't be used."""

    async def create(self, session_id: str | None = None) -> str:
        raise ConnectionError("nobody answers")


class SaysMuch(MemorySessionStore):
    """Prints, which is no answer of the process."""

    async def create(self, session_id: str | None = None) -> str:
        print("{}")  # noqa: T201 - what is tried
        raise ConnectionError("nobody answers")


class KeepsADaemon(MemorySessionStore):
    """Has a thread that does not keep the process."""

    async def create(self, session_id: str | None = None) -> str:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return await super().create(session_id)


@pytest.mark.parametrize("store", [MemorySessionStore, KeepsADaemon])
async def test_a_process_that_has_nothing_to_do_ends(store: Any) -> None:
    """Also with threads that are daemons."""
    assert await ends_by_itself(store, None, patience=PATIENCE)


async def test_the_reference_store_on_a_file_lets_its_process_end(tmp_path: Path) -> None:
    """It is opened on the place; what it wrote is there."""
    place = tmp_path / "sessions.db"
    assert await ends_by_itself(SqliteSessionStore, str(place), patience=PATIENCE)
    assert place.is_file()


async def test_a_process_that_is_kept_is_seen_and_killed() -> None:
    """A thread that is no daemon keeps it."""
    assert not await ends_by_itself(KeepsTheProcess, None, patience=0.2)


@pytest.mark.parametrize("store", [FailsThere, SaysMuch])
async def test_a_store_that_can_not_be_used_there_is_no_finding(store: Any) -> None:
    """What it raises is told, and what it prints is no answer."""
    with pytest.raises(NotUsedError, match="failed: ConnectionError: nobody answers"):
        await ends_by_itself(store, None, patience=PATIENCE)


async def test_an_opener_without_a_name_is_no_finding() -> None:
    """A closure can't be found by another process."""
    with pytest.raises(NotUsedError, match="can't be found by another process"):
        await ends_by_itself(lambda: MemorySessionStore(), None, patience=PATIENCE)  # noqa: PLW0108
