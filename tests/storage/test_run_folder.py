"""What a run leaves in its folder when it was killed is removed, by whoever is the last."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.storage import StorageUnavailableError
from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

MINE = "/keeper/of/this/test"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    run = RunFolder(tmp_path / "run")
    with run.lock.held(timeout=0):
        run.address.write_text(MINE)
    return run


def test_who_is_asked_to_leave_leaves_the_folder(run: RunFolder) -> None:
    """Its maker is there, and removes it."""
    run.give_up(MINE, timeout=0)
    assert list(run.path.iterdir()) == []


def test_the_address_of_another_keeper_stays(run: RunFolder) -> None:
    """And so does the lock, which those who join hold."""
    run.clear_away("/another")
    run.clear_away()
    assert run.address.read_text() == MINE
    assert run.lock.exists()


def test_a_folder_in_which_others_have_files_stays(run: RunFolder) -> None:
    """They are the last."""
    (run.path / "0").mkdir()
    run.clear_away(MINE)
    assert [path.name for path in run.path.iterdir()] == ["0"]


def test_who_came_to_join_and_was_killed_leaves_nothing(run: RunFolder) -> None:
    """Whoever clears away waits for the lock."""
    with ThreadPoolExecutor() as pool:
        with run.lock.held(timeout=0):
            clearing = pool.submit(run.clear_away, MINE)
            time.sleep(0.1)
            assert run.address.exists()
        clearing.result(timeout=10)
    assert not run.path.exists()


def test_a_lock_that_is_held_for_long_stays(run: RunFolder) -> None:
    """Its holder is about to start another server in that folder."""
    with run.lock.held(timeout=0):
        run.clear_away(MINE, timeout=0.1)
        assert run.lock.exists()


def test_nobody_joins_in_a_folder_that_is_gone(run: RunFolder) -> None:
    """Whoever made it was killed: it is not made again, for nobody would remove it."""
    run.clear_away(MINE)
    with pytest.raises(StorageUnavailableError, match="No such file"):
        EmbeddedServer.join(run.path)
    assert not run.path.exists()
