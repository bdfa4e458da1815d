"""What is printed costs no verdict, whatever becomes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = f"{sys.executable} -m sessionstore_contract"

FULL = Path("/dev/full")


def ran(script: str, *, is_buffered: bool = True) -> subprocess.CompletedProcess[str]:
    """Have the shell run it; `$S` is the command."""
    environment = {**os.environ, "S": COMMAND, "PYTHONUNBUFFERED": "" if is_buffered else "1"}
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.parametrize("is_buffered", [True, False], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("command", "code"), [("list", 0), ("run memory -q", 0), ("run nothing", 2)]
)
def test_a_reader_that_goes_changes_no_exit_code(
    command: str, code: int, *, is_buffered: bool
) -> None:
    """`head` takes what it wants; with `pipefail` the verdict is still the run's."""
    done = ran(f"$S {command} 2>&1 | true; exit ${{PIPESTATUS[0]}}", is_buffered=is_buffered)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("is_buffered", [True, False], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("command", ["list", "run null -q", "explain cost.starts-empty"])
def test_output_that_can_not_be_written_is_told_in_one_line(
    command: str, *, is_buffered: bool
) -> None:
    """It is no verdict, and no traceback."""
    done = ran(f"$S {command} > {FULL}", is_buffered=is_buffered)
    assert done.returncode == 2
    assert done.stderr == "sessionstore-contract: standard output: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize(("command", "code"), [("run null", 0), ("run nothing", 2)])
def test_nobody_is_told_that_nobody_can_be_told(command: str, code: int) -> None:
    """Progress and mistakes go to standard error, which may be full as well."""
    done = ran(f"$S {command} 2> {FULL}")
    assert done.returncode == code
