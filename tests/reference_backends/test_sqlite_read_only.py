"""The SQLite store where it may not write: a clear error, nothing lost, and used again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.reference_backends.sqlite_places import OBEYING, run_sql, start_python

if TYPE_CHECKING:
    from pathlib import Path

USE = (
    OBEYING
    + """
import asyncio
from pathlib import Path
from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract.interface import SessionStoreError

async def answer(call):
    try:
        return await call
    except SessionStoreError as error:
        return str(error).partition(": ")[2].partition(":")[0]

async def main(path, file_mode, folder_mode):
    store = SqliteSessionStore(path)
    path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    reads = [store.load("a"), store.get_cost_data("a"), store.exists("a")]
    print([await answer(read) for read in reads])
    writes = [
        store.save("a", [2]), store.update("a", cost_data={"n": 2}), store.create("b"),
        store.delete("a"),
    ]
    print({await answer(write) for write in writes})
    print(len(await asyncio.gather(*(answer(store.save("a", [2])) for _ in range(20)))))
    path.parent.chmod(0o755)
    for file in path.parent.iterdir():
        file.chmod(0o644)
    assert await store.load("a") == [1] and await store.exists("b") is False
    await store.save("a", [3])
    print(await store.load("a"), await store.get_cost_data("a"))
    await store.close()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2], 8), int(sys.argv[3], 8)))
"""
)
MAKE = """
import asyncio, sys
from reference_backends.sqlite import SqliteSessionStore

async def main(path):
    store = SqliteSessionStore(path)
    await store.save("a", [1])
    await store.update("a", cost_data={"n": 1})
    await store.close()

asyncio.run(main(sys.argv[1]))
"""
READ_ONLY = "it is read-only"
RIGHT = "[[1], {'n': 1}, True]"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="root gives up rights on Linux")


def used(path: Path, *modes: str) -> list[str]:
    """Use a store in a process that obeys permissions, and answer what it prints."""
    for script, arguments in ((MAKE, ()), (USE, modes)):
        with start_python(script, str(path), *arguments) as process:
            output, errors = process.communicate()
        assert errors == ""
        if script is MAKE and "rollback" in path.name:
            run_sql(path, "PRAGMA journal_mode = DELETE")
    return output.splitlines()


@pytest.mark.parametrize("name", ["wal.db", "rollback.db"])
def test_a_read_only_file_is_read_and_not_written(tmp_path: Path, name: str) -> None:
    """Reads answer, each write is refused, and the same store writes once it may."""
    assert used(tmp_path / name, "444", "755") == [
        RIGHT, repr({READ_ONLY}), "20", "[3] {'n': 1}"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["wal.db", "rollback.db"])
def test_a_read_only_folder_is_named(tmp_path: Path, name: str) -> None:
    """A WAL needs files beside it, so even reads are refused there; none of them is empty."""
    reads = [READ_ONLY] * 3 if name == "wal.db" else [[1], {"n": 1}, True]
    assert used(tmp_path / name, "644", "555") == [
        repr(reads), repr({READ_ONLY}), "20", "[3] {'n': 1}"
    ]  # fmt: skip
