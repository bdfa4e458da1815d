"""The README shows what the kit says today."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reference_backends
from sessionstore_contract.capabilities import profile_of
from sessionstore_contract.clause import Level
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.defects import DEFECTS
from sessionstore_contract.effort import NORMAL

from .plugin.test_door import PROJECT

if TYPE_CHECKING:
    from sessionstore_contract import Backend

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = (
    reference_backends.NULL,
    reference_backends.MEMORY,
    reference_backends.SQLITE,
    reference_backends.POSTGRES,
    reference_backends.HTTP,
)
CLAUSE = "messages.save-keeps-cost-data"


def without_ids(text: str) -> str:
    return re.sub(r"'[0-9a-f]{32}'", "'<id>'", text)


def test_the_failure_is_a_real_one(tmp_path: Path) -> None:
    """The block is what a store with INSERT OR REPLACE is told, but for the ids."""
    (tmp_path / "test_it.py").write_text(PROJECT)
    shown = README.partition("<!-- failure -->\n```\n")[2].partition("\n```\n")[0]
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:schemathesis",
            "-k",
            CLAUSE,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert shown
    assert without_ids(shown) in without_ids(result.stdout)


def test_the_example_is_a_program() -> None:
    """It compiles, and takes only names that the package has."""
    example = README.partition("```python\n")[2].partition("```")[0]
    compile(example, "README.md", "exec")
    names = re.findall(r"^from sessionstore_contract import (.+)$", example, re.MULTILINE)[0]
    package = __import__("sessionstore_contract")
    assert all(hasattr(package, name.strip()) for name in names.split(","))


def test_the_numbers_of_clauses_are_right() -> None:
    """They are counted, not remembered."""
    musts = sum(clause.level is Level.MUST for clause in CLAUSES)

    assert f"The contract has {len(CLAUSES)} clauses, {musts} of them MUST." in README


@pytest.mark.parametrize("backend", REFERENCE, ids=lambda one: one.name)
def test_the_table_of_the_reference_backends_is_right(backend: Backend) -> None:
    """Each clause is counted once, and what is not applicable is what is not claimed."""
    shown = README.partition("<!-- run -->\n```\n")[2].partition("\n```\n")[0]
    (line,) = (one for one in shown.splitlines() if one.startswith(f"{backend.name} "))
    *_, profile, held, violated, admitted, inconclusive, moot, verdict = line.split()
    inapplicable = [one for one in CLAUSES if one.missing(backend.capabilities, NORMAL) is not None]

    assert profile == profile_of(backend.capabilities)
    assert int(moot) == len(inapplicable)
    numbers = (held, violated, admitted, inconclusive, moot)
    assert sum(map(int, numbers)) == len(CLAUSES)
    assert verdict == "conformant"


def test_every_link_leads_somewhere() -> None:
    """To a file of the repository."""
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)", README)

    assert links
    assert [one for one in links if not (ROOT / one).exists()] == []


def test_what_a_proof_prints_is_what_it_says() -> None:
    """The lines that are shown come from a proof, and the defects are counted."""
    shown = README.partition("which clauses catch it:\n\n```\n")[2].partition("```")[0]
    command = [sys.executable, "-m", "sessionstore_contract", "prove", "memory"]
    result = subprocess.run(
        [*command, "--defect", "merge-goes-deep"], capture_output=True, text=True, check=False
    )

    assert shown
    # How many more clauses catch it grows with the contract.
    assert re.sub(r"\d+\n", "N\n", shown) in re.sub(r"\d+\n", "N\n", result.stdout)
    assert f"wraps {len(DEFECTS)} defects around your own store" in README
