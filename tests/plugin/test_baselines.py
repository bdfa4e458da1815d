"""The baseline in somebody's project: its own argument, the project's, and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .test_door import DEFECTS

if TYPE_CHECKING:
    import pytest

MERGE, LAST, NULL = "cost.merge-is-shallow", "cost.last-write-wins", "cost.null-is-a-value"
DELETE = "lifecycle.delete-answers-whether-it-existed"


SCOPE = ("-o", "asyncio_default_fixture_loop_scope=function")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(
        "-p", "no:pytester", "-p", "no:schemathesis", *SCOPE, *arguments
    )


def entry(clause: str, more: str = "") -> str:
    return f'[[admitted]]\nclause = "{clause}"\nreason = "known of {clause}"\n{more}\n'


def project(pytester: pytest.Pytester, argument: str = "") -> None:
    """A store with two defects that break three clauses; a fourth one holds."""
    below = pytester.mkdir("tests")
    end = f'{DELETE}"],\n    {argument}\n)'
    (below / "test_them.py").write_text(DEFECTS.replace(f'{DELETE}"],\n)', end))
    (below / "own.toml").write_text(
        entry(MERGE) + entry(LAST) + entry(DELETE, 'backend = "merges"')
    )


def test_what_is_admitted_fails_as_expected(pytester: pytest.Pytester) -> None:
    """The file is found beside the tests, and the reason is told."""
    project(pytester, 'baseline="own.toml",')
    result = run(pytester, "-rx")

    result.assert_outcomes(passed=2, xfailed=3)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"XFAIL *{MERGE}? - admitted: known of*"])
    result.stdout.no_fnmatch_line("*defects of session stores*")


def test_what_holds_again_fails(pytester: pytest.Pytester) -> None:
    """The command line goes before the argument; what it does not admit fails."""
    project(pytester, 'baseline="own.toml",')
    (pytester.path / "other.toml").write_text(
        entry(NULL) + entry(MERGE, "expires = 2020-01-01") + entry(LAST)
    )
    result = run(pytester, "-q", "--sessionstore-baseline", "other.toml")

    result.assert_outcomes(passed=1, xfailed=1, failed=3)
    result.stdout.fnmatch_lines(["*defects of session stores*", "*(merges): 2 violated clauses*"])
    result.stdout.fnmatch_lines(
        [
            f"{NULL} holds for merges",
            "the baseline is stale: it admits this clause, which holds*",
            f"FAILED *{NULL}? - stale: *",
        ]
    )
    result.stdout.fnmatch_lines(["  other.toml admitted it until 2020-01-01:*"])


def test_the_project_may_have_one_for_all(pytester: pytest.Pytester) -> None:
    """It is looked for beside the configuration; an empty name on the command line is none."""
    project(pytester)
    pytester.makeini("[pytest]\nsessionstore_baseline = tests/own.toml\n")

    run(pytester, "-k", LAST).assert_outcomes(xfailed=1, deselected=4)
    run(pytester, "-k", LAST, "--sessionstore-baseline=").assert_outcomes(failed=1, deselected=4)


def test_a_mistake_in_a_baseline_is_one_line(pytester: pytest.Pytester) -> None:
    """On the command line a usage error; of an argument an error of that file."""
    project(pytester, 'baseline="own.toml",')
    result = run(pytester, "--sessionstore-baseline", "none.toml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: *none.toml: No such file or directory"])

    (pytester.path / "tests" / "own.toml").write_text(entry("cost.merge-is-shalow"))
    result = run(pytester)
    result.stdout.fnmatch_lines(["E *own.toml: entry 1: no clause *did you mean cost.merge-is-sh*"])
