"""Correct stores of every design that the kit must not accuse, as backends."""

from __future__ import annotations

from dataclasses import replace

from sessionstore_contract import Backend

from ..mutants.columns import ColumnsStore
from ..mutants.correct import CORRECT, FileStore, RowsStore, damage_rows, leave_files
from ..mutants.defect import backend
from ..mutants.lending import LentStore
from ..mutants.platform_stores import TokenStore
from .hashes import HashStore
from .journal import JournalStore
from .row_locks import RowLockStore
from .variants import (
    CachingStore,
    FullStore,
    LimitedStore,
    ReorderingStore,
    RoundedSecondsStore,
    SlowStore,
    StrictStore,
    UuidStore,
    WholeSecondsStore,
    WrongClockStore,
    open_later,
    open_within,
)

OPENED_OTHERWISE: tuple[Backend, ...] = (
    replace(backend(FileStore), name="FileStore, from files of before", legacy=leave_files),
    replace(backend(FileStore), name="FileStore, by a coroutine", open=open_later),
    replace(
        backend(RowsStore, corrupt=damage_rows),
        name="RowsStore, by a context manager",
        open=open_within,
    ),
)

UUIDS = replace(backend(UuidStore), make_id=UuidStore().fresh_id)
"""Its ids are told to the kit, which would make others."""

DESIGNS: tuple[Backend, ...] = (
    *(backend(store, corrupt=corrupt) for store, corrupt in CORRECT),
    *map(
        backend,
        (
            ColumnsStore,
            LentStore,
            TokenStore,
            RowLockStore,
            HashStore,
            JournalStore,
            CachingStore,
            ReorderingStore,
            WholeSecondsStore,
            RoundedSecondsStore,
            SlowStore,
            FullStore,
            LimitedStore,
            WrongClockStore,
            StrictStore,
        ),
    ),
    UUIDS,
    *OPENED_OTHERWISE,
)
