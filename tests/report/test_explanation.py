"""One finding in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.report.explanation import explain, headline
from sessionstore_contract.verdict import Finding, Verdict

from .findings import INCONCLUSIVE, MERGE, VIOLATED

VIOLATION = """\
update merges nested objects

MUST cost.merges does not hold for mine:
  `update` replaces, whole, each top-level key it is given and leaves every
  other key as it was.

on a fresh store
  1  create()  ->  'sess_1'
  2  update('sess_1', cost_data={'turns': 1, 'usage': {'in': 3, 'out': 5}})  ->
     True
  3  get_cost_data('sess_1')  ->  {'turns': 1, 'usage': {'in': 9, 'out': 5}}

  demanded  {'turns': 1, 'usage': {'in': 9}}
  answered  {'turns': 1, 'usage': {'in': 9, 'out': 5}}

because
  The server sends only the keys that changed in a turn. Replacing all of it
  loses the earlier totals.

to fix it
  Merge one level deep inside one transaction. PostgreSQL: `cost_data || $1`."""

NO_VERDICT = """\
inconclusive: create() raised OSError: full: see lifecycle.creates

MUST cost.merges was not decided for mine:
  `update` replaces, whole, each top-level key it is given and leaves every
  other key as it was.

on a fresh store
  1  create()  ->  raised OSError: full"""


def test_a_violation_is_explained() -> None:
    """Diagnosis, sentence, history, demanded and answered, because, to fix it."""
    assert explain(VIOLATED, "mine") == VIOLATION


def test_a_clause_without_a_verdict_is_explained() -> None:
    """What kept it from a verdict comes first; nothing is to be fixed here."""
    assert explain(INCONCLUSIVE, "mine") == NO_VERDICT


def test_a_clause_that_held_is_explained() -> None:
    """It says so, with the remark that was made."""
    text = explain(Finding(MERGE, Verdict.HELD, reason="tried 3 of 5 rounds"), "mine")
    assert text.startswith("tried 3 of 5 rounds\n\nMUST cost.merges holds for mine:\n")


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (VIOLATED, "update merges nested objects"),
        (replace(VIOLATED, headline=None), "the clause does not hold"),
        (Finding(MERGE, Verdict.HELD), "held"),
        (Finding(MERGE, Verdict.FAULTED, reason="no server"), "faulted: no server"),
        (
            Finding(MERGE, Verdict.NOT_APPLICABLE, reason="needs shared"),
            "not-applicable: needs shared",
        ),
        (replace(VIOLATED, headline="a\x1b[31m\nb"), r"a\x1b[31m\nb"),
    ],
)
def test_a_finding_has_a_headline(finding: Finding, line: str) -> None:
    """One line says it, and holds nothing that a terminal acts on."""
    assert headline(finding) == line


def test_a_long_witness_is_shortened_in_the_middle() -> None:
    """The first and the last steps are shown under their numbers, and how many are not."""
    long = replace(VIOLATED, witness=tuple(f"load({n})  ->  []" for n in range(1, 101)))
    lines = explain(long, "mine").splitlines()
    first = lines.index("on a fresh store") + 1
    shown = lines[first : lines.index("", first)]
    assert len(shown) == 25
    assert shown[0] == "  1  load(1)  ->  []"
    assert shown[11:14] == [
        " 12  load(12)  ->  []",
        "     ... 76 more steps ...",
        " 89  load(89)  ->  []",
    ]
    assert shown[-1] == "100  load(100)  ->  []"


def test_a_program_is_shown_whole() -> None:
    """Its lines can be pasted: none is cut or wrapped."""
    program = (
        "session = await store.create()",
        f"assert await store.load(session) == ['{'x' * 5000}']",
    )
    text = explain(replace(VIOLATED, program=program), "mine")
    assert f"\n\nto play it again\n  {program[0]}\n  {program[1]}\n\nbecause\n" in text
    assert "to play it again" not in explain(VIOLATED, "mine")


def test_a_witness_of_the_longest_length_is_whole() -> None:
    """Nothing is left out to save one line."""
    whole = replace(VIOLATED, witness=tuple(f"load({n})" for n in range(24)))
    assert "more steps" not in explain(whole, "mine")


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_every_clause_is_explained_in_80_columns(clause: object) -> None:
    """No line but the headline is longer than a terminal is wide."""
    value = repr({"key": ["word " * 30, "x" * 200]})
    finding = replace(
        VIOLATED,
        clause=clause,  # type: ignore[arg-type]
        witness=(f"save({value})  ->  None",),
        demanded=value,
        answered=value,
    )
    lines = explain(finding, "mine").splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_what_a_store_says_can_not_act_on_a_terminal() -> None:
    """Wherever it stands, a control character is escaped; line breaks are the explanation's own."""
    evil = "\x1b[2J\x07\x9b"
    finding = replace(
        VIOLATED, headline=evil, witness=(evil,), demanded=evil, answered=evil, reason=evil
    )
    for verdict in Verdict:
        text = explain(replace(finding, verdict=verdict), evil)
        assert text.replace("\n", "").isprintable()
        assert r"\x1b[2J\x07\x9b" in text
