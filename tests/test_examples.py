"""Examples and findings hang together; `make examples` and `make downstream` try them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from downstream import findings
from sessionstore_contract import catalogue

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_project_whose_tests_are_a_few_lines(example: Path) -> None:
    """It names what it needs, ships its store, and is tried by `make examples`."""
    project = tomllib.loads((example / "pyproject.toml").read_text(encoding="utf-8"))
    (module,) = project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"]
    (tests,) = example.glob("tests/test_*.py")

    assert (example / module).is_file()
    assert (example / "README.md").read_text(encoding="utf-8").startswith("# ")
    assert len(tests.read_text(encoding="utf-8").splitlines()) <= 25
    needed = " ".join(project["dependency-groups"]["test"])
    assert "sessionstore-contract" in needed
    assert example.name in (ROOT / "tools" / "examples.sh").read_text(encoding="utf-8")


def test_the_page_of_findings_is_current() -> None:
    """`python downstream/findings.py` writes it."""
    assert findings.PAGE.read_text(encoding="utf-8") == findings.page()


def test_every_finding_has_a_program_and_names_a_clause() -> None:
    """And there is no program for nothing."""
    expected = findings.expected()
    used = {program for store in expected for program in store.findings.values()}
    clauses = {clause for store in expected for clause in store.findings}

    assert used == set(findings.what_programs_show())
    contracts = (catalogue.STORE, catalogue.TURN)
    assert clauses <= {one.id for contract in contracts for one in contract.clauses}
    assert not any(set(store.violated) & set(store.sometimes) for store in expected)
