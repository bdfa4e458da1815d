"""Permissions of files, taken away for a while, and obeyed by whoever may ignore them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract import permissions

if TYPE_CHECKING:
    from pathlib import Path


def is_read(path: Path) -> bool:
    try:
        path.read_bytes()
    except PermissionError:
        return False
    return True


def elsewhere(path: Path) -> bool:
    """Whether a thread that begins now reads the file."""
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(is_read(path)))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.skipif(not permissions.is_known(), reason="root gives up rights on Linux")
def test_permissions_are_obeyed_in_this_thread_and_those_it_starts(tmp_path: Path) -> None:
    """Also by root, for that time and no longer; other threads are as they were."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    path.chmod(0)
    could = is_read(path)
    found: list[bool] = []
    go, done = threading.Event(), threading.Event()

    def other() -> None:
        go.wait()
        found.append(is_read(path))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with permissions.obeyed():
        assert permissions.are_obeyed(str(tmp_path))
        assert not is_read(path)
        assert not elsewhere(path)
        go.set()
        done.wait()
    thread.join()
    assert found == [could]
    assert is_read(path) is could
    assert elsewhere(path) is could


def test_what_is_taken_is_given_back(tmp_path: Path) -> None:
    """To what is still there, whatever became of the rest, and to new files nothing is done."""
    folder = tmp_path / "place"
    (folder / "inner").mkdir(parents=True)
    for path, mode in ((folder / "a", 0o640), (folder / "inner" / "b", 0o600)):
        path.write_bytes(b"x")
        path.chmod(mode)
    folder.chmod(0o750)
    before = {path: path.stat().st_mode for path in (folder, folder / "inner", folder / "a")}
    with permissions.taken(folder, of_files=0o444, of_folders=0o777):
        assert (folder / "a").stat().st_mode & 0o777 == 0o440
        assert folder.stat().st_mode & 0o777 == 0o750
        (folder / "inner" / "b").unlink()
        (folder / "c").write_bytes(b"x")
    assert {path: path.stat().st_mode for path in before} == before
    with permissions.taken(folder, of_files=0o777, of_folders=0):
        assert folder.stat().st_mode & 0o777 == 0
    assert {path: path.stat().st_mode for path in before} == before


def test_a_folder_that_nobody_may_write_to_can_go(tmp_path: Path) -> None:
    """Its owner has every right again, in the folders below it as well."""
    inner = tmp_path / "place" / "inner"
    inner.mkdir(parents=True)
    inner.chmod(0)
    inner.parent.chmod(0o555)
    permissions.give_back(inner.parent)
    assert {inner.stat().st_mode & 0o777, inner.parent.stat().st_mode & 0o777} == {0o700}
