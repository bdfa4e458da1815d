"""A proof says of each defect whether it is caught, and never that one is which is not."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.backend import Claims
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.defects import DEFECTS, select
from sessionstore_contract.proof import DefectReport, Outcome, Proof
from sessionstore_contract.verdict import Finding, Verdict

from .report.schema import valid
from .test_cli import ROOT, command, processes_that_name, run, until, was_something_tried

if TYPE_CHECKING:
    from pathlib import Path

    from sessionstore_contract.clause import Clause

OWN = "tests.defects.own"
CLAUSE = {one.id: one for one in CLAUSES}
(DEEP,) = select(["merge-goes-deep"])


def proof_of(path: Path) -> dict[str, Any]:
    proof: dict[str, Any] = valid(path)["proof"]
    return proof


def by_name(path: Path) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in proof_of(path)["defects"]}


# the judgement ------------------------------------------------------------------------------------


def reported(*findings: Finding, clauses: tuple[Clause, ...] | None = None) -> DefectReport:
    tried = tuple(one.clause for one in findings) if clauses is None else clauses
    return DefectReport(DEEP, tried, findings={one.clause: one for one in findings})


def found(clause_id: str, verdict: Verdict, **rest: Any) -> Finding:
    return Finding(CLAUSE[clause_id], verdict, **rest)


HELD = found("cost.merge-is-shallow", Verdict.HELD)
OTHER = found("cost.folds-like-a-dict", Verdict.VIOLATED, headline="update merges")


def test_a_defect_that_a_clause_names_is_caught() -> None:
    """Also by another clause than the one that is meant to."""
    report = reported(HELD, OTHER)

    assert (report.outcome, report.reason) == (Outcome.CAUGHT, None)
    assert report.catches == [OTHER]


def test_the_clause_that_is_meant_comes_first() -> None:
    """The others follow in contract order, whenever they were tried."""
    earlier = found("messages.save-then-load", Verdict.VIOLATED, headline="load answers None")
    meant = found("cost.merge-is-shallow", Verdict.VIOLATED, headline="update merges")

    assert reported(OTHER, earlier, meant).catches == [meant, earlier, OTHER]


def test_a_defect_that_no_clause_names_survives() -> None:
    """Inconclusive is no catch: nobody would be told."""
    undecided = found("cost.folds-like-a-dict", Verdict.INCONCLUSIVE, reason="see another")
    report = reported(HELD, undecided)

    assert report.outcome is Outcome.SURVIVED
    assert report.reason == "cost.merge-is-shallow is meant to name it, and is held"


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (DefectReport(DEEP), "the proof ended before it was tried"),
        (
            reported(HELD, clauses=(HELD.clause, OTHER.clause)),
            "the proof ended before all its clauses were tried",
        ),
        (
            reported(found("cost.folds-like-a-dict", Verdict.HELD)),
            "cost.merge-is-shallow is meant to name it, and does not hold without it",
        ),
        (
            reported(found("cost.merge-is-shallow", Verdict.FAULTED, reason="no server")),
            "no server",
        ),
    ],
)
def test_where_nothing_follows_nothing_is_said(report: DefectReport, reason: str) -> None:
    """Not that it survived either."""
    assert (report.outcome, report.reason) == (Outcome.UNDECIDED, reason)


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        ([], 3),
        ([DefectReport(DEEP, inapplicable="needs cost-read")], 3),
        ([reported(OTHER), DefectReport(DEEP, inapplicable="needs cost-read")], 0),
        ([reported(OTHER), DefectReport(DEEP)], 3),
        ([reported(OTHER), DefectReport(DEEP), reported(HELD)], 1),
    ],
)
def test_the_exit_code_is_0_only_when_all_are_caught(
    reports: list[DefectReport], code: int
) -> None:
    """A survivor is worse than what is not known, and nothing at all is no proof."""
    assert Proof("t", 1, "quick", defects=reports).exit_code == code


# the command --------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", ["cost", pytest.param("*", marks=pytest.mark.soak)])
def test_a_correct_store_proves_the_contract(area: str, tmp_path: Path) -> None:
    """What can be seen is caught by the clause meant for it; the others are counted."""
    path = tmp_path / "p.json"
    result = run(
        *("prove", "memory", "--first", "--defect", area, "--defect", "caches-histories"),
        *("--seed", "7", "--json", str(path)),
    )

    assert result.returncode == 0, result.stdout + result.stderr
    report = valid(path)
    assert {"schema", "kit", "contract", "environment", "started_at", "duration_s"} <= set(report)
    assert (report["seed"], report["effort"]) == (7, "quick")
    defects = by_name(path)
    assert list(defects) == [one.name for one in select([area, "caches-histories"])]
    for one in defects.values():
        if one["outcome"] == "caught":
            assert one["by"][0]["clause"] == one["meant"]
    assert defects["caches-histories"]["reason"] == "needs shared, which is not claimed"
    counts = report["proof"]["counts"]
    assert counts["caught"] + counts["not-applicable"] == len(defects)
    assert f"{counts['caught']} of {counts['caught']} defects are caught" in result.stdout


def test_every_clause_that_catches_is_told(tmp_path: Path) -> None:
    """The matrix has a line for the first one, and all of them in the report."""
    path = tmp_path / "p.json"
    result = run("prove", "memory", "--defect", "merge-goes-deep", "--json", str(path))

    assert result.returncode == 0, result.stdout + result.stderr
    (one,) = by_name(path).values()
    catching = [clause["clause"] for clause in one["by"]]
    assert catching[0] == "cost.merge-is-shallow"
    assert "cost.last-write-wins" in catching[1:]
    assert one["by"][0]["headline"] == "update merges nested objects"
    assert f"caught    merge-goes-deep  +{len(catching) - 1}\n" in result.stdout


def test_a_survivor_is_told_first_and_is_1(tmp_path: Path) -> None:
    """With what it does, what its clause said, and the command that tries it again."""
    path = tmp_path / "p.json"
    result = run(
        *("prove", "memory", "--defect", "merge-goes-deep", "--defect", f"{OWN}:DoesNothing"),
        *("--first", "--json", str(path), "--seed", "5"),
    )

    assert result.returncode == 1, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert lines[:2] == ["survived  does-nothing", "          Nothing is wrong."]
    assert lines[2].strip() == "cost.merge-is-shallow is meant to name it, and is held"
    assert lines[3].strip() == (
        f"sessionstore-contract prove memory --defect {OWN}:DoesNothing --seed 5"
    )
    assert by_name(path)["does-nothing"]["tried"] > 50


def test_what_a_backend_breaks_by_itself_catches_nothing(tmp_path: Path) -> None:
    """Its own defect can't be proved on it; others can."""
    path = tmp_path / "p.json"
    result = run(
        *("prove", f"{OWN}:BROKEN", "--defect", "save-resets-cost-data"),
        *("--defect", "null-removes-its-key", "--json", str(path)),
    )

    assert result.returncode == 3, result.stdout + result.stderr
    defects = by_name(path)
    assert defects["null-removes-its-key"]["caught"]
    assert defects["save-resets-cost-data"]["outcome"] == "undecided"
    left_out = [one["clause"] for one in proof_of(path)["left_out"]]
    assert "messages.save-keeps-cost-data" in left_out
    catching = {clause["clause"] for one in defects.values() for clause in one["by"]}
    assert catching.isdisjoint(left_out)
    assert "without a defect these are not seen to hold" in result.stdout


