"""What is generated is current."""

from __future__ import annotations

from pathlib import Path

from sessionstore_contract import catalogue, turn, turn_catalogue
from sessionstore_contract.contract import CLAUSES

CONTRACT = Path(__file__).parent.parent / "docs" / "contract.md"
TURN = CONTRACT.with_name("turn.md")


def test_the_page_of_the_contract_is_current() -> None:
    """`make docs` writes it."""
    assert CONTRACT.read_text(encoding="utf-8") == catalogue.page()


def test_the_page_of_the_turn_contract_is_current() -> None:
    """`make docs` writes it."""
    assert TURN.read_text(encoding="utf-8") == turn_catalogue.page()


def test_every_clause_on_turns_is_explained_within_80_columns() -> None:
    """Sentence, reason and remedy are there, and to which systems it applies."""
    for clause in turn.CLAUSES:
        text = turn_catalogue.explain(clause)
        assert text.startswith(f"{clause.level.upper()} {clause.id}\n")
        assert "\napplies\n  to " in text
        assert all(len(line) <= 80 for line in text.splitlines() if ".py:" not in line)


def test_every_clause_is_explained_within_80_columns() -> None:
    """Sentence, reason and remedy are there, and only the path of the procedure is longer."""
    for clause in CLAUSES:
        text = catalogue.explain(clause)
        assert text.startswith(f"{clause.level.upper()} {clause.id}\n")
        assert "\nbecause\n" in text
        assert "\nto hold it\n" in text
        assert "\nwhat a store that does not hold it is told\n  " in text
        assert all(len(line) <= 80 for line in text.splitlines() if ".py:" not in line)
