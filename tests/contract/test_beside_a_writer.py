"""Stores of SQLite that are first used while another process is about to write."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Verdict

from ..mutants.correct import FileStore, RowsStore
from ..mutants.defect import backend
from ..mutants.sharing import SwitchesToWalOnce

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sessionstore_contract.verdict import Finding

CLAUSE = "sharing.first-use-may-be-concurrent"


class SoonGivesUpStore(RowsStore):
    """Waits at first for a lock, though not for as long as the other process has it."""

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        file = Path(self.place)
        is_first = not file.exists() or not file.stat().st_size
        with super().rows(0.2 if is_first else wait) as rows:
            yield rows


class ChoosyStore(RowsStore):
    """Refuses a file that is there and empty: its own are made under a lock, and never so."""

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        with open(f"{self.place}.lock", "w") as lock:  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX)
            if Path(self.place).exists() and not Path(self.place).stat().st_size:
                raise OSError(f"{self.place} is empty")
            with super().rows(wait) as rows:
                yield rows


def tried(store: type[FileStore | RowsStore], folder: Path) -> Finding:
    made = backend(store)
    processes = replace(made, adding={*made.adding, "multi-process"})
    (clause,) = (one for one in CLAUSES if one.id == CLAUSE)
    return try_clause(clause, processes, FileStorage(folder), Conditions(1, EFFORTS["quick"]))


@pytest.mark.parametrize("store", [RowsStore, SoonGivesUpStore, ChoosyStore, FileStore])
def test_who_waits_is_right(store: type[FileStore | RowsStore], tmp_path: Path) -> None:
    """Also if that is not for long; and a store of other files knows nothing of it."""
    assert tried(store, tmp_path).verdict is Verdict.HELD


def test_what_waits_for_nobody_at_the_first_operation_alone_is_named(tmp_path: Path) -> None:
    """The process that is about to write is named beside the call that failed."""
    found = tried(SwitchesToWalOnce, tmp_path)
    assert found.verdict is Verdict.VIOLATED
    assert "while another process is about to write" in " ".join(found.witness or ()).replace(
        "\n", " "
    )
