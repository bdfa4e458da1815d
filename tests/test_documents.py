"""What is generated is current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sessionstore_contract import catalogue
from sessionstore_contract.pages import pages

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("contract", catalogue.CONTRACTS.values(), ids=lambda one: one.name)
def test_the_page_of_a_contract_is_current(contract: catalogue.Contract) -> None:
    """`make docs` writes it."""
    name = {"store": "contract"}.get(contract.name, contract.name)
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == catalogue.page(contract)


def test_every_clause_is_explained_within_80_columns() -> None:
    """Sentence, reason and remedy are there, and only the path of the procedure is longer."""
    for clause in catalogue.select((), contract=None):
        text = catalogue.explain(clause)
        assert text.startswith(f"{clause.level.upper()} {clause.id}\n")
        assert "\napplies\n  " in text
        assert "\nbecause\n" in text
        assert "\nto hold it\n" in text
        held = {"wire": "platform", "turn": "system"}.get(clause.area, "store")
        assert f"\nwhat a {held} that does not hold it is told\n  " in text
        assert all(len(line) <= 80 for line in text.splitlines() if ".py:" not in line)


def test_what_is_generated_in_a_page_is_current() -> None:
    """The command line, the tables of claims, the index; `make docs` writes them."""
    for path, text in pages(DOCS):
        assert path.read_text(encoding="utf-8") == text, path.name


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda one: one.name)
def test_every_page_can_be_found_and_leads_somewhere(path: Path) -> None:
    """The index names it, and what it links to in the repository is there."""
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert path.name == "README.md" or f"]({path.name})" in index

    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [one for one in links if not (path.parent / one).exists()] == []


def test_every_option_on_the_command_line_is_explained() -> None:
    """Whoever adds one says what it does."""
    page = (DOCS / "cli.md").read_text(encoding="utf-8")

    assert [one for one in page.splitlines() if re.search(r"` \| +\|$", one)] == []
