"""A whole contract in this process: for scripts, notebooks and other test frameworks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

import reference_backends
from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract import Backend, StorageUnavailableError, check, check_sync, runs
from sessionstore_contract.catalogue import select
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.report.document import document
from sessionstore_contract.verdict import Conclusion, Verdict

from . import hostile

QUICK = EFFORTS["quick"]


def test_a_right_store_is_conformant() -> None:
    """The report has every clause, and the exit code that the command would have."""
    report = check_sync(reference_backends.MEMORY, effort=QUICK, seed=1)

    assert report.exit_code == 0
    assert [one.clause for one in report.backends[0].findings] == list(CLAUSES)
    assert document(report)["backends"][0]["verdict"] == "conformant"


def test_a_baseline_judges_here_as_well(tmp_path: Path) -> None:
    """What holds and is admitted is stale, also in a notebook."""
    path = tmp_path / "b.toml"
    path.write_text('[[admitted]]\nclause = "ephemeral.keeps-nothing"\nreason = "r"\n')
    chosen = select(["ephemeral"])
    report = check_sync(reference_backends.NULL, effort=QUICK, clauses=chosen, baseline=path)

    assert report.exit_code == 2
    assert document(report)["backends"][0]["verdict"] == "incomplete"
    with pytest.raises(ValueError, match="No such file"):
        check_sync(reference_backends.NULL, baseline=tmp_path / "none.toml")


def test_files_are_in_memory_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a run of the command are; they go with the run."""
    monkeypatch.setattr(runs, "folder_for_places", lambda: tmp_path)
    places: list[str] = []

    def opened(path: str) -> SqliteSessionStore:
        places.append(path)
        return SqliteSessionStore(path)

    check_sync(Backend("mine", open=opened), effort=QUICK, clauses=select(["cost.starts-empty"]))
    assert places
    assert all(Path(place).is_relative_to(tmp_path) for place in places)
    assert not list(tmp_path.iterdir())


async def test_the_running_loop_goes_on_while_a_backend_is_tried() -> None:
    """`check` can be awaited in a loop that has other things to do, also with a blocking store."""
    backend = Backend(
        "blocks",
        open=hostile.BlocksTheLoop,
        storage="none",
        profile="ephemeral",
        adding=["persistence", "cost-read"],
        timeout=0.3,
    )
    ticks, began = 0, time.monotonic()
    trying = asyncio.ensure_future(check(backend, effort=QUICK, clauses=select(["cost"])))
    while not trying.done():
        await asyncio.sleep(0.01)
        ticks += 1
    report = trying.result()

    assert report.backends[0].conclusion is Conclusion.NONCONFORMANT
    assert ticks > (time.monotonic() - began) / 0.01 / 20, "the loop was held up"


def test_what_was_not_chosen_is_not_held() -> None:
    """A selection can't make a store conformant."""
    report = check_sync(reference_backends.NULL, clauses=select(["ephemeral"]), effort=QUICK)

    assert report.exit_code == 3
    reasons = {
        one.reason for one in report.backends[0].findings if one.verdict is Verdict.INCONCLUSIVE
    }
    assert reasons == {"not selected to be tried"}


def test_a_server_that_nobody_answers_on_is_told_in_one_line() -> None:
    """Nothing was tried, so there is no report."""
    backend = Backend("pg", open=reference_backends.open_postgres, storage="postgres")
    with pytest.raises(StorageUnavailableError, match=r"no PostgreSQL answers at 127\.0\.0\.1:1:"):
        check_sync(backend, postgres="postgresql://u:secret@127.0.0.1:1/x", effort=QUICK)
