"""The command line: exit codes, one line for each mistake, and a report whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.turn import CLAUSES as TURN_CLAUSES
from sessionstore_contract.wire import CLAUSES as WIRE_CLAUSES

from .report.schema import valid

ROOT = Path(__file__).parent.parent
IN_MEMORY = ("--storage", "none", "--profile", "ephemeral")
CLAIMS = ("--with", "persistence,cost-read,retention")
HOSTILE = (*IN_MEMORY, *CLAIMS, "--clause", "cost")
MISTAKES = """
import os

answer = 42


class NeedsTwo:
    def __init__(self, first, second): ...


class Unreachable:
    def __init__(self, place): ...

    async def exists(self, session_id):
        raise ConnectionRefusedError("nobody listens")
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sessionstore_contract", *arguments]


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=120, cwd=cwd, check=False
    )


def report_of(path: Path) -> dict[str, Any]:
    report = valid(path)
    for backend in report["backends"]:
        assert [one["id"] for one in backend["clauses"]] == [one.id for one in CLAUSES]
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules that can't be tried."""
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    (tmp_path / "broken.py").write_text("import does_not_exist")
    (tmp_path / "leaving.py").write_text("raise SystemExit(5)")
    (tmp_path / "gone.py").write_text("import os; os._exit(7)")
    return tmp_path


def test_a_conformant_store_is_0(tmp_path: Path) -> None:
    """Every MUST clause was tried and held; the report says so."""
    result = run("run", "null", "memory", "--json", str(tmp_path / "r.json"), "--effort", "quick")

    assert result.returncode == 0, result.stdout + result.stderr
    verdicts = [one["verdict"] for one in report_of(tmp_path / "r.json")["backends"]]
    assert verdicts == ["conformant", "conformant"]


def test_a_violated_clause_is_1(tmp_path: Path) -> None:
    """The first line of output is the diagnosis."""
    path = tmp_path / "r.json"
    target = "tests.hostile:RaisesBaseException"
    result = run("run", target, *IN_MEMORY, *CLAIMS, "--json", str(path))

    assert result.returncode == 1
    assert result.stdout.startswith("update raised Foreign: out of the ordinary\n")
    assert report_of(path)["backends"][0]["verdict"] == "nonconformant"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_process_without_streams_gets_its_verdict(closed: str, tmp_path: Path) -> None:
    """As some schedulers start it: what would be printed is lost, and nothing else."""
    json_path = tmp_path / "report.json"
    command = [sys.executable, "-m", "sessionstore_contract", "run", "null", "--json", json_path]
    ended = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *map(str, command)],
        cwd=ROOT,
        check=False,
        timeout=50,
    )
    assert ended.returncode == 0
    assert json.loads(json_path.read_text())["backends"][0]["verdict"] == "conformant"


def test_what_was_not_tried_is_never_0() -> None:
    """A selection of clauses that all hold does not make a store conformant: 3."""
    result = run("run", "memory", "--clause", "cost.merge-is-shallow")

    assert result.returncode == 3
    assert "incomplete" in result.stdout


