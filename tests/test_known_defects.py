"""What is kept of the mutants, and shown of them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.known_defects import blanked, failure_of, known_defects
from sessionstore_contract.verdict import Finding, Verdict

from .known_defects import document, record, settled

MERGE, LAST = "cost.merge-is-shallow", "cost.last-write-wins"
BY_ID = {clause.id: clause for clause in CLAUSES}
ID = "4ab5b3f5a5c94fa2b1f6b2c41d0f9e5a"
VIOLATED = Finding(
    BY_ID[MERGE],
    Verdict.VIOLATED,
    headline=f"update of '{ID}' merges",
    witness=(
        f"create()  ->  '{ID}'",
        "create()  ->  'ybpTTbE93iat8oU0tG3Xiw'",
        f"delete_before(datetime.datetime(2031, 11, 3, 4, 5, 6, 789, tzinfo=UTC))  ->  '{ID}'",
        "create('joined \\U0001f469')  ->  UUID('1a8a339d-e379-4261-9870-c118290eae30')",
    ),
    demanded="{'at': '2031-11-24T14:49:12.015479+00:00', 'of': <object object at 0x7f0b4cec4ab0>}",
    answered="{'trace': '0123456789abcdef0123456789abcdef'}",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 of 20 stand", "N of N stand"),
        (f"load raised KeyError: '{ID}'", "load raised KeyError: 'ID'"),
        ("FileNotFoundError: '/tmp/x/y.json'", "FileNotFoundError: 'PATH'"),
        ("update merges nested objects", "update merges nested objects"),
    ],
)
def test_what_differs_from_run_to_run_is_blanked(text: str, expected: str) -> None:
    """The rest is the diagnosis."""
    assert blanked(text) == expected


def test_an_example_is_the_same_whatever_ids_and_times_were() -> None:
    """Each has a stand-in, the same in all places; what the clause itself gave stays."""
    shown = settled(VIOLATED)
    (first,) = re.findall(r"'([0-9a-f]{32})'", shown.witness[0])
    assert first != ID
    assert shown.headline == f"update of '{first}' merges"
    assert f"'{first}'" in shown.witness[2]
    assert "datetime.datetime(2026, 1, 3, tzinfo=UTC)" in shown.witness[2]
    assert "ybp" not in shown.witness[1]
    assert "1a8a339d" not in shown.witness[3]
    assert "joined \\U0001f469" in shown.witness[3], "no picture in a page"
    assert "2031" not in (shown.demanded or "")
    assert "7f0b4cec4ab0" not in (shown.demanded or "")
    assert shown.answered == VIOLATED.answered


def test_an_example_is_the_same_whatever_the_kit_drew_for_its_ids() -> None:
    """Also where the store has made another id of it: what is written anew does not change."""

    def shown(mark: str) -> Finding:
        given = f"given-1-{mark}"
        witness = (f"create('{given}')  ->  'given1{mark}'", f"load('{given} 0123')  ->  None")
        headline = f"create answers 'given1{mark}', not '{given}'"
        return settled(replace(VIOLATED, headline=headline, witness=witness))

    assert shown("81b42fb29e63") == shown("1f41f29a3d8c")
    assert "81b42fb29e63" not in "".join(shown("81b42fb29e63").witness)


def test_the_record_of_a_mutant_is_its_defect_and_all_that_it_breaks() -> None:
    """What held is not in it."""
    other = Finding(BY_ID[LAST], Verdict.VIOLATED, headline="1 of 20")
    held = Finding(BY_ID["cost.starts-empty"], Verdict.HELD)
    assert record("cost.It", MERGE, [VIOLATED, other, held])["defect"] == {
        "clause": MERGE,
        "headline": "update of 'ID' merges",
        "consequences": {LAST: "N of N"},
    }


def test_the_shortest_failure_of_a_clause_is_kept() -> None:
    """Defects are in the order of their names."""
    made = [
        {
            "name": f"{name}.{clause.id}",
            "defect": {"clause": clause.id},
            "steps": len(lines),
            "failure": lines,
        }
        for clause in CLAUSES
        for name, lines in (("b", ["long", "er"]), ("a", ["short"]))
    ]
    said = document(made)
    assert list(said["defects"]) == sorted(said["defects"])
    assert set(map(tuple, said["failures"].values())) == {("short",)}


def test_every_known_defect_has_a_diagnosis_of_its_own_clause() -> None:
    """None is its own consequence, and every clause has a failure to show."""
    for known in known_defects():
        assert known.headline
        assert known.clause not in known.consequences
    assert all(failure_of(clause.id) for clause in CLAUSES)
    assert failure_of("no.such-clause") == []
