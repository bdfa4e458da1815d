"""A storage of an author's own, closed when the process that used it ends."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODULE = """
from contextlib import contextmanager
from pathlib import Path
from reference_backends.null import NullSessionStore
from sessionstore_contract import Backend, contract_tests

class Own:
    name = "own"
    @contextmanager
    def fresh(self):
        yield "place"
    def server(self):
        return None
    def close(self):
        with Path("closed.txt").open("a") as file:
            file.write("closed\\n")

def open_null(place):
    return NullSessionStore()

NULL = Backend("own", open=open_null, storage=Own(), profile="ephemeral")
test_null = contract_tests(NULL, clauses="ephemeral.*")
"""


def test_pytest_closes_it_once(pytester: pytest.Pytester) -> None:
    """At the end of the session, for nobody else knows when that is."""
    pytester.makepyfile(test_own=MODULE)

    outcome = pytester.runpytest_subprocess("-p", "no:xdist", "-p", "no:asyncio")

    assert outcome.parseoutcomes() == {"passed": 2}
    assert (pytester.path / "closed.txt").read_text() == "closed\n"


def test_the_command_closes_it_in_each_process(tmp_path: Path) -> None:
    """The processes that try clauses end without another word."""
    (tmp_path / "own.py").write_text(MODULE, encoding="utf-8")
    command = [sys.executable, "-m", "sessionstore_contract", "run", "own:NULL", "-n", "1"]

    subprocess.run([*command, "--clause", "ephemeral.*"], check=False, cwd=tmp_path, timeout=60)

    assert (tmp_path / "closed.txt").read_text() == "closed\n"
