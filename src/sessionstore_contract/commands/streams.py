"""Standard output and standard error that a command can rely on: printing costs it no verdict."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, TextIO


class OutputLostError(OSError):
    """Nothing more can be printed, and it was nobody's wish, as where a disk is full."""


class _Outlet(io.FileIO):
    """A descriptor that takes what is written to it, also once nobody reads it any more."""

    def __init__(self, stream: TextIO, *, is_told: bool) -> None:
        super().__init__(stream.fileno(), "w", closefd=False)
        self._stream = stream  # which would close the descriptor if nobody held it
        self._is_told = is_told
        self._is_lost = False

    def write(self, data: Any) -> int:
        # Nothing is written to find out what a stream takes; nobody would be told then.
        if data and not self._is_lost:
            try:
                return super().write(data) or 0
            except OSError as error:
                self._is_lost = True
                # A reader that has gone, as `head` does, has what it wanted.
                if self._is_told and not isinstance(error, BrokenPipeError):
                    raise OutputLostError(error.errno, os.strerror(error.errno or 0)) from None
        return memoryview(data).nbytes


def secure() -> None:
    """Make the streams of this process such that nothing that is printed ends it.

    Nobody is told that standard error can't be written; of standard output OutputLostError is
    raised, once, unless its reader has gone.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Else the next file that is opened would have its number, and be taken for it.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    sys.stdout = _secured(sys.stdout, is_told=True)
    sys.stderr = _secured(sys.stderr, is_told=False)


def _secured(stream: TextIO, *, is_told: bool) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    # What a terminal can't show is escaped.
    is_buffered = not isinstance(stream.buffer, io.FileIO)
    if is_buffered and not isinstance(getattr(stream.buffer, "raw", None), io.FileIO):
        stream.reconfigure(errors="backslashreplace")
        return stream
    stream.flush()
    outlet = _Outlet(stream, is_told=is_told)
    return io.TextIOWrapper(
        io.BufferedWriter(outlet) if is_buffered else outlet,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
