"""Whether what a process has left behind is nobody's any more: told for certain, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

KEEPER = "sessionstore-contract.keeper"
"""The label of a container: the process that removes it at the end."""


def this_process() -> str:
    """Name this process as no other is named, on this machine or another."""
    return f"{_machine()} {os.getpid()} {_started_at(os.getpid())}"


def is_abandoned(process: str) -> bool:
    """Whether the process of that name ran on this machine, since it was started, and is gone.

    What can't be told is not abandoned: a process of another machine, of another container, one
    that is hidden from this user, and any process where there is no /proc.
    """
    machine, *rest = process.split(" ")
    if not machine or machine != _machine() or len(rest) != 2 or not rest[0].isdigit():
        return False
    number, began = int(rest[0]), rest[1]
    found = _started_at(number)
    return not _exists(number) if found is None else found != began


def _machine() -> str:
    """The machine since it was started, and which of its processes are seen from here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started_at(number: int) -> str | None:
    """When a process began, `ended` when nobody has asked yet how; None: it is not seen."""
    try:
        # The name of the program, in brackets, may hold anything.
        state, *rest = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "ended" if state in "ZX" else rest[18]


def _exists(number: int) -> bool:
    """Whether there is such a process, be it hidden from this user."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
