"""The step under way is left behind whole, whatever it was called with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sessionstore_contract.history import Step
from sessionstore_contract.trial_process import RECORD, FlightRecorder, clear_away

if TYPE_CHECKING:
    from pathlib import Path


def test_the_longest_call_can_be_read_again(tmp_path: Path) -> None:
    """Characters that JSON escapes to twelve bytes each still fit."""
    recorder = FlightRecorder(str(tmp_path / "record"))
    step = Step(1, 1, "save", ("\U0001f600" * 500,), {}, is_expected=True, began=1, began_at=0.0)
    recorder.note(step)

    record = (tmp_path / "record").read_bytes()
    assert len(record) == RECORD
    assert json.loads(record)["operation"] == "save"


def test_a_step_of_an_earlier_clause_is_forgotten(tmp_path: Path) -> None:
    """What ends the process before the next call is not blamed on the last one."""
    recorder = FlightRecorder(str(tmp_path / "record"))
    recorder.note(Step(1, 1, "close", (), {}, is_expected=False, began=1, began_at=0.0))
    recorder.clear()

    assert (tmp_path / "record").read_bytes().strip() == b""


def test_the_last_process_of_a_run_clears_its_folder_away(tmp_path: Path) -> None:
    """What others still use stays, and nothing above the folder of the run goes."""
    run = tmp_path / "run"
    first, second = run / "0" / "worker-0", run / "0" / "worker-1"
    for own in (first, second):
        (own / "places").mkdir(parents=True)
        (own / "places" / "sessions.db").write_bytes(b"x")
    clear_away(first, run)
    assert not first.exists()
    assert (second / "places" / "sessions.db").exists()
    clear_away(second, run)
    assert not run.exists()
    assert tmp_path.exists()


def test_the_last_process_takes_a_lock_along_that_no_keeper_came_to(tmp_path: Path) -> None:
    """A run may be killed before the server that it has begun to start has a keeper."""
    run = tmp_path / "run"
    own = run / "0" / "worker-0"
    own.mkdir(parents=True)
    (run / "postgres.lock").touch()
    clear_away(own, run)
    assert not run.exists()
