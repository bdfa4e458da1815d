"""The report as JSON: the shape that others build on."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sessionstore_contract import CONTRACT_VERSION, __version__, catalogue
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.report.document import UnwritableError, document, write
from sessionstore_contract.verdict import Finding, Verdict

from .findings import HINT, INCONCLUSIVE, MERGE, VIOLATED, backend, report, whole_contract

if TYPE_CHECKING:
    from pathlib import Path

    from sessionstore_contract.report.document import BackendReport


def test_the_head_of_a_report() -> None:
    """Every key above the backends, in order, and nothing else."""
    said = document(report())
    environment = said.pop("environment")
    assert list(environment) == ["python", "platform", "packages"]
    assert environment["packages"]["hypothesis"]
    assert all(isinstance(one, str) for one in environment["packages"].values())
    assert said == {
        "schema": 1,
        "kit": {"version": __version__},
        "contract": {"version": CONTRACT_VERSION, "digest": catalogue.digest()},
        "seed": 7,
        "effort": "normal",
        "started_at": "2000-01-02T03:04:05+00:00",
        "duration_s": 1.235,
        "backends": [],
    }
    assert list(document(report())) == [
        "schema",
        "kit",
        "contract",
        "environment",
        "seed",
        "effort",
        "started_at",
        "duration_s",
        "backends",
    ]


def test_a_backend_in_a_report() -> None:
    """Every key of a backend, with its clauses as they were found."""
    (said,) = document(report(backend(VIOLATED, server="SQLite 3.45.1")))["backends"]
    assert list(said) == [
        "name",
        "target",
        "storage",
        "server",
        "drivers",
        "profile",
        "capabilities",
        "verdict",
        "counts",
        "clauses",
    ]
    del said["clauses"]
    assert said == {
        "name": "mine",
        "target": "pkg:Mine",
        "storage": "file",
        "server": "SQLite 3.45.1",
        "drivers": [],
        "profile": "durable",
        "capabilities": ["cost-read", "durable", "persistence", "retention", "shared"],
        "verdict": "nonconformant",
        "counts": {
            "held": 0,
            "violated": 1,
            "inconclusive": 0,
            "not-applicable": 0,
            "admitted": 0,
            "faulted": 0,
        },
    }


def test_a_strict_run_says_that_it_was() -> None:
    """Its verdicts follow from that."""
    strict, plain = document(report(backend(is_strict=True), backend()))["backends"]
    assert strict["strict"] is True
    assert "strict" not in plain


def test_a_consequence_says_so_in_its_reason() -> None:
    """It is violated all the same, and counted."""
    clauses = {clause.id: clause for clause in CLAUSES}
    findings = [
        Finding(clauses[name], Verdict.VIOLATED, headline="update merges nested objects")
        for name in ("cost.merge-is-shallow", "cost.last-write-wins")
    ]
    (said,) = document(report(backend(*findings)))["backends"]
    assert [one["reason"] for one in said["clauses"]] == [
        None,
        "a consequence of cost.merge-is-shallow",
    ]
    assert said["counts"]["violated"] == 2


def test_clauses_in_a_report() -> None:
    """Every key of a clause; the remedy stands beside a violation only."""
    findings = VIOLATED, INCONCLUSIVE, Finding(HINT, Verdict.HELD)
    (said,) = document(report(backend(*findings)))["backends"]
    assert said["clauses"] == [
        {
            "id": "cost.merges",
            "level": "must",
            "verdict": "violated",
            "duration_s": 0.0042,
            "headline": "update merges nested objects",
            "witness": list(VIOLATED.witness),
            "program": [],
            "demanded": VIOLATED.demanded,
            "answered": VIOLATED.answered,
            "remedy": MERGE.remedy,
            "reason": None,
        },
        {
            "id": "cost.merges",
            "level": "must",
            "verdict": "inconclusive",
            "duration_s": 0.0,
            "headline": None,
            "witness": ["create()  ->  raised OSError: full"],
            "program": [],
            "demanded": None,
            "answered": None,
            "remedy": None,
            "reason": "create() raised OSError: full: see lifecycle.creates",
        },
        {
            "id": "cost.hints",
            "level": "should",
            "verdict": "held",
            "duration_s": 0.0,
            "headline": None,
            "witness": [],
            "program": [],
            "demanded": None,
            "answered": None,
            "remedy": None,
            "reason": None,
        },
    ]


def test_every_clause_is_in_it_for_every_backend_in_contract_order() -> None:
    """What is read as a matrix has no holes."""
    said = document(report(backend(*whole_contract()), backend(*whole_contract(), name="other")))
    for one in said["backends"]:
        assert [clause["id"] for clause in one["clauses"]] == [clause.id for clause in CLAUSES]
        assert one["verdict"] == "conformant"
        assert sum(one["counts"].values()) == len(CLAUSES)


@pytest.mark.parametrize(
    ("backends", "code"),
    [
        ([], 3),
        ([backend()], 3),
        ([backend(Finding(MERGE, Verdict.HELD))], 0),
        ([backend(Finding(MERGE, Verdict.HELD), Finding(MERGE, Verdict.ADMITTED))], 0),
        ([backend(VIOLATED)], 1),
        ([backend(INCONCLUSIVE)], 3),
        ([backend(INCONCLUSIVE), backend(VIOLATED)], 1),
        ([backend(Finding(MERGE, Verdict.HELD)), backend(INCONCLUSIVE)], 3),
        ([backend(Finding(MERGE, Verdict.HELD), Finding(HINT, Verdict.VIOLATED))], 0),
        (
            [
                backend(
                    Finding(MERGE, Verdict.HELD),
                    Finding(HINT, Verdict.VIOLATED),
                    is_strict=True,
                )
            ],
            1,
        ),
    ],
)
def test_the_exit_code_follows_from_the_backends(backends: list[BackendReport], code: int) -> None:
    """0 conformant, 1 not, 3 could not be found out; a violation comes first."""
    assert report(*backends).exit_code == code


def test_a_report_is_written_as_plain_ascii_json(tmp_path: Path) -> None:
    """Folders are made, and whatever a store answered can be read by anything."""
    path = tmp_path / "new" / "folder" / "report.json"
    hostile = Finding(MERGE, Verdict.VIOLATED, headline="\x1b[31m \ud800 ☃")
    written = report(backend(hostile))
    write(written, path)
    text = path.read_bytes().decode("ascii")
    assert text.endswith("}\n")
    assert "\x1b" not in text
    assert json.loads(text) == document(written)
    assert list(path.parent.iterdir()) == [path]


def test_a_report_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    """The umask decides, not the temporary file that it was."""
    before = os.umask(0o027)
    try:
        write(report(), tmp_path / "report.json")
    finally:
        os.umask(before)
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o640


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    """The file is exchanged as a whole: who had opened the old one still reads the old one."""
    path = tmp_path / "report.json"
    write(report(), path)
    with path.open() as old:
        write(report(backend(VIOLATED)), path)
        assert json.load(old)["backends"] == []
    assert len(json.loads(path.read_text())["backends"]) == 1


def test_a_report_that_can_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """Where a folder is in the way nothing is left beside it."""
    (tmp_path / "report.json").mkdir()
    with pytest.raises(UnwritableError, match=re.escape("report.json")):
        write(report(), tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == [tmp_path / "report.json"]


def test_a_report_that_can_not_be_worded_leaves_the_old_one(tmp_path: Path) -> None:
    """Whole or not at all: the earlier file stands."""
    path = tmp_path / "report.json"
    write(report(), path)
    before = path.read_bytes()
    unwordable = report(backend(Finding(MERGE, Verdict.HELD, demanded=object())))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        write(unwordable, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "report.json"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    """What it leads to is written."""
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    link.symlink_to(target)
    write(report(), link)
    assert link.is_symlink()
    assert json.loads(target.read_text())["seed"] == report().seed


def test_a_pipe_is_written_to_once(tmp_path: Path) -> None:
    """It stays a pipe, and whoever reads it reads one report, whole."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(path.read_text)
        write(report(), path, is_last=False)
        write(report(), path)
        assert json.loads(read.result())["seed"] == report().seed
    assert path.is_fifo()


def test_a_file_that_may_not_be_written_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although its folder lets another take its place."""
    path = tmp_path / "report.json"
    path.write_text("kept")
    monkeypatch.setattr(os, "access", lambda *_: False)  # to root nothing is forbidden
    with pytest.raises(UnwritableError, match="Permission denied"):
        write(report(), path)
    assert path.read_text() == "kept"
