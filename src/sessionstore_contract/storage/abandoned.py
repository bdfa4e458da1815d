"""Whether what a process has left behind is nobody's any more: told for certain, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

KEEPER = "sessionstore-contract.keeper"
"""The label of a container: the process that removes it at the end."""


def this_process() -> str:
    """Name this process as no other is named, on this machine or another."""
    return _named(os.getpid())


def is_abandoned(process: str) -> bool:
    """Whether the process of that name ran on this machine, since it was started, and is gone.

    What can't be told is not abandoned: a process of another machine, of another container, of
    one whose processes are hidden, and any process where there is no /proc.
    """
    machine, _, rest = process.partition(" ")
    number = rest.partition(" ")[0]
    if not machine or machine != _machine() or not number.isdigit():
        return False
    return _named(int(number)) != process


def _named(number: int) -> str:
    return f"{_machine()} {number} {_started_at(number)}"


def _machine() -> str:
    """The machine since it was started, and which of its processes are seen from here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started_at(number: int) -> str:
    try:
        # The name of the program, in brackets, may hold anything.
        state, *rest = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "gone"
    # Ended, and nobody has asked how: that may go on for as long as the machine runs.
    return "gone" if state in "ZX" else rest[18]
