"""The first files in somebody's project: shown, written, never overwritten, and they work."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from sessionstore_contract.baseline import load
from sessionstore_contract.commands.first_files import (
    BASELINE,
    JOB,
    TEST_FILE,
    Subject,
    first_files,
)
from sessionstore_contract.commands.init import init

if TYPE_CHECKING:
    from pathlib import Path

STORES = """
from reference_backends.null import NullSessionStore
from sessionstore_contract import Backend

class Outer:
    class Store(NullSessionStore):
        pass

BACKEND = Backend("mine", open=Outer.Store, storage="none", profile="ephemeral")
"""
OF_A_CLASS = ("theirs_for_init:Outer.Store", "--storage", "none", "--profile", "ephemeral")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's project, with a store that keeps nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "theirs_for_init.py").write_text(STORES)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return tmp_path


def run(*arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(init, arguments, input=said)


def test_what_is_written_works(project: Path) -> None:
    """Pytest passes, with what is claimed, and the baseline is one."""
    result = run(*OF_A_CLASS, "--yes")
    assert result.exit_code == 0, result.output
    assert load(project / BASELINE).entries == ()

    arguments = ["-q", "-p", "no:schemathesis", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "--sessionstore-effort", "quick", TEST_FILE],
        capture_output=True,
        text=True,
        check=False,
        cwd=project,
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


def test_a_backend_is_taken_as_it_is(project: Path) -> None:
    """With its own name and claims."""
    assert run("theirs_for_init:BACKEND", "--yes").exit_code == 0
    text = (project / TEST_FILE).read_text()

    compile(text, TEST_FILE, "exec")
    assert "from theirs_for_init import BACKEND\n" in text
    assert 'test_backend = contract_tests(BACKEND, baseline="sessionstore-baseline.toml")' in text


def test_it_is_shown_before_it_is_written(project: Path) -> None:
    """Line by line; with --dry-run, or with nobody to ask, nothing is."""
    result = run(*OF_A_CLASS, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"+++ {TEST_FILE}\n+")
    assert f"+++ {BASELINE}\n" in result.stdout
    assert f"+++ {JOB}\n" in result.stdout
    assert all(line[:1] == "+" for line in result.stdout.splitlines())

    result = run(*OF_A_CLASS)
    assert result.exit_code == 2
    assert "there is nobody to ask; say --yes" in result.output
    assert not (project / "tests").exists()
    assert not (project / ".github").exists()


def test_what_is_there_is_left(project: Path) -> None:
    """It is said; a second time there is nothing to write."""
    (project / "tests").mkdir()
    (project / TEST_FILE).write_text("mine = 1\n")
    (project / BASELINE).symlink_to("nowhere")
    result = run(*OF_A_CLASS, "--yes")

    assert result.exit_code == 0
    assert f"=== {TEST_FILE} is there, and is left as it is\n" in result.stdout
    assert f"=== {BASELINE} is there" in result.stdout
    assert (project / TEST_FILE).read_text() == "mine = 1\n"
    assert (project / BASELINE).is_symlink()
    assert (project / JOB).exists()
    assert "nothing to write" in run(*OF_A_CLASS, "--yes").output


def test_without_a_target_the_file_says_where_to_name_one(project: Path) -> None:
    """It compiles, and fails until then."""
    result = run("--yes")
    text = (project / TEST_FILE).read_text()

    assert result.exit_code == 0
    compile(text, TEST_FILE, "exec")
    assert "from mypkg.stores import MyStore  # your store" in text
    assert f"next: name your store in {TEST_FILE}" in result.output


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sqlite"], "'sqlite' names no module:attribute"),
        (["no_such_module:X"], "module 'no_such_module' can't be imported"),
        (["theirs_for_init:Outer.Stor"], "has no attribute 'Outer.Stor'"),
        (["theirs_for_init:STORES"], "neither a Backend nor callable"),
        (["theirs_for_init:BACKEND", "--storage", "file"], "names its own storage"),
        (["theirs_for_init:BACKEND", "--profile", "ephemeral"], "says itself what it claims"),
        (["--profile", "ful"], "no profile 'ful'; did you mean full?"),
        (["--with", "flying"], "no capability 'flying'"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(
    project: Path, arguments: list[str], line: str
) -> None:
    """One line, and 2."""
    (project / "theirs_for_init.py").write_text(STORES + "\nSTORES = 3\n")
    sys.modules.pop("theirs_for_init", None)
    result = run(*arguments, "--yes")

    assert result.exit_code == 2
    assert line in result.output
    assert not (project / "tests").exists()


def test_a_folder_that_cannot_be_written_is_one_line(project: Path) -> None:
    """Something else is in the way."""
    (project / "tests").write_text("a file")
    result = run("--yes")

    assert result.exit_code == 2
    assert f"{TEST_FILE} was not written: " in result.output


@pytest.mark.parametrize("storage", ["file", "postgres", "platform", "none"])
def test_the_job_is_one_that_github_reads(tmp_path: Path, storage: str) -> None:
    """With a matrix, the project installed, and for PostgreSQL a server of each version."""
    yaml = pytest.importorskip("yaml")
    subject = Subject("mypkg:Store", f'storage="{storage}"', storage)
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("")
        job = yaml.safe_load(first_files(subject, tmp_path)[JOB])["jobs"]["contract"]
        said = [step.get("run", "") for step in job["steps"]]
        installed = "-e ." if name == "pyproject.toml" else "-r requirements.txt"
        assert any(f"pip install {installed} " in one for one in said)
    assert said[-1] == f"python -m pytest {TEST_FILE} --sessionstore-report build/contract"
    assert len(job["strategy"]["matrix"]) == 2
    if storage == "postgres":
        assert job["services"]["postgres"]["image"] == "postgres:${{ matrix.postgres }}"
        assert "SESSIONSTORE_POSTGRES_DSN" in job["steps"][-1]["env"]
