"""A proof on a terminal, where it reads at 80 columns, and as JSON."""

from __future__ import annotations

import io

from rich.console import Console

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.defects import DEFECTS, Defect, select
from sessionstore_contract.proof import DefectReport, Proof
from sessionstore_contract.report.matrix import document, show
from sessionstore_contract.verdict import Finding, Verdict

(DEEP,) = select(["merge-goes-deep"])
FOLDS = next(one for one in CLAUSES if one.id == "cost.folds-like-a-dict")
LONG = "get_cost_data answers {'turns': 1, 'usage': {'in': 9, 'out': 5}}, not {'turns': 1}"


def caught(defect: Defect, headline: str, *others: Finding) -> DefectReport:
    first = Finding(defect.clause, Verdict.VIOLATED, headline=headline)
    findings = {one.clause: one for one in (first, *others)}
    return DefectReport(defect, tuple(findings), findings=findings)


def survivor(defect: Defect) -> DefectReport:
    held = Finding(defect.clause, Verdict.HELD)
    return DefectReport(defect, (defect.clause,), findings={defect.clause: held})


def proof(*reports: DefectReport, target: str = "pkg:Mine", name: str = "mine") -> Proof:
    return Proof(target, 7, "quick", name=name, defects=list(reports), duration=1.23)


def shown(of: Proof, width: int = 80) -> str:
    out = io.StringIO()
    show(of, Console(file=out, width=width))
    return out.getvalue()


def test_a_caught_defect_takes_two_lines_at_80_columns() -> None:
    """Its name and how many more clauses catch it; then the first one with its headline."""
    other = Finding(FOLDS, Verdict.VIOLATED, headline="{} comes back as {'a': 1}")

    assert shown(proof(caught(DEEP, "update merges nested objects", other))) == (
        "caught    merge-goes-deep  +1\n"
        "          cost.merge-is-shallow: update merges nested objects\n"
        "\n"
        "mine: 1 of 1 defects are caught\n"
        "seed 7, effort quick, 1.2 s\n"
    )


def test_a_wide_terminal_has_a_line_for_each() -> None:
    """One defect under the other, as a table."""
    first = shown(proof(caught(DEEP, "update merges nested objects")), width=120).splitlines()[0]

    assert first == (
        "caught    merge-goes-deep  cost.merge-is-shallow: update merges nested objects"
    )


def test_no_line_of_the_matrix_is_longer_than_the_terminal() -> None:
    """Whatever the defect is called and the clause says."""
    reports = [caught(one, LONG) for one in DEFECTS]
    for width in (60, 80, 100):
        matrix = shown(proof(*reports), width).partition("\n\n")[0]
        assert max(map(len, matrix.splitlines())) <= width


def test_a_survivor_comes_before_all_that_was_caught() -> None:
    """With its sentence, what its clause said, and how it is tried again."""
    lines = shown(proof(caught(DEFECTS[0], "update answers integer"), survivor(DEEP))).splitlines()

    assert lines[:4] == [
        "survived  merge-goes-deep",
        "          `update` merges nested objects.",
        "          cost.merge-is-shallow is meant to name it, and is held",
        "          sessionstore-contract prove pkg:Mine --defect merge-goes-deep --seed 7",
    ]
    assert lines[4].startswith("caught")
    assert "mine: 1 of 2 defects are caught, 1 survived" in lines


def test_the_command_that_tries_again_has_what_was_claimed() -> None:
    """Copied to a shell it asks for the same."""
    of = proof(survivor(DEEP))
    of.options = ("--storage", "postgres", "--without", "cost-read,shared")

    assert (
        "prove pkg:Mine --storage postgres --without cost-read,shared --defect merge-goes-deep"
    ) in shown(of)


def test_what_was_left_out_is_told() -> None:
    """Clauses that the backend breaks by itself, and defects that can't be seen on it."""
    of = proof(caught(DEEP, "x"), DefectReport(DEFECTS[0], inapplicable="needs flying"))
    of.control = [Finding(FOLDS, Verdict.VIOLATED, headline="it does not fold")]
    of.notes = ["multi-process is left out"]
    lines = shown(of).splitlines()

    assert lines[-4:-1] == [
        "mine: 1 of 1 defects are caught; 1 can't be seen with what is claimed",
        "multi-process is left out",
        "without a defect these are not seen to hold, and so catch nothing: cost.folds-like-a-dict",
    ]
    worded = document(of)["proof"]
    assert worded["left_out"] == [
        {"clause": "cost.folds-like-a-dict", "verdict": "violated", "reason": "it does not fold"}
    ]
    assert worded["defects"][1]["reason"] == "needs flying"
    assert worded["counts"] == {"caught": 1, "survived": 0, "undecided": 0, "not-applicable": 1}


def test_what_a_store_says_can_not_steer_the_terminal() -> None:
    """A headline with escapes is worded, and brackets are no markup."""
    text = shown(proof(caught(DEEP, "\x1b[2J [red]x[/red]"), name="\x1b[31m"))

    assert "\x1b" not in text
    assert "[red]x[/red]" in text