@pytest.mark.parametrize(
    ("defect", "headline"),
    [
        ("UpdateKillsTheProcess", "update ends the process: ended by SIGKILL"),
        ("UpdateHangs", "update does not answer in time"),
    ],
)
def test_a_defect_that_takes_the_process_along_costs_a_clause(
    tmp_path: Path, defect: str, headline: str
) -> None:
    """And is caught for it; the proof goes on."""
    path = tmp_path / "p.json"
    result = run(
        *("prove", "memory", "--defect", f"{OWN}:{defect}", "--defect", "cost-data-starts-as-null"),
        *("-n", "2", "--json", str(path)),
    )

    assert result.returncode == 0, result.stdout + result.stderr
    first, _ = proof_of(path)["defects"]
    assert first["by"][0] == {
        "clause": "cost.merge-is-shallow",
        "level": "must",
        "headline": headline,
    }


def test_where_no_defect_can_be_seen_nothing_is_proved() -> None:
    """3, as for a run in which nothing was tried."""
    result = run("prove", "null", "--defect", "merge-goes-deep")

    assert result.returncode == 3
    assert "null: 0 of 0 defects are caught; 1 can't be seen with what is claimed" in result.stdout


def test_other_processes_are_left_out_aloud() -> None:
    """They would open the store without the defect."""
    arguments = ("--first", "--defect", "caches-histories")
    result = run("prove", "sqlite", *arguments)

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("multi-process is left out") == 1
    assert "left out" not in run("prove", "sqlite", "--without", "multi-process", *arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sqlit"], "no backend 'sqlit'; did you mean sqlite?"),
        ([], "prove takes a TARGET"),
        (["nomodule:Store"], "module 'nomodule' can't be imported: ModuleNotFoundError"),
        (["memory", "--with", "flying"], "no capability 'flying'"),
        (["memory", "--defect", "merge-goes-dep"], "no defect 'merge-goes-dep'; did you mean"),
        (["memory", "--defect", f"{OWN}:IsNoDefect"], "is no defect"),
        (["memory", "--postgres", "embeded"], "no PostgreSQL 'embeded'; did you mean embedded"),
        (["memory", "--json", "/proc/nowhere/r.json"], "/proc/nowhere/r.json: No such file"),
        (["reference_backends:open_sqlite", "--storage", "/tmp/x"], "a fresh place for each"),
        (["tests.hostile:Missing"], "module 'tests.hostile' has no attribute 'Missing'"),
    ],
)
def test_a_mistake_is_one_line_and_2(arguments: list[str], line: str) -> None:
    """It names the thing, the value and the way out; no traceback."""
    result = run("prove", *arguments)

    assert result.returncode == 2, result.stdout + result.stderr
    (said,) = [one for one in result.stderr.splitlines() if ": trying " not in one]
    assert said.startswith("sessionstore-contract: ")
    assert line in said


