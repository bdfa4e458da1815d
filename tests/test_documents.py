"""What is generated is current."""

from __future__ import annotations

from pathlib import Path

from sessionstore_contract import catalogue, turn, turn_catalogue

DOCS = Path(__file__).parent.parent / "docs"


def test_the_pages_of_the_contracts_are_current() -> None:
    """`make docs` writes them."""
    assert (DOCS / "contract.md").read_text(encoding="utf-8") == catalogue.page()
    assert (DOCS / "wire.md").read_text(encoding="utf-8") == catalogue.page(catalogue.WIRE)


def test_the_page_of_the_turn_contract_is_current() -> None:
    """`make docs` writes it."""
    assert (DOCS / "turn.md").read_text(encoding="utf-8") == turn_catalogue.page()


def test_every_clause_on_turns_is_explained_within_80_columns() -> None:
    """Sentence, reason and remedy are there, and to which systems it applies."""
    for clause in turn.CLAUSES:
        text = turn_catalogue.explain(clause)
        assert text.startswith(f"{clause.level.upper()} {clause.id}\n")
        assert "\napplies\n  to " in text
        assert all(len(line) <= 80 for line in text.splitlines() if ".py:" not in line)


def test_every_clause_is_explained_within_80_columns() -> None:
    """Sentence, reason and remedy are there, and only the path of the procedure is longer."""
    for clause in catalogue.select((), contract=None):
        text = catalogue.explain(clause)
        assert text.startswith(f"{clause.level.upper()} {clause.id}\n")
        assert "\nbecause\n" in text
        assert "\nto hold it\n" in text
        held = "platform" if clause.area == "wire" else "store"
        assert f"\nwhat a {held} that does not hold it is told\n  " in text
        assert all(len(line) <= 80 for line in text.splitlines() if ".py:" not in line)
