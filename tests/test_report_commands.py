"""The commands that work on reports: compare and verify."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from sessionstore_contract.cli import main
from sessionstore_contract.report.document import write
from sessionstore_contract.verdict import Finding

from .report.findings import applied, backend, report, said_of, violated
from .report.test_shape import PROOF

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = violated("cost.merge-is-shallow", "update merges nested objects")


def run(*arguments: str) -> Result:
    """What the command line does; a traceback would be an exception here."""
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a good report, one with a violation, and what is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    for name, findings in {"good": applied(), "broken": applied(BROKEN)}.items():
        write_report(tmp_path / f"{name}.json", *findings)
    (tmp_path / "cut.json").write_text((tmp_path / "good.json").read_text()[:500])
    (tmp_path / "proof.json").write_text(json.dumps(PROOF))
    return tmp_path


def write_report(path: Path, *findings: Finding) -> None:
    write(report(backend(*findings)), path)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("verify", "good.json"), 0, "good.json: contract 1.0, 1 backend: clauses, counts and"),
        (("verify", "broken.json"), 0, "broken.json: contract 1.0, 1 backend: "),
        (("compare", "good.json", "good.json"), 0, "nothing changed"),
        (("compare", "broken.json", "good.json"), 0, "no regression"),
        (("compare", "good.json", "broken.json"), 1, "2 regressions, marked with !"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_was_found_out_is_in_the_exit_code(
    arguments: tuple[str, ...], code: int, words: str
) -> None:
    """And in words on standard output."""
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert words in result.stdout
    assert result.stderr == ""


def test_a_report_that_is_not_what_it_says_is_refused(folder: Path) -> None:
    """A line for each thing, and exit code 1."""
    said = said_of(backend(*applied(BROKEN)))
    del said["backends"][0]["clauses"][3]
    said["backends"][0]["verdict"] = "conformant"
    (folder / "less.json").write_text(json.dumps(said))
    result = run("verify", "less.json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 3
    assert all(line.startswith("less.json: mine: ") for line in result.stderr.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "cut.json"), "cut.json: is no JSON: "),
        (("verify", "proof.json"), "proof.json: is the report of a proof, not of a run"),
        (("verify", "none.json"), "none.json: No such file or directory"),
        (("verify", "."), ".: Is a directory"),
        (("verify",), "Missing argument 'REPORT.json'"),
        (("compare", "good.json"), "Missing argument 'B.json'"),
        (("compare", "good.json", "cut.json"), "cut.json: is no JSON: "),
        (("compare", "proof.json", "good.json"), "proof.json: is the report of a proof"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_malformed_is_one_line_and_2(arguments: tuple[str, ...], words: str) -> None:
    """On standard error."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"sessionstore-contract: {words}")
