"""No false alarm, over many seeds: a lane of its own, `make soak`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reference_backends import HTTP, MEMORY, NULL, POSTGRES, SQLITE
from sessionstore_contract.verdict import Verdict

from ..designs import DESIGNS
from ..writing_over import WRITING_OVER
from .lots import Lot, Yard, accusations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sessionstore_contract import Backend

SEEDS = int(os.environ.get("SOAK_SEEDS", "100"))
FIRST = int(os.environ.get("SOAK_FIRST_SEED", "1"))
AT_A_TIME = 10
"""Seeds in one test: few enough to be shared out between workers."""

BACKENDS = (NULL, MEMORY, SQLITE, WRITING_OVER, POSTGRES, HTTP, *DESIGNS)


@pytest.mark.soak
@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, AT_A_TIME), ids="from-{}".format)
def test_a_correct_store_is_not_accused(
    backend: Backend, first: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Whatever the seed, the order, the zone, the load and what was left on the place."""
    seeds = range(first, min(first + AT_A_TIME, FIRST + SEEDS))
    accused: list[str] = []
    tried = 0
    with Yard(backend, str(tmp_path)) as yard:
        for lot in map(Lot.of, seeds):
            findings = yard.try_lot(lot)
            tried += sum(one.verdict is not Verdict.NOT_APPLICABLE for one in findings)
            accused += accusations(lot, findings, backend.name)
    record_property("soak-lots", len(seeds))
    record_property("soak-trials", tried)
    record_property("soak-accusations", len(accused))
    if accused:
        pytest.fail("\n\n".join(accused), pytrace=False)
