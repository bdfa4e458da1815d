"""The baseline: read strictly, and what it makes of a finding."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sessionstore_contract import catalogue
from sessionstore_contract.baseline import Baseline, BaselineError, Entry, load, parse
from sessionstore_contract.verdict import Finding, Verdict

MERGE = "cost.merge-is-shallow"
(CLAUSE,) = catalogue.select([MERGE])
(OTHER,) = catalogue.select(["cost.last-write-wins"])
TODAY = date(2027, 1, 31)
WHOLE = f"""
# what we know of
[[admitted]]
clause = "{MERGE}"
backend = "mine"
reason = "the column is merged by json_patch"
link = "https://example.org/12"
expires = 2027-01-31
sometimes = true
"""


def baseline(*entries: Entry) -> Baseline:
    return Baseline("b.toml", entries, TODAY)


def finding(verdict: Verdict = Verdict.VIOLATED) -> Finding:
    return Finding(CLAUSE, verdict, headline="update merges nested objects")


def test_an_entry_has_a_reason_and_what_is_known_besides(tmp_path: Path) -> None:
    """All that can be said is read."""
    path = tmp_path / "b.toml"
    path.write_text(WHOLE)
    (entry,) = load(path).entries

    assert entry == Entry(
        MERGE,
        "the column is merged by json_patch",
        "mine",
        "https://example.org/12",
        TODAY,
        sometimes=True,
    )
    assert entry.worded() == (
        "the column is merged by json_patch (https://example.org/12; until 2027-01-31)"
    )


def test_an_empty_baseline_admits_nothing(tmp_path: Path) -> None:
    """A file with comments alone is one."""
    path = tmp_path / "b.toml"
    path.write_text("# nothing yet\n")

    assert load(path) == Baseline(str(path))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("admitted", "not TOML: Expected '=' after a key"),
        ("[x]\n", "no table 'x' in a baseline; there are admitted"),
        ("[[admited]]\n", "no table 'admited' in a baseline; did you mean admitted?"),
        ("admitted = 3", "admitted is not a list of tables: write [[admitted]]"),
        ("[admitted]\n", "admitted is not a list of tables"),
        ("admitted = [1]", "admitted is not a list of tables"),
        ("[[admitted]]\n", "entry 1: no clause is named"),
        ('[[admitted]]\nclause = "cost.merge-is-shalow"', "did you mean cost.merge-is-shallow"),
        ('[[admitted]]\nclause = "\\u001b[31m"', r"entry 1: no clause '\x1b[31m'"),
        (f'[[admitted]]\nclause = "{MERGE}"', f"no reason is given for {MERGE}"),
        (f'[[admitted]]\nclause = "{MERGE}"\nreason = " "', "no reason is given for"),
        ('[[admitted]]\nraison = "x"', "entry 1: no key 'raison'; did you mean reason?"),
        ("[[admitted]]\nreason = 7", "entry 1: reason is 7, not a text"),
        ('[[admitted]]\nexpires = "2027-01-31"', "not a date, written like 2027-01-31"),
        ("[[admitted]]\nexpires = 2027-01-31T00:00:00", "expires is datetime.datetime("),
        ("[[admitted]]\nsometimes = 1", "sometimes is 1, not true or false"),
        (WHOLE * 2, f"{MERGE} of 'mine' is admitted twice"),
        ("\ufeff[[admitted]]", "not TOML"),
        ("a = " + "[" * 100_000, "b.toml: not"),
        ("a = '\x00'", "not TOML"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    """It names the file, the entry, the value, and the nearest that can."""
    path = tmp_path / "b.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BaselineError) as caught:
        load(path)

    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert line in said
    assert said.isprintable()


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """There is none, it is a folder, or it is no text."""
    (tmp_path / "latin").write_bytes(b"# caf\xe9\n")
    for name, line in (
        ("none", "No such file or directory"),
        ("", "Is a directory"),
        ("latin", "not in UTF-8"),
    ):
        with pytest.raises(BaselineError, match=line):
            load(tmp_path / name)


def test_clauses_of_every_contract_can_be_admitted() -> None:
    """One file serves a store, a platform and a chat server."""
    ids = [MERGE, "wire.delete-before", catalogue.TURN.clauses[0].id]

    assert [one.clause for one in parse(_text(ids), "b.toml")] == ids


def _text(ids: list[str]) -> str:
    return "".join(f'[[admitted]]\nclause = "{one}"\nreason = "r"\n' for one in ids)


def test_a_violation_that_is_listed_is_admitted() -> None:
    """The reason goes with it, and what shows it stays."""
    judged = baseline(Entry(MERGE, "known", link="l")).judged(finding(), "mine")

    assert (judged.verdict, judged.reason) == (Verdict.ADMITTED, "known (l)")
    assert judged.headline == "update merges nested objects"


def test_what_names_the_backend_goes_first() -> None:
    """An entry without a backend is about all the others."""
    both = baseline(Entry(MERGE, "of all"), Entry(MERGE, "of mine", "mine"))

    assert both.judged(finding(), "mine").reason == "of mine"
    assert both.judged(finding(), "yours").reason == "of all"
    assert baseline(Entry(MERGE, "r", "mine")).judged(finding(), "yours") == finding()


def test_a_clause_that_holds_again_makes_the_baseline_stale() -> None:
    """The verdict on the store is what it is; the baseline is told."""
    for entry, out in ((Entry(MERGE, "r"), "name in it the backend"), (Entry(MERGE, "r", "m"), "")):
        judged = baseline(entry).judged(finding(Verdict.HELD), "m")
        assert judged.verdict is Verdict.HELD
        assert judged.is_stale
        assert "the baseline is stale: it admits this clause" in str(judged.reason)
        assert out in str(judged.reason)


def test_what_is_violated_sometimes_may_hold() -> None:
    """A race does not show in every run."""
    judged = baseline(Entry(MERGE, "r", sometimes=True)).judged(finding(Verdict.HELD), "mine")

    assert not judged.is_stale
    assert judged.reason == "held this time; admitted: r"


def test_an_entry_admits_until_its_last_day() -> None:
    """From the next one on the violation counts, and says what has expired."""
    last = baseline(Entry(MERGE, "r", expires=TODAY))
    assert last.judged(finding(), "mine").verdict is Verdict.ADMITTED

    gone = baseline(Entry(MERGE, "r", expires=date(2027, 1, 30))).judged(finding(), "mine")
    assert gone.verdict is Verdict.VIOLATED
    assert gone.reason == "b.toml admitted it until 2027-01-30: r"


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.FAULTED, Verdict.NOT_APPLICABLE])
def test_what_is_not_found_out_is_not_admitted(verdict: Verdict) -> None:
    """It stays what it is, and is said aloud; the clause next to it is left alone."""
    said = baseline(Entry(MERGE, "r"))
    found = Finding(CLAUSE, verdict, reason="because")

    assert said.judged(found, "mine") == found
    (remark,) = said.remarks("mine", [found])
    assert remark == f"b.toml admits {MERGE}, not found out: because"
    assert list(said.remarks("mine", [finding(Verdict.ADMITTED)])) == []
    assert said.judged(Finding(OTHER, Verdict.HELD), "mine") == Finding(OTHER, Verdict.HELD)


def test_what_is_about_others_is_said() -> None:
    """A backend that was not tried is named, with the nearest that was."""
    said = baseline(Entry(MERGE, "r", "sqlit"), Entry("wire.delete-before", "r"))

    (remark,) = said.elsewhere(["sqlite", "postgres"])
    assert remark.startswith(f"b.toml admits {MERGE} of 'sqlit', which was not tried; did you mean")
    (remark,) = said.remarks("sqlite", [finding()])
    assert remark == (
        "b.toml admits wire.delete-before, not found out: the clause is of another contract"
    )


def test_what_another_defect_keeps_from_a_verdict_can_be_admitted() -> None:
    """Where the entry says so, and only that: a violation and what was never tried are not."""
    said = baseline(Entry(MERGE, "r", undecided=True))
    found = Finding(CLAUSE, Verdict.INCONCLUSIVE, reason="see delete", owner="delete")

    judged = said.judged(found, "mine")
    assert (judged.verdict, judged.reason) == (Verdict.ADMITTED, "undecided: see delete; r")
    untried = Finding(CLAUSE, Verdict.INCONCLUSIVE, reason="not selected to be tried")
    assert said.judged(untried, "mine") == untried
    violated = said.judged(finding(), "mine")
    assert violated.verdict is Verdict.VIOLATED
    assert violated.reason == "b.toml admits that it is undecided, not that it is violated"
    assert said.judged(finding(Verdict.HELD), "mine").is_stale
