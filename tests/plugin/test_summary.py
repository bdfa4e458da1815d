"""What pytest's summary says of defects, whatever a store has answered."""

from __future__ import annotations

from types import SimpleNamespace

from sessionstore_contract import catalogue
from sessionstore_contract.plugin.summary import LONGEST_DIAGNOSIS, lines_of
from sessionstore_contract.verdict import Finding, Verdict

EVIL = "<script>\x1b[2J\x07\ud800\u202e\r\n::error::%0A"


def reported(clause_id: str, headline: str, backend: str = "mine") -> SimpleNamespace:
    (clause,) = catalogue.select([clause_id])
    finding = Finding(clause, Verdict.VIOLATED, headline=headline)
    return SimpleNamespace(
        nodeid=f"tests/test_it.py::test_mine[{clause_id}]",
        sessionstore_found={"backend": backend, **finding.packed()},
    )


def test_nothing_that_a_store_says_acts_on_the_terminal() -> None:
    """Each is one line, without control characters, surrogates and changes of direction."""
    lines = list(lines_of([reported("cost.merge-is-shallow", EVIL, EVIL)]))

    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert r"<script>\x1b[2J\x07\ud800\u202e\r\n::error::" in lines[1]


def test_ten_megabytes_are_cut() -> None:
    """The failure itself has more of it."""
    lines = list(lines_of([reported("cost.merge-is-shallow", EVIL * 500_000)]))

    assert max(map(len, lines)) < LONGEST_DIAGNOSIS * 8
