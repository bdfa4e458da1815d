"""The folder of a report that a pytest session writes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from sessionstore_contract import catalogue
from sessionstore_contract.plugin.report import SessionReport
from sessionstore_contract.plugin.tried import Tried, packed
from sessionstore_contract.pytest_plugin import report_folder
from sessionstore_contract.report.verification import problems
from sessionstore_contract.verdict import NOT_SELECTED, Conclusion, Finding, Verdict

from ..report.findings import read_run
from ..report.schema import valid

if TYPE_CHECKING:
    from pathlib import Path

    from sessionstore_contract.report.document import Report

MERGE, LAST = "cost.merge-is-shallow", "cost.last-write-wins"
TESTS = """
import reference_backends
from reference_backends.memory import MemorySessionStore
from sessionstore_contract import Accumulator, Backend, contract_tests, turn_tests
from sessionstore_contract.pytest_plugin import run_seed

class Raises(MemorySessionStore):
    async def update(self, session_id, *, cost_data=None):
        raise OSError("\\ud800</script><b>\\x1b[2J" + "x" * 10_000_000)

class Nothing:
    def __init__(self, store): ...
    async def record(self, session, turn): ...

def of(name, store):
    return contract_tests(
        Backend(name, open=store, storage="none", profile="ephemeral",
                adding=["persistence", "cost-read"]),
        clauses=["cost.merge-is-shallow", "cost.last-write-wins"],
    )

test_file = contract_tests(reference_backends.SQLITE, clauses="cost.merge-is-shallow")
test_right = of("right\\ud800", MemorySessionStore)
test_wrong = of("wrong", Raises)
test_turns = turn_tests(Accumulator("turns", build=Nothing, record=Nothing.record),
                        clauses="usage-is-accumulated")

