"""Histories written down in short, and drawn at random."""

from __future__ import annotations

from random import Random
from typing import Any

from sessionstore_contract.linearizability import Operation, Outcome

from .simulation import DEFECTS, WHOLE, WITHOUT_DELETE, Simulation

HALF = [{"content": "half"}]
DONE = [{"content": "done"}]


def written(*calls: tuple[Any, ...]) -> list[Operation]:
    """A history from (began, ended, operation, argument if any, answer); unknown without an end."""
    operations = []
    for number, (began, ended, operation, *rest) in enumerate(calls, 1):
        argument, answer = rest if len(rest) == 2 else (None, *rest)
        outcome = Outcome.UNKNOWN if ended is None else Outcome.OK
        operations.append(Operation(number, operation, argument, answer, outcome, began, ended))
    return operations


def drawn(seed: int) -> tuple[Simulation, list[Operation]]:
    """A small history of any kind, perhaps with a defect, small enough for brute force."""
    random = Random(seed)
    simulation = Simulation(
        random,
        clients=random.choice([1, 2, 3, 4, 6]),
        mix=random.choice([WHOLE, WHOLE, WITHOUT_DELETE]),
        keys=random.choice([1, 2, 3]),
        unknown=random.choice([0, 0, 0.3]),
        values=random.choice([None, None, 2, 3]),
        defect=random.choice([None, *DEFECTS]),
    )
    return simulation, simulation.history(random.choice([5, 6, 7, 8, 9]))
