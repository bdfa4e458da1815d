"""Ctrl-C before anything was found out ends the command in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract.stopping import INTERRUPTED

if TYPE_CHECKING:
    from pathlib import Path

INTERRUPTING = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(9): pass\n"


def ended(*arguments: str, folder: Path, ignored: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command where modules of the folder come first."""
    return subprocess.run(
        [sys.executable, "-m", "sessionstore_contract", *arguments],
        env={**os.environ, "PYTHONPATH": str(folder)},
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_imports_of_the_command_can_be_interrupted(tmp_path: Path) -> None:
    """They take most of a second on a busy machine, and nothing listens yet."""
    (tmp_path / "click.py").write_text(f"{INTERRUPTING}raise SystemExit('imported')")
    done = ended("list", folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        INTERRUPTED,
        "sessionstore-contract: interrupted\n",
    )


def test_what_ignores_interrupts_goes_on_ignoring_them(tmp_path: Path) -> None:
    """As in the background of a shell."""
    (tmp_path / "click.py").write_text(f"{INTERRUPTING}raise SystemExit('imported')")
    assert ended("list", folder=tmp_path, ignored=True).stderr == "imported\n"


@pytest.mark.parametrize(
    "command", [("turn",), ("init", "--yes"), ("bench", "--quick")], ids=lambda one: str(one[0])
)
def test_the_import_of_a_target_can_be_interrupted(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    """Where it is imported in the process of the command."""
    (tmp_path / "interrupting.py").write_text(INTERRUPTING)
    done = ended(*command, "interrupting:Store", folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        INTERRUPTED,
        "sessionstore-contract: interrupted\n",
    )
