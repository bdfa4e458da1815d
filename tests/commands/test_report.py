"""The commands that work on reports: report, compare and verify, and a run that writes its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from sessionstore_contract.cli import main
from sessionstore_contract.report.document import write
from sessionstore_contract.verdict import Finding

from ..report.findings import applied, backend, report, said_of, violated
from ..report.schema import valid
from ..report.test_proof_verification import said_of_proof
from ..report.test_shape import PROOF

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = r"</script><img src=x onerror='1'>|`*\x1b[31m\ud800\u202e"
STORE = f"""
class Hostile:
    async def create(self, session_id=None): return "id"
    async def update(self, session_id, *, cost_data=None): return True
    async def get_cost_data(self, session_id): return {{"{HOSTILE}": "x" * 10_000_000}}
    async def close(self): pass
"""

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
    (tmp_path / "true-proof.json").write_text(json.dumps(said_of_proof()))
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
        (("compare", "proof.json", "proof.json"), 0, "nothing changed"),
        (("verify", "true-proof.json"), 0, "contract 1.0, 1 defect: outcomes, counts and clauses"),
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


@pytest.mark.usefixtures("folder")
def test_a_proof_that_is_not_what_it_says_is_refused() -> None:
    """As a run is; this one is of a contract that nobody has."""
    result = run("verify", "proof.json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert all(line.startswith("proof.json: ") for line in result.stderr.splitlines())


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
        (("verify", "none.json"), "none.json: No such file or directory"),
        (("verify", "."), ".: Is a directory"),
        (("verify",), "Missing argument 'REPORT.json'"),
        (("compare", "good.json"), "Missing argument 'B.json'"),
        (("compare", "good.json", "cut.json"), "cut.json: is no JSON: "),
        (
            ("compare", "proof.json", "good.json"),
            "proof.json is of a proof, and good.json of a run: compare takes two reports of one",
        ),
        (("report",), "Missing argument 'REPORT.json ...'"),
        (("report", "good.json", "cut.json"), "cut.json: is no JSON: "),
        (("report", "good.json", "-o", "good.json"), "good.json: File exists"),
        (("report", "good.json", "--html", "good.json/x"), "good.json/x: "),
        (("run", "null", "--report", "good.json"), "good.json: File exists"),
        (("wire", "http://127.0.0.1:9", "--report", "good.json"), "good.json: File exists"),
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


@pytest.mark.usefixtures("folder")
def test_many_reports_are_printed_as_one_table() -> None:
    """Runs of one name are told apart; the exit code says nothing of the verdicts."""
    result = run("report", "good.json", "broken.json", "proof.json")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "| mine (1) | conformant |" in result.stdout
    assert "| mine (2) | **nonconformant** |" in result.stdout


def test_each_output_can_be_asked_for_alone(folder: Path) -> None:
    """Then nothing is printed, and folders are made."""
    outputs = ("--html", "a/b.html", "--markdown", "a/b.md", "--badge", "a/b.svg")
    assert run("report", "broken.json", *outputs).output == ""
    assert run("report", "broken.json", "--badge", "a/b.json").output == ""
    assert (folder / "a/b.html").read_text().startswith("<!doctype html>")
    assert (folder / "a/b.md").read_text().startswith("## Session stores")
    assert (folder / "a/b.svg").read_text().startswith("<svg ")
    assert json.loads((folder / "a/b.json").read_text())["message"] == "nonconformant, durable"


def test_all_outputs_go_into_one_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the table is added to the summary of a job."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary"))
    (folder / "summary").write_text("before\n")
    assert run("report", "good.json", "proof.json", "-o", "all").exit_code == 0
    names = sorted(path.name for path in (folder / "all").iterdir())
    assert names == ["badge.json", "badge.svg", "index.html", "summary.md"]
    words = (folder / "all/summary.md").read_text()
    assert (folder / "summary").read_text() == f"before\n{words}\n"
    assert "merge-goes-deep" in (folder / "all/index.html").read_text()


def test_a_proof_alone_has_a_page(folder: Path) -> None:
    """There is no backend to be put into a table."""
    assert run("report", "proof.json", "-o", "all").exit_code == 0
    assert [path.name for path in (folder / "all").iterdir()] == ["index.html"]


def test_a_summary_that_can_not_be_written_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the variable."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder))
    result = run("report", "good.json", "-o", "all")
    assert result.exit_code == 2
    assert result.stderr.startswith("sessionstore-contract: GITHUB_STEP_SUMMARY ")


def test_a_run_writes_its_report(folder: Path) -> None:
    """All files, of which the JSON is what it says, and as the schema has it."""
    result = run("run", "null", "--report", "new/folder", "--effort", "quick")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (folder / "new/folder").iterdir())
    assert names == ["badge.json", "badge.svg", "index.html", "report.json", "summary.md"]
    assert valid(folder / "new/folder/report.json")["backends"][0]["verdict"] == "conformant"
    assert run("verify", "new/folder/report.json").exit_code == 0


def test_a_hostile_store_breaks_none_of_the_files(folder: Path) -> None:
    """What it says is text in each of them, and the report is verified all the same."""
    hostile = "</script><script>1</script>|`\x1b[31m\ud800\u202e" + "x" * 10_000_000
    finding = violated("cost.merge-is-shallow", hostile, witness=(hostile,), answered=hostile)
    write(report(backend(*applied(finding), name=hostile, server=hostile)), folder / "h.json")
    for command in (("verify", "h.json"), ("compare", "h.json", "h.json"), ("report", "h.json")):
        result = run(*command)
        assert result.exit_code == 0
        assert len(result.output) < 10_000
        assert all(line.isprintable() for line in result.output.splitlines())
    assert run("report", "h.json", "-o", "all").exit_code == 0
    for path in (folder / "all").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "<script>1" not in text, path.name
        assert "\x1b" not in text, path.name
        assert len(text) < 500_000, path.name


def test_a_store_that_answers_with_markup_is_reported_as_it_is(folder: Path) -> None:
    """From the answer to the files, as an author would see them."""
    (folder / "mine.py").write_text(STORE)
    claims = ("--storage", "none", "--profile", "ephemeral", "--with", "persistence,cost-read")
    clause = ("--clause", "cost.merge-is-shallow")
    result = run("run", "mine:Hostile", *claims, *clause, "--report", "out", "-n", "1")
    assert result.exit_code == 1, result.output
    assert all(line.isprintable() for line in result.output.splitlines())
    (found,) = valid(folder / "out/report.json")["backends"]
    assert found["verdict"] == "nonconformant"
    assert run("verify", "out/report.json").exit_code == 0
    words = (folder / "out/summary.md").read_text(encoding="utf-8")
    assert "<img" not in words
    assert "**cost.merge-is-shallow**: " in words
    page = (folder / "out/index.html").read_text(encoding="utf-8")
    assert page.count("</script>") == 2
    assert "<img" not in page
