"""What a run says of itself while it goes on: a line for each backend, and a count where it can."""

from __future__ import annotations

import os
import time
from typing import TextIO

from ..values import printable

INTERVAL = 0.1
"""Seconds between two counts, at the least."""


class Progress:
    """Tells how far a run has come; on a terminal by a count that is overwritten."""

    def __init__(self, stream: TextIO, *, is_quiet: bool = False) -> None:
        self._stream = stream
        self._is_quiet = is_quiet
        self._counts = stream.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}
        self._name, self._total, self._done = "", 0, 0
        self._began = self._told = 0.0
        self._is_counting = False

    def say(self, line: str) -> None:
        """Say what is no progress; it is said aloud in any case."""
        self._write(f"{printable(line)}\n")

    def begin(self, name: str, total: int) -> None:
        """Begin with a backend, on which so many clauses are tried."""
        self._name, self._total, self._done = printable(name), total, 0
        self._began = time.monotonic()
        if not self._is_quiet:
            self._write(f"{self._name}: trying {total} clause{'s'[: total != 1]}\n")

    def step(self) -> None:
        """One clause has its verdict."""
        self._done += 1
        now = time.monotonic()
        if self._counts and not self._is_quiet and now >= self._told + INTERVAL:
            self._told = now
            self._is_counting = True
            self._write(f"\r\x1b[K{self._name}: {self._done} of {self._total}")

    def end(self, conclusion: str) -> None:
        """All clauses of the backend have theirs."""
        self.clear()
        if not self._is_quiet:
            took = time.monotonic() - self._began
            self._write(f"{self._name}: {conclusion}, {took:.1f} s\n")

    def clear(self) -> None:
        """Take away a count that is standing there, also where a run was stopped."""
        if self._is_counting:
            self._is_counting = False
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