REMOVING = """
import pathlib, shutil
from reference_backends.memory import MemorySessionStore

def open_store():
    reports = pathlib.Path("reports")
    if reports.is_dir():
        shutil.rmtree(reports, ignore_errors=True)
        reports.touch()
    return MemorySessionStore()
"""


def test_a_proof_that_can_not_be_written_any_more_is_shown(tmp_path: Path) -> None:
    """What took minutes is not lost with the folder that was there when it began."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "removing.py").write_text(REMOVING)
    arguments = ("--defect", "merge-goes-deep", "--first", "--json", "reports/p.json")
    result = subprocess.run(
        command("prove", "removing:open_store", "--storage", "none", *arguments),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stderr.splitlines()[-1].startswith("sessionstore-contract: reports/p.json: ")
    assert "merge-goes-deep" in result.stdout


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_proof_that_is_stopped_reports_and_leaves_nothing(
    tmp_path: Path, stop: signal.Signals
) -> None:
    """What was not caught by then is undecided: 3, and no process or folder stays."""
    path, folder = tmp_path / "p.json", tmp_path / "tmp"
    folder.mkdir()
    process = subprocess.Popen(
        command("prove", "sqlite", "-n", "2", "--json", str(path)),
        env={**os.environ, "TMPDIR": str(folder)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: path.exists() and was_something_tried(folder))
    process.send_signal(stop)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 3, stderr
    assert "the proof was stopped" in stderr
    assert "Traceback" not in stderr
    reasons = {one["reason"] for one in by_name(path).values() if one["outcome"] == "undecided"}
    assert reasons <= {
        "the proof ended before it was tried",
        "the proof ended before all its clauses were tried",
    }
    assert reasons
    assert list(folder.iterdir()) == []
    until(lambda: not processes_that_name(str(tmp_path)))


def test_what_is_said_of_a_target_is_worded_as_it_was_given() -> None:
    """Nothing is added that was not said."""
    assert Claims().options() == []
    assert Claims("file", "remote", ("cost-read", "durable"), ("shared",)).options() == [
        *("--storage", "file", "--profile", "remote"),
        *("--with", "cost-read,durable", "--without", "shared"),
    ]


def test_the_defects_are_listed() -> None:
    """Name, clause and sentence of each; an area alone on request."""
    assert run("prove", "--list").stdout.count("\n") == 2 * len(DEFECTS)
    listed = run("prove", "--list", "--defect", "retention").stdout
    assert "goes-by-creation  retention.goes-by-last-activity  [persistence, retention]" in listed
    assert "merge-goes-deep" not in listed


@pytest.mark.soak
@pytest.mark.parametrize("backend", ["sqlite", "postgres", "http"])
def test_every_defect_that_can_be_seen_is_caught_everywhere(backend: str, tmp_path: Path) -> None:
    """On a file, on a server, over a socket: by the clause that is meant to."""
    path = tmp_path / "p.json"
    result = run("prove", backend, "--first", "-n", "2", "--json", str(path))

    assert result.returncode == 0, result.stdout + result.stderr
    for one in by_name(path).values():
        if one["outcome"] == "caught":
            assert one["by"][0]["clause"] == one["meant"], one["name"]
    unseen = {one["name"] for one in by_name(path).values() if not one["caught"]}
    if backend == "sqlite":
        # A file has no server, and so no network that could fail.
        unseen -= {one.name for one in DEFECTS if one.area == "faults"}
    assert unseen == {
        "pretends-to-read-costs",
        "pretends-to-remove",
        "answers-no-id",
        "nothing-is-an-empty-history",
        "delete-of-nothing-raises",
    }
