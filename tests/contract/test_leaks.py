"""What is left behind is counted against what is there to stay."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sessionstore_contract.contract.procedures import leaks
from sessionstore_contract.storage import uvicorn_service

THREADS_THAT_END = 2


class Held:
    """What a store holds, and what ends while others count: one of them every second time."""

    def __init__(self, leaking: int) -> None:
        self.leaking = leaking
        self.leaked = self.looked = 0
        self.stand = SimpleNamespace(census=self.census, history=SimpleNamespace(timeout=1.0))

    async def census(self) -> dict[str, int]:
        self.looked += 1
        ending = max(0, THREADS_THAT_END - self.looked // 2)
        return {"thread": 1 + ending + self.leaked, "task": 1}

    async def cycle(self) -> None:
        self.leaked += self.leaking


@pytest.mark.parametrize(("leaking", "found"), [(1, {"thread": 3}), (0, {})])
async def test_what_goes_away_hides_nothing(
    leaking: int, found: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that were told to end before are waited for; a leak is seen beside them."""
    monkeypatch.setattr(leaks, "PATIENCE", 0.3)
    held = Held(leaking)
    assert await leaks.left_behind(cast("Any", held), held.cycle) == found


def test_an_idle_connection_outlasts_the_patience_for_what_goes_away() -> None:
    """Else the kit's platform closes it, and the store gets the credit."""
    assert uvicorn_service.KEEP_ALIVE > 2 * leaks.PATIENCE * leaks.LOOKS
