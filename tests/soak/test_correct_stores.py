"""Each correct store is tried once by half of the clauses, in an order and a zone of its own.

What `make soak` does with all of them and many seeds, in the short.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ..designs import DESIGNS
from ..drawn import is_drawn
from .lots import Lot, Yard, accusations

if TYPE_CHECKING:
    from pathlib import Path

    from sessionstore_contract import Backend

LEFT_TO_THE_SOAK = {
    *("SlowStore", "RoundedSecondsStore", "WholeSecondsStore"),
    *("WrongClockStore", "LimitedStore", "FullStore"),
    *("TokenStore", "LentStore"),
    *("CachingStore", "FileStore, from files of before"),
    *("FileStore, by a coroutine", "RowsStore, by a context manager"),
}
"""They wait rather than work, take long, have a server as the reference backends have, or open
otherwise than a store that is tried here."""

LOTS = [
    (backend, replace(Lot.of(number % 3 + 1), neighbours=0))
    for number, backend in enumerate(DESIGNS)
    if backend.name not in LEFT_TO_THE_SOAK
]


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "lot"), LOTS, ids=[backend.name for backend, _ in LOTS])
def test_a_correct_store_holds_every_clause(backend: Backend, lot: Lot, tmp_path: Path) -> None:
    """No clause accuses a store that does it right, with the gaps as they are."""
    with Yard(backend, str(tmp_path)) as yard:
        tried = [one for one in yard.order(lot) if is_drawn(one.id, backend.name, one_in=2)]
        assert accusations(lot, yard.try_clauses(tried, lot), backend.name) == []
