"""The baseline on the command line: exit codes, what is said, and the file that is written."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from sessionstore_contract.cli import main
from sessionstore_contract.report import document

from ..test_cli import CLAIMS, IN_MEMORY, run

if TYPE_CHECKING:
    from pathlib import Path

MERGE, START = "cost.merge-is-shallow", "cost.starts-empty"
TARGET = ("run", "tests.hostile:RaisesBaseException", *IN_MEMORY, *CLAIMS, "-n", "1")
CHOSEN = ("--clause", MERGE, "--clause", START)


def entry(clause: str) -> str:
    return f'[[admitted]]\nclause = "{clause}"\nreason = "known"\n'


def test_a_baseline_is_written_filled_in_and_judges(tmp_path: Path) -> None:
    """What is admitted is in the report with its reason; what was not tried is said."""
    path, report = tmp_path / "b.toml", tmp_path / "r.json"
    result = run(*TARGET, *CHOSEN, "--write-baseline", str(path))
    assert result.returncode == 1, result.stderr
    assert f"{path}: 1 added, 0 removed, 0 kept\n" in result.stderr

    assert run(*TARGET, *CHOSEN, "--baseline", str(path)).returncode == 2  # no reason is given
    told = path.read_text().replace('reason = ""', 'reason = "known"')
    path.write_text(told + entry("retention.counts-what-it-removed"))
    result = run(*TARGET, *CHOSEN, "--baseline", str(path), "--json", str(report))

    assert result.returncode == 3, result.stdout  # a selection says nothing of the rest
    assert "admits retention.counts-what-it-removed, not found out: not sel" in result.stdout
    (backend,) = json.loads(report.read_text())["backends"]
    assert backend["counts"]["admitted"] == 1
    (merge,) = (one for one in backend["clauses"] if one["id"] == MERGE)
    assert (merge["verdict"], merge["reason"]) == ("admitted", "known")
    assert merge["headline"] == "update raised Foreign: out of the ordinary"


def test_a_terminal_that_knows_ascii_alone_is_told_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line is drawn of what it has, and a name is escaped: nothing costs the verdict."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    path = tmp_path / "\u00e9.toml"
    path.write_text(entry("cost.last-write-wins"))
    result = run(*TARGET, *CHOSEN, "--baseline", str(path))

    assert result.returncode == 1, result.stderr
    assert "-" * 80 in result.stdout
    assert r"\xe9.toml admits cost.last-write-wins" in result.stdout


def test_a_stale_baseline_is_2(tmp_path: Path) -> None:
    """The store is as good as it is; what the command says of it is not, which is one line."""
    path = tmp_path / "b.toml"
    path.write_text(entry(START))
    result = run("run", "memory", "-n", "1", "--clause", START, "--baseline", str(path))

    assert result.returncode == 2
    assert f"memory: {START}: the baseline is stale: it admits this clause" in result.stdout
    assert result.stderr.splitlines()[-1] == (
        f"sessionstore-contract: {path} is stale: it admits {START} of memory, which holds: "
        "remove the entry"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--baseline", "none.toml"], "none.toml: No such file or directory"),
        (["--baseline", "odd.toml"], "odd.toml: entry 1: no clause 'cost.merg'; did you mean"),
        (["--write-baseline", "odd.toml"], "odd.toml: entry 1: no clause 'cost.merg'"),
        (["--write-baseline", "none/b.toml"], "none/b.toml: there is no folder none"),
        (["--baseline", "a", "--write-baseline", "b"], "leave out --baseline"),
    ],
)
def test_a_mistake_is_one_line_and_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    """Told before anything is tried."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.toml").write_text(entry("cost.merg"))
    result = CliRunner().invoke(main, ["run", "memory", *arguments])

    assert result.exit_code == 2
    (said,) = result.stderr.splitlines()
    assert said.startswith("sessionstore-contract: ")
    assert line in said


def test_a_baseline_that_can_not_be_written_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reasons in it were written by hand: a full disk must not take them."""

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "b.toml"
    path.write_text(entry(START))
    before = path.read_bytes()
    monkeypatch.setattr(document, "_write", fill)
    result = CliRunner().invoke(main, [*TARGET, *CHOSEN, "--write-baseline", str(path)])

    assert result.exit_code == 2
    assert result.stderr.endswith(f"{path}: No space left on device\n")
    assert path.read_bytes() == before
