"""The command `serve` as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "sessionstore_contract", "serve"]


@dataclass
class Service:
    """A process that serves, and where."""

    process: subprocess.Popen[str]
    url: str
    said: str

    def stop(self) -> int:
        """Ask it to stop, and answer its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def resident(self) -> int:
        """Answer how many KiB it and its workers hold in memory."""
        return sum(map(_resident, [self.process.pid, *children_of(self.process.pid)]))


def _resident(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8"))
    assert found is not None
    return int(found[1])


def children_of(pid: int) -> list[int]:
    """Answer the processes that a process has started and that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text("utf-8").rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended meanwhile
        # One that has ended stays in the list until its parent asks for it, and a parent that waits
        # for its children in a row asks for none while the first of them runs.
        if int(parent) == pid and state != "Z":
            found.append(int(path.parent.name))
    return found


@contextmanager
def service(*arguments: str, **environment: str) -> Iterator[Service]:
    """Serve on a free port, until the test ends."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            said = process.stdout.readline()
            found = re.search(r"http://\S+", said)
            assert found is not None, said
            yield Service(process, found[0], said)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
