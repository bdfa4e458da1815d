"""Folders that are kept in memory."""

from __future__ import annotations

import errno
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.storage import in_memory
from sessionstore_contract.storage.in_memory import (
    OWN,
    folder_for_places,
    folder_in_memory,
    with_own_folder,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is taken for the one in memory, with room for what is asked of it."""
    for name in ("TMPDIR", "TEMP", "TMP", OWN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(in_memory, "MEMORY", tmp_path)
    monkeypatch.setattr(in_memory, "ROOM", 1)
    monkeypatch.setattr(in_memory, "LIMIT", tmp_path / "limit")
    return tmp_path


def test_what_is_thrown_away_is_kept_in_memory(memory: Path) -> None:
    """Where there is such a folder, with room on it and in the memory of the container."""
    assert folder_in_memory() == memory
    (memory / "limit").write_text("max\n")
    assert folder_in_memory() == memory
    (memory / "limit").write_text("3\n")
    assert folder_in_memory() is None


def test_a_folder_without_room_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the 64 MB of many containers are."""
    monkeypatch.setattr(in_memory, "ROOM", 2**60)
    assert folder_in_memory() is None


@pytest.mark.parametrize("name", ["TMPDIR", "TEMP", "TMP"])
def test_whoever_names_a_folder_has_a_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the processes of a run as well."""
    monkeypatch.setenv(name, "/var/tmp")
    assert folder_in_memory() is None
    for variable, value in with_own_folder("/run/one").items():
        monkeypatch.setenv(variable, value)
    assert folder_in_memory() is None


def test_the_folder_of_a_run_is_no_wish(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes have TMPDIR set, and nobody has asked for that."""
    for variable, value in with_own_folder("/run/one").items():
        monkeypatch.setenv(variable, value)
    assert folder_in_memory() == memory
    # One inside another: the folder of the inner run is as little a wish.
    for variable, value in with_own_folder("/run/two").items():
        monkeypatch.setenv(variable, value)
    assert folder_in_memory() == memory


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such folder")
def test_the_files_of_stores_are_there_where_it_is_as_good_as_a_disk(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store may go past the cache, or load what it has compiled: a correct one must not fail."""
    assert folder_for_places() == memory
    assert list(memory.iterdir()) == []

    really_open = os.open

    def refused(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return really_open(path, flags, mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refused)
        assert folder_for_places() is None
    with monkeypatch.context() as patched:
        found = SimpleNamespace(f_flag=os.ST_NOEXEC, f_blocks=9, f_bfree=9, f_bavail=9, f_frsize=9)
        patched.setattr(os, "statvfs", lambda _: found)
        assert folder_for_places() is None
    assert folder_for_places() == memory
