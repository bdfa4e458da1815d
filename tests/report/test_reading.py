"""Reports that are read again: typed, or refused in one line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.report.document import write
from sessionstore_contract.report.reading import UnreadableError, read, recorded
from sessionstore_contract.report.record import ProofRecord, RunRecord
from sessionstore_contract.verdict import Conclusion, Finding, Verdict

from .findings import MERGE, VIOLATED, backend, read_run, report, said_of
from .test_shape import PROOF

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "\x1b[31m</script><b>\ud800\u202e"


def test_a_report_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Each value in its place, and of its type."""
    path = tmp_path / "report.json"
    write(report(backend(VIOLATED, server="SQLite 3.45.1", is_strict=True)), path)
    run = read_run(path)
    (found,) = run.backends
    (clause,) = found.clauses
    assert (run.head.source, run.head.seed, run.head.contract) == (str(path), 7, "store")
    assert (found.name, found.subject.server, found.is_strict) == ("mine", "SQLite 3.45.1", True)
    assert found.conclusion is Conclusion.NONCONFORMANT
    assert found.counts["violated"] == 1
    assert clause.verdict is Verdict.VIOLATED
    assert clause.witness == VIOLATED.witness
    assert found.by_id == {"cost.merges": clause}


def test_a_proof_is_read_as_well() -> None:
    """It is another kind of report, and no run."""
    proof = recorded(PROOF)
    assert isinstance(proof, ProofRecord)
    assert [one.name for one in proof.defects] == ["merge-goes-deep"]
    assert proof.left_out == {"cost.merges": Verdict.VIOLATED}


def test_whatever_a_store_answered_comes_back() -> None:
    """It is text, with nothing done to it yet."""
    run = recorded(said_of(backend(Finding(MERGE, Verdict.VIOLATED, headline=HOSTILE))))
    assert isinstance(run, RunRecord)
    assert run.backends[0].clauses[0].headline == HOSTILE


WHOLE = json.dumps(said_of(backend(VIOLATED)))

MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is no JSON: Expecting value at line 1, column 1"),
    "cut off": (WHOLE[:300].encode(), "is no JSON: "),
    "not text": (b"\xff\xfe{", "is not UTF-8, and so no JSON"),
    "a list": (b"[]", "is no report: it is [], not object"),
    "an object": (b"{}", "is no report: it has no 'schema'"),
    "another schema": (b'{"schema": 2}', "is of schema 2; this kit reads schema 1"),
    "a level": (WHOLE.replace('"must"', '"much"').encode(), "is no report: backends[0].clauses[0]"),
    "not a number": (WHOLE.replace('"seed": 7', '"seed": NaN').encode(), "is no JSON: NaN"),
    "infinite": (WHOLE.replace('"seed": 7', '"seed": 1e999').encode(), "seed is inf"),
    "many digits": (WHOLE.replace('"seed": 7', f'"seed": {"9" * 9999}').encode(), "is no JSON"),
    "deep": (b"[" * 100_000, "is no report: it is nested too deep"),
    "a key twice": (b'{"schema": 1, "schema": 1}', "is no JSON: 'schema' is there twice"),
    "control characters": (b'{"schema": "\\u001b[31m"}', r"is of schema '\x1b[31m'"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    """It names the file, says what is wrong, and is short."""
    content, words = MALFORMED[name]
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_can_not_be_read_is_refused(name: str, tmp_path: Path) -> None:
    """In the words of the system."""
    with pytest.raises(UnreadableError, match=re.escape(f"{tmp_path / name}: ")):
        read(tmp_path / name)


def test_a_clause_that_is_there_twice_is_refused() -> None:
    """Of two verdicts on one clause none is one."""
    twice = said_of(backend(VIOLATED, VIOLATED))
    with pytest.raises(UnreadableError, match=r"clause 'cost\.merges' is there twice"):
        recorded(twice)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """Some shells put one before what they write to a file."""
    path = tmp_path / "report.json"
    said: dict[str, Any] = said_of()
    path.write_text(json.dumps(said), encoding="utf-8-sig")
    assert isinstance(read(path), RunRecord)
