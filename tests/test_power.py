"""A loss of power: the recorder, the disk that is computed, and stores that are safe from it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import doctor, power
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS, NORMAL, THOROUGH
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.power import Disk, NotRecordedError, Record, Recording, lay_out
from sessionstore_contract.power.journal import Kind, records
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Finding, Verdict

from .mutants.defect import backend
from .mutants.power import (
    CLAUSE,
    RewritesInPlace,
    SyncedFileStore,
    SyncedJournalStore,
    SyncedRowsStore,
    TrustsTheEndOfALine,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

(clause,) = (one for one in CLAUSES if one.id == CLAUSE)
FEW_POINTS = replace(EFFORTS["quick"], name=THOROUGH.name)
MANY_POINTS = replace(FEW_POINTS, kills=THOROUGH.kills)


def found(store: Any, effort: Any = FEW_POINTS, seed: int = 1) -> Finding:
    return try_clause(clause, backend(store), FileStorage(), Conditions(seed, effort))


# the disk -----------------------------------------------------------------------------------------

Done = tuple[Kind, str, int, int, bytes]


def fed(tmp_path: Path, *done: Done) -> Disk:
    disk = Disk(tmp_path)
    for one in done:
        disk.feed(Record(*one, end=0))
    return disk


def certain(tmp_path: Path, *done: Done) -> dict[str, bytes]:
    return fed(tmp_path, *done).image("nothing", random.Random(1))


CREATED = (Kind.CREATED, "/d/new", 7, 0, b"")
WROTE = (Kind.WROTE, "", 7, 0, b"content")
SYNCED = (Kind.SYNCED, "", 7, 0, b"")
RENAMED = (Kind.RENAMED, "/d/new", 7, 0, b"/d/file")
UNLINKED = (Kind.UNLINKED, "/d/new", 0, 0, b"")
FOLDER_SYNCED = (Kind.FOLDER_SYNCED, "/d", 1, 0, b"")


def test_what_is_not_synced_is_gone(tmp_path: Path) -> None:
    """Neither the content nor the name is there for certain."""
    assert certain(tmp_path, CREATED, WROTE) == {}


def test_a_sync_makes_sure_of_content_and_name(tmp_path: Path) -> None:
    """As common file systems give it for a new file."""
    assert certain(tmp_path, CREATED, WROTE, SYNCED) == {"/d/new": b"content"}


def test_a_new_name_is_there_once_its_folder_is_synced(tmp_path: Path) -> None:
    """Until then the old one may be back."""
    steps = (CREATED, WROTE, SYNCED, RENAMED)
    assert certain(tmp_path, *steps) == {"/d/new": b"content"}
    assert certain(tmp_path, *steps, FOLDER_SYNCED) == {"/d/file": b"content"}


def test_a_name_may_be_there_without_the_content(tmp_path: Path) -> None:
    """A file that was never synced is empty under its new name."""
    assert certain(tmp_path, CREATED, WROTE, RENAMED, FOLDER_SYNCED) == {"/d/file": b""}


def test_a_removed_file_may_be_back(tmp_path: Path) -> None:
    """Until its folder is synced."""
    steps = (CREATED, WROTE, SYNCED, UNLINKED)
    assert certain(tmp_path, *steps) == {"/d/new": b"content"}
    assert certain(tmp_path, *steps, FOLDER_SYNCED) == {}


def test_a_write_is_torn_where_sectors_end(tmp_path: Path) -> None:
    """Each of them is there whole or not at all."""
    content, at = bytes(range(1, 256)) * 10, 100
    disk = fed(tmp_path, CREATED, SYNCED, (Kind.WROTE, "", 7, at, content))
    whole = bytes(at) + content
    seen = set()
    for seed in range(50):
        torn = disk.image("torn", random.Random(seed))["/d/new"]
        for begin in range(0, len(torn), 512):
            sector = torn[begin : begin + 512]
            real = whole[begin : begin + len(sector)]
            assert sector in {real, bytes(len(sector))}
            seen.add(sector == real)
    assert seen == {True, False}


def test_a_disk_is_laid_out_as_it_is_drawn(tmp_path: Path) -> None:
    """What was there is gone."""
    (tmp_path / "old").write_text("x", "utf-8")
    lay_out(tmp_path, {str(tmp_path / "folder" / "new"): b"y"})
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["new"]


# the recorder -------------------------------------------------------------------------------------


@contextmanager
def recorded(folder: Path, program: str) -> Iterator[Recording]:
    """Run a program in a folder, and answer what was recorded."""
    recording = Recording(str(folder / "place"))
    try:
        subprocess.run(
            [sys.executable, "-c", f"import os, mmap\n{program}"],
            check=True,
            cwd=folder,
            env={**os.environ, **recording.environment},
        )
        yield recording
    finally:
        recording.close()


def test_a_journal_is_read_up_to_the_last_whole_record(tmp_path: Path) -> None:
    """Its process may have been killed in the middle of one."""
    with recorded(tmp_path, "open('f', 'w').write('x' * 100)") as recording:
        read = recording.records()
        whole = (recording.journal).read_bytes()
    assert [one.kind for one in read] == [Kind.CREATED, Kind.WROTE]
    assert list(records(whole[:-1])) == read[:-1]


@pytest.mark.parametrize(
    "program",
    [
        "open('f', 'w').write('text'); os.replace('f', 'g'); os.link('g', 'h'); os.unlink('g')",
        "f = os.open('f', os.O_RDWR | os.O_CREAT); os.pwrite(f, b'x' * 9, 5); os.ftruncate(f, 7)",
        (
            "f = os.open('f', os.O_RDWR | os.O_CREAT); os.writev(f, [b'ab', b'', b'cd'])\n"
            "os.pwritev(f, [b'XY', b'Z'], 1); g = os.dup(f); os.write(g, b'end')"
        ),
        "open('f', 'a').write('one'); open('f', 'a').write('two'); os.truncate('f', 4)",
        (
            "os.mkdir('d'); d = os.open('d', os.O_RDONLY)\n"
            "f = os.open('x', os.O_WRONLY | os.O_CREAT, dir_fd=d); os.write(f, b'in')\n"
            "os.rename('x', 'y', src_dir_fd=d, dst_dir_fd=d); os.posix_fallocate(f, 0, 50)"
        ),
        "open('f', 'w').write('long text'); open('f', 'w').write('short')",
        (
            "import tempfile; f = tempfile.TemporaryFile(dir='.'); f.write(b'nobody'); f.flush()\n"
            "open('g', 'w').write('somebody')"
        ),
        (
            "import sqlite3; c = sqlite3.connect('s.db'); c.execute('PRAGMA journal_mode = WAL')\n"
            "c.execute('CREATE TABLE t (a)'); c.execute('INSERT INTO t VALUES (1)'); c.commit()"
        ),
    ],
)
def test_what_was_recorded_is_what_is_there(program: str, tmp_path: Path) -> None:
    """Whichever call it was made with."""
    (tmp_path / "before").write_text("was there", "utf-8")
    with recorded(tmp_path, program) as recording:
        disk = recording.disk()
        assert recording.records()
        for record in recording.records():
            disk.feed(record)
        assert recording.strayed(disk) is None
        assert disk.everything()[str(tmp_path / "before")] == b"was there"


@pytest.mark.parametrize(
    "program",
    [
        "f = open('f', 'w+b'); f.write(b'12345'); f.flush(); mmap.mmap(f.fileno(), 5)[0] = 65",
        "import subprocess; subprocess.run(['sh', '-c', 'echo x > f'], env={}, check=True)",
    ],
)
def test_what_is_written_past_the_recorder_is_noticed(program: str, tmp_path: Path) -> None:
    """Nothing is said then of what is on the disk."""
    with recorded(tmp_path, program) as recording:
        disk = recording.disk()
        for record in recording.records():
            disk.feed(record)
        assert recording.strayed(disk) == str(tmp_path / "f")


def test_without_a_compiler_it_is_said_that_nothing_was_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the verdict, which is none, and in `doctor`."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    finding = found(SyncedFileStore)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert str(finding.reason).startswith("a loss of power can't be tried here: it takes Linux and")
    (line,) = (one for one in doctor.examine() if "losing power" in one)
    assert line == "no   losing power: it takes Linux and a C compiler (cc)"


def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the last line of what it said."""
    broken = tmp_path / "broken-cc"
    broken.write_text("#!/bin/sh\necho no header >&2\nexit 1\n", "utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    assert power.compiler() == str(broken)
    with pytest.raises(NotRecordedError, match=r"broken-cc can't make the recorder: no header$"):
        Recording(str(tmp_path / "place"))


# the clause ---------------------------------------------------------------------------------------


def test_it_is_tried_at_the_effort_thorough_alone() -> None:
    """Otherwise it is counted as not applicable, with the way to have it tried."""
    finding = found(SyncedFileStore, NORMAL)
    assert finding.verdict is Verdict.NOT_APPLICABLE
    assert finding.reason == "is tried with --effort thorough alone"


@pytest.mark.slow
@pytest.mark.parametrize("store", [SyncedFileStore, SyncedRowsStore, SyncedJournalStore])
def test_a_store_that_syncs_is_not_accused(store: Any) -> None:
    """Files that are renamed, a rollback journal, lines with a sum."""
    finding = found(store)
    assert (finding.verdict, finding.headline) == (Verdict.HELD, None)
    assert str(finding.reason).startswith("the power failed at ")


@pytest.mark.soak
@pytest.mark.parametrize("store", [SyncedFileStore, SyncedRowsStore, SyncedJournalStore])
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_store_that_syncs_is_never_accused(store: Any, seed: int) -> None:
    """At as many points as the effort thorough tries."""
    assert found(store, MANY_POINTS, seed).verdict is Verdict.HELD


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("store", [TrustsTheEndOfALine, RewritesInPlace])
def test_half_a_write_is_found(store: Any, seed: int) -> None:
    """It takes the points that the effort thorough tries."""
    assert found(store, MANY_POINTS, seed).verdict is Verdict.VIOLATED