def test_of_their_own(request):
    print("drawn with", run_seed(request.config))
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_session_writes_what_a_run_writes(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """Once, with every clause of each contract, whatever the stores answer and are called."""
    pytester.makepyfile(test_them=TESTS)
    result = run(
        pytester, "--sessionstore-report", "out", "-rP", "--junitxml=junit.xml", *arguments
    )

    result.assert_outcomes(passed=4, failed=3)
    result.stdout.fnmatch_lines(["report of the contract tests: *out*index.html"])
    folder = pytester.path / "out"
    files = ("badge.json", "badge.svg", "index.html", "report-turn.json", "report.json")
    assert sorted(one.name for one in folder.iterdir()) == [*files, "summary.md"]
    for name in ("report.json", "report-turn.json"):
        assert problems(read_run(folder / name)) == []
        # One seed, whichever process has drawn with it.
        result.stdout.fnmatch_lines([f"drawn with {read_run(folder / name).head.seed}"])

    on_file, right, wrong = valid(folder / "report.json")["backends"]
    # What is imported for one backend is not taken for another's.
    assert [one.partition(" ")[0] for one in on_file["drivers"]] == ["aiosqlite"]
    assert right["drivers"] == []
    assert (right["target"], right["verdict"]) == ("test_them.py::test_right", "incomplete")
    assert (wrong["name"], wrong["verdict"]) == ("wrong", "nonconformant")
    (violated,) = (one for one in wrong["clauses"] if one["id"] == MERGE)
    assert violated["witness"][0].startswith("create()")
    assert violated["headline"].startswith("update raised OSError: ")
    assert {one["reason"] for one in right["clauses"] if one["verdict"] == "inconclusive"} == {
        NOT_SELECTED
    }
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "turn.usage-is-accumulated" in page
    assert "</script><b>" not in page
    junit = (pytester.path / "junit.xml").read_text(encoding="utf-8")
    assert r"\ud800&lt;/script&gt;&lt;b&gt;\x1b[2J" in junit
    assert "\x1b" not in junit
    assert len(junit) < 60_000
    assert len(list(ET.fromstring(junit).iter("testcase"))) == 7
    assert (folder / "report.json").stat().st_size < 1_000_000


def test_the_project_says_where(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its own folder on; an empty name on the command line is none at all."""
    ini = pytester.makeini("[pytest]\nsessionstore_report = build/contract")
    monkeypatch.chdir(pytester.mkdir("inside"))

    def folder(*given: str) -> Path | None:
        return report_folder(pytester.parseconfig("-c", str(ini), *given))

    assert folder() == pytester.path / "build" / "contract"
    assert folder("--sessionstore-report", "") is None
    assert folder("--sessionstore-report", "out") == pytester.path / "inside" / "out"


def test_a_folder_that_can_not_be_is_one_line(pytester: pytest.Pytester) -> None:
    """Before the first test."""
    pytester.makepyfile(test_them=TESTS)
    result = pytester.runpytest_inprocess("--sessionstore-report", "test_them.py")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {pytester.path / 'test_them.py'}: File exists"])


def test_a_folder_that_went_away_costs_no_more_than_the_report(pytester: pytest.Pytester) -> None:
    """The session ends as it would have, but for its exit code."""
    pytester.makepyfile(
        """
        import os
        import reference_backends
        from sessionstore_contract import contract_tests

        test_null = contract_tests(reference_backends.NULL, clauses="ephemeral.keeps-nothing")

        def test_goes_away():
            os.rmdir("out")
            open("out", "w").close()
        """
    )
    named = ("--sessionstore-report", "out", "--junitxml=junit.xml")
    result = pytester.runpytest_inprocess("-p", "no:asyncio", *named)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["report of the contract tests: not written: *report.json: *"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (pytester.path / "junit.xml").exists()


def test_where_no_contract_test_ran_nothing_is_written(pytester: pytest.Pytester) -> None:
    """And that is said: nothing was tried."""
    pytester.makepyfile("def test_of_their_own(): pass")
    result = pytester.runpytest_inprocess("-p", "no:asyncio", "--sessionstore-report", "out")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["report of the contract tests: no contract test has run"])
    assert list((pytester.path / "out").iterdir()) == []


# what comes in ------------------------------------------------------------------------------------

TRIED = Tried("mine", "store", "file", "durable", ("persistence",), 7, "normal", is_strict=True)


def told(nodeid: str, clause_id: str, verdict: Verdict, **rest: Any) -> Any:
    (clause,) = catalogue.select([clause_id])
    said = packed(Finding(clause, verdict, **rest), TRIED)
    return SimpleNamespace(nodeid=nodeid, sessionstore_told=said)


def gathered(folder: Path, *reports: Any) -> list[Report]:
    session = SessionReport(folder)
    for one in reports:
        session.pytest_runtest_logreport(one)
    return list(session.reports())


def test_of_a_test_that_is_run_again_the_last_counts(tmp_path: Path) -> None:
    """And of two tests of one clause the one that is violated."""
    (report,) = gathered(
        tmp_path,
        told(f"a.py::test_it[{MERGE}]", MERGE, Verdict.VIOLATED, headline="h"),
        told(f"a.py::test_it[{MERGE}]", MERGE, Verdict.HELD),
        told(f"a.py::test_it[{LAST}-x]", LAST, Verdict.VIOLATED, headline="h"),
        told(f"a.py::test_it[{LAST}-y]", LAST, Verdict.HELD),
        SimpleNamespace(nodeid="a.py::test_other"),
    )
    (backend,) = report.backends
    verdicts = {one.clause.id: one.verdict for one in backend.findings}

    assert (verdicts[MERGE], verdicts[LAST]) == (Verdict.HELD, Verdict.VIOLATED)
    assert backend.conclusion is Conclusion.NONCONFORMANT
    assert (report.seed, report.effort, backend.is_strict) == (7, "normal", True)


def test_each_function_is_a_backend(tmp_path: Path) -> None:
    """Also where two try backends of one name: each by its own claims."""
    (report,) = gathered(
        tmp_path,
        told(f"b.py::test_it[{MERGE}]", MERGE, Verdict.HELD),
        told(f"a.py::test_it[{MERGE}]", MERGE, Verdict.HELD),
    )
    assert [one.target for one in report.backends] == ["a.py::test_it", "b.py::test_it"]