def test_all_must_clauses_are_enough() -> None:
    """SHOULD clauses decide only under --strict."""
    assert run("run", "null", "--level", "must").returncode == 0
    assert run("run", "memory", "--level", "must", "--strict").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sqlit"], "no backend 'sqlit'; did you mean sqlite?"),
        (["nomodule:Store"], "module 'nomodule' can't be imported: ModuleNotFoundError"),
        (["broken:Store"], "ModuleNotFoundError: No module named 'does_not_exist'"),
        (["leaving:Store"], "module 'leaving' can't be imported: SystemExit: 5"),
        (["gone:Store"], "'gone:Store' ends the process that opens it: ended with exit code 7"),
        (["mistakes:Missing"], "module 'mistakes' has no attribute 'Missing'"),
        (["mistakes:answer"], "'mistakes:answer' is int, neither a Backend nor callable"),
        (["mistakes:NeedsTwo"], "missing 1 required positional argument: 'second'"),
        (["mistakes:Unreachable", "--storage", "x://y"], "ConnectionRefusedError: nobody listens"),
        (["null", "--storage", "file"], "'null' is a Backend and names its own storage (none)"),
        (["null", "--with", "flying"], "no capability 'flying'"),
        (["null", "--postgres", "bogus"], "no PostgreSQL 'bogus'; there are auto, embedded"),
        (["null", "--without", "cost-rea"], "no capability 'cost-rea'; did you mean cost-read?"),
        (["null", "--profile", "remot"], "no profile 'remot'; did you mean remote?"),
        (["null", "--clause", "cost.merg"], "no clause 'cost.merg'; did you mean"),
        (["null", "--effort", "huge"], "Invalid value for '--effort': 'huge'"),
        (["null", "-n", "0"], "Invalid value for '-n': 0"),
        (["--storage", "file"], "--storage is for a callable"),
        (["null", "--json", "/proc/nowhere/r.json"], "/proc/nowhere/r.json: No such file"),
        (["memory", "--with", "migration"], "claims migration on storage none"),
        (
            ["tests.mutants.columns:ColumnsStore", "--storage", "somewhere", "--with", "migration"],
            "claims migration on storage place",
        ),
        (["memory", "--with", "corruption"], "claims corruption and gives no corrupt="),
    ],
)
def test_a_mistake_is_one_line_and_2(folder: Path, arguments: list[str], line: str) -> None:
    """It names the thing, the value and the way out; no traceback."""
    result = run("run", *arguments, cwd=folder)

    assert result.returncode == 2, result.stdout + result.stderr
    said = [one for one in result.stderr.splitlines() if ": trying " not in one]
    assert len(said) == 1, said
    assert said[0].startswith("sessionstore-contract: ")
    assert line in said[0]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_store_that_kills_the_process_costs_a_clause_its_verdict(
    tmp_path: Path, workers: str
) -> None:
    """Judged it is a violation; the run goes on in a new process, and the report is whole."""
    path = tmp_path / "r.json"
    result = run("run", "tests.hostile:KillsItself", *HOSTILE, "--json", str(path), "-n", workers)

    assert result.returncode == 1, result.stdout + result.stderr
    clauses = {one["id"]: one for one in report_of(path)["backends"][0]["clauses"]}
    assert clauses["cost.starts-empty"]["verdict"] == "held"
    merge = clauses["cost.merge-is-shallow"]
    assert merge["headline"] == "update ends the process: ended by SIGKILL"
    assert merge["witness"][-1].endswith("->  the process ended by SIGKILL")


def test_the_hash_of_a_text_is_another_one_somewhere() -> None:
    """The processes of a run are forks that have it in common: one is started by itself."""
    clauses = [
        word
        for clause in ("sharing.p*", "concurrency.disjoint-updates-survive-across-p*")
        for word in ("--clause", clause)
    ]
    result = run("run", "tests.mutants.sharing:NamesFilesByHash", "--storage", "file", *clauses)
    assert "across-processes: a process that was started by itself does not find" in result.stdout


def test_a_store_that_does_not_close_is_tried_all_the_same(tmp_path: Path) -> None:
    """A broken `close` is a violation, told by its clause, and no mistake of the command."""
    path = tmp_path / "r.json"
    target = "tests.hostile:FailsToClose"
    result = run("run", target, *IN_MEMORY, *CLAIMS, "--effort", "quick", "--json", str(path))

    assert result.returncode == 1, result.stdout + result.stderr
    clauses = {one["id"]: one for one in report_of(path)["backends"][0]["clauses"]}
    assert clauses["closing.is-idempotent"]["verdict"] == "violated"
    assert clauses["cost.merge-is-shallow"]["verdict"] == "inconclusive"


def test_what_a_store_prints_disturbs_nothing(tmp_path: Path) -> None:
    """Neither standard output nor the report holds it."""
    path = tmp_path / "r.json"
    result = run("run", "tests.hostile:Prints", *HOSTILE, "--json", str(path))

    assert "noise" not in result.stdout
    assert report_of(path)["backends"][0]["counts"]["violated"] == 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_reports_and_leaves_nothing(
    tmp_path: Path, stop: signal.Signals
) -> None:
    """Half-way the report is whole, the exit code 3, and no process or folder stays."""
    path = tmp_path / "r.json"
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        command("run", "tests.hostile:HangsInAwait", *HOSTILE, "--json", str(path)),
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: path.exists() and was_something_tried(tmp_path / "tmp"))
    process.send_signal(stop)
    _, stderr = process.communicate(timeout=30)

    assert process.returncode == 3
    assert "the run was stopped" in stderr
    assert report_of(path)["backends"][0]["verdict"] == "incomplete"
    assert list((tmp_path / "tmp").iterdir()) == []
    until(lambda: not processes_that_name(str(tmp_path)))


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_run_may_be_stopped_at_any_moment(tmp_path: Path) -> None:
    """Also while workers are made and replaced: 3, a whole report, and an empty folder."""
    for moment in range(12):
        folder, path = tmp_path / str(moment), tmp_path / f"{moment}.json"
        folder.mkdir()
        process = subprocess.Popen(
            command("run", "tests.hostile:KillsItself", *HOSTILE, "-n", "2", "--json", str(path)),
            env={**os.environ, "TMPDIR": str(folder)},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(path.exists)
        time.sleep(moment * 0.1)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)

        assert process.returncode in {1, 3}, stderr  # 1: the defect was found before
        assert "Traceback" not in stderr
        report_of(path)
        assert list(folder.iterdir()) == []


