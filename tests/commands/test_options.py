"""The options of the command line that several commands have."""

from __future__ import annotations

import os

import pytest

from sessionstore_contract.commands.options import MOST_WORKERS, _workers


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="asks the system for its cores")
@pytest.mark.parametrize(("cores", "workers"), [(1, 2), (2, 3), (3, 4), (64, MOST_WORKERS)])
def test_one_worker_more_than_cores(
    cores: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clauses wait, and a core is free meanwhile; of a machine with many a few are enough."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert _workers() == workers
