"""Recording what one process does to the files of a place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .disk import Disk
from .journal import Record, records

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).with_name("recorder.c")
FOLDER = "SESSIONSTORE_POWER_FOLDER"
JOURNAL = "SESSIONSTORE_POWER_JOURNAL"
COMPILING = 60
"""Seconds for a compiler to come back."""


class NotRecordedError(Exception):
    """Files can't be recorded; one line that says why, and the way out."""


def compiler() -> str | None:
    """Find a C compiler; None where there is none, or where it would be of no use."""
    if not sys.platform.startswith("linux"):
        return None
    named = os.environ.get("CC")
    candidates = [*([named] if named else []), "cc", "gcc", "clang"]
    return next(filter(None, map(shutil.which, candidates)), None)


class Recording:
    """What a process does to the files in a folder; it is begun with `environment`."""

    def __init__(self, place: str) -> None:
        """Make the recorder, and take what is at the place now for certain.

        Raises:
            NotRecordedError: this is not Linux, or there is no C compiler.
        """
        path = Path(place).resolve()
        self.folder = path if path.is_dir() else path.parent
        self._own = Path(tempfile.mkdtemp(prefix="sessionstore-power-"))
        try:
            self._library = _compiled(self._own)
            self._disk = Disk(self.folder)
        except BaseException:
            self.close()
            raise

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process is started with to be recorded."""
        before = os.environ.get("LD_PRELOAD")
        return {
            "LD_PRELOAD": f"{self._library}:{before}" if before else str(self._library),
            FOLDER: str(self.folder),
            JOURNAL: str(self.journal),
        }

    @property
    def journal(self) -> Path:
        """Where the process writes what it does."""
        return self._own / "journal"

    @property
    def is_running(self) -> bool:
        """Whether a process was started that is recorded."""
        return self.journal.exists()

    def position(self) -> int:
        """Answer where the journal ends by now."""
        return self.journal.stat().st_size

    def records(self) -> list[Record]:
        """Read the journal."""
        return list(records(self.journal.read_bytes()))

    def disk(self) -> Disk:
        """Answer the disk as it was at the beginning; once, for it changes when it is fed."""
        return self._disk

    def strayed(self, disk: Disk) -> str | None:
        """Name a file that was written past the recorder; None where all is as it was recorded.

        The disk has been fed the whole journal, and nobody writes any more.
        """
        mapped = disk.mapped()
        if mapped:
            return mapped[0]
        recorded = disk.everything()
        for name, content in recorded.items():
            path = Path(name)
            if not path.is_file() or path.read_bytes() != content:
                return name
        real = {str(path) for path in self.folder.rglob("*") if path.is_file()}
        left = sorted(name for name in real - set(recorded) if not name.endswith("-shm"))
        return left[0] if left else None

    def close(self) -> None:
        """Remove the recorder and its journal."""
        shutil.rmtree(self._own, ignore_errors=True)


def _compiled(folder: Path) -> Path:
    found = compiler()
    if found is None:
        raise NotRecordedError(
            "a loss of power can't be tried here: it takes Linux and a C compiler (cc), or do not "
            "claim power-loss"
        )
    library = folder / "recorder.so"
    command = [found, "-shared", "-fPIC", "-O1", "-pthread", "-o", str(library), str(SOURCE)]
    try:
        subprocess.run(  # noqa: S603 - the compiler of this machine, on our own source
            command, check=True, capture_output=True, text=True, timeout=COMPILING
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        last = said[-1] if said else "it said nothing"
        raise NotRecordedError(
            f"a loss of power can't be tried here: {found} can't make the recorder: {last}"
        ) from None
    return library