def was_something_tried(folder: Path) -> bool:
    """Whether a worker of a run in that temporary folder has called a store."""
    return any(record.read_bytes().strip() for record in folder.glob("*/*/*/flight-record"))


def processes_that_name(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if text.encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def test_a_run_that_is_killed_takes_its_workers_along(tmp_path: Path) -> None:
    """Not even SIGKILL leaves a process or a file behind."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        # One: in the moment in which another is started nobody could clear away what is its own.
        command("run", "tests.hostile:BlocksTheLoop", "-n", "1", *HOSTILE),
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: was_something_tried(temporary))
    process.kill()
    process.wait()

    until(lambda: not processes_that_name(str(temporary)))
    assert list(temporary.iterdir()) == []


def test_the_same_seed_is_said_and_taken(tmp_path: Path) -> None:
    """The seed that is printed can be given."""
    path = tmp_path / "r.json"
    result = run("run", "null", "--seed", "42", "--json", str(path))

    assert "seed 42" in result.stdout
    assert report_of(path)["seed"] == 42


def test_list_names_every_clause() -> None:
    """As JSON with id, level, needs and sentence; as text with the same."""
    listed = json.loads(run("list", "--json").stdout)

    assert [one["id"] for one in listed] == [
        one.id for one in (*CLAUSES, *WIRE_CLAUSES, *TURN_CLAUSES)
    ]
    assert {"id", "level", "needs", "sentence"} <= listed[0].keys()
    text = run("list", "retention").stdout
    assert text.count("MUST") == 5
    assert "turn.concurrent-" in run("list", "turn").stdout
    assert run("list", "retentoin").returncode == 2


def test_explain_tells_one_clause() -> None:
    """Sentence, reason and remedy; a clause that does not exist is a mistake."""
    told = run("explain", "cost.merge-is-shallow")

    assert told.returncode == 0
    assert told.stdout.startswith("MUST cost.merge-is-shallow\n")
    assert "json_patch" in told.stdout
    assert run("explain", "cost.merge-is-shalow").returncode == 2


def test_doctor_says_what_can_run_here() -> None:
    """Each line begins with yes or no, or names the backends."""
    result = run("doctor")

    assert result.returncode == 0
    assert "an embedded PostgreSQL server" in result.stdout
    assert "yes  making files unreadable: " in result.stdout
    assert "yes  crashing a platform: one of its own" in result.stdout
    assert "null" in result.stdout.splitlines()[-1]


def test_without_a_command_there_is_help() -> None:
    """As it is, and not as a mistake in many lines; the exit code says that nothing was done."""
    result = run()
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: sessionstore-contract [OPTIONS] COMMAND")


def test_a_mistake_is_one_line_whatever_a_file_is_called() -> None:
    """Names of files have line breaks, and what a terminal acts on."""
    result = run("verify", "no\nsuch\x1b[31m.json")
    assert result.returncode == 2
    assert result.stderr == (
        "sessionstore-contract: no\\nsuch\\x1b[31m.json: No such file or directory\n"
    )


def test_a_report_is_verified_in_one_line_whatever_its_file_is_called(tmp_path: Path) -> None:
    """What is on standard output goes to logs as well."""
    path = tmp_path / "two\nlines.json"
    run("run", "null", "--effort", "quick", "-q", "--json", str(path))
    result = run("verify", str(path))
    assert result.returncode == 0
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "null", "--json", "."),
        ("run", "null", "--write-baseline", "."),
        ("prove", "null", "--json", "."),
        ("bench", "memory", "--quick", "--json", "."),
        ("bench", "memory", "--quick", "--plot", "."),
    ],
    ids=" ".join,
)
def test_a_folder_in_the_place_of_a_file_is_told_before_the_work(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """Nothing is tried for an hour, and then lost."""
    result = run(*arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "sessionstore-contract: .: Is a directory\n"


def test_a_report_that_can_not_be_written_any_more_is_shown(tmp_path: Path) -> None:
    """What a run has found out is not lost with its file."""
    (tmp_path / "spoiling.py").write_text(
        "from pathlib import Path\nfrom reference_backends.null import NullSessionStore\n"
        "class Spoiling(NullSessionStore):\n"
        "    async def load(self, session_id):\n"
        "        Path('r.json').unlink(missing_ok=True)\n"
        "        Path('r.json').mkdir(exist_ok=True)\n"
        "        return await super().load(session_id)\n"
    )
    result = run("run", "spoiling:Spoiling", *IN_MEMORY, "-q", "--json", "r.json", cwd=tmp_path)
    assert result.returncode == 2
    assert "Spoiling -      ephemeral" in result.stdout
    assert result.stderr == "sessionstore-contract: r.json: Is a directory\n"
