"""How long the judge takes: `python -m tests.linearizability.benchmark`.

Processor time, so that other work on the machine does not count. A figure is no test.
"""

from __future__ import annotations

import statistics
import sys
import time
from random import Random
from typing import TYPE_CHECKING

from sessionstore_contract.linearizability import Judgement, judge, overlapping_pairs

from .simulation import WHOLE, WITHOUT_DELETE, Simulation

if TYPE_CHECKING:
    from collections.abc import Mapping


def measure(
    size: int, clients: int, seed: int, mix: Mapping[str, float], **rest: float | str
) -> tuple[float, Judgement, float]:
    """Judge a simulated history: seconds, judgement, and overlaps for each operation."""
    simulation = Simulation(Random(seed), clients=clients, mix=dict(mix), keys=4, **rest)  # type: ignore[arg-type]
    operations = simulation.history(size)
    began = time.process_time()
    found = judge(operations)
    took = time.process_time() - began
    return took, found, overlapping_pairs(operations) / size


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    say("one long history without delete, confirmed by the model")
    for clients in (8, 32):
        took, found, overlaps = measure(50_000, clients, 1, WITHOUT_DELETE)
        say(
            f"  50,000 operations, {clients:2} clients, {overlaps:4.1f} overlaps each: "
            f"{took:5.1f} s, {found.situations:,} situations, {found.ruling}"
        )
    say("the whole interface, 200 operations, 16 clients, 100 histories")
    for unknown in (0.0, 0.05, 0.2):
        runs = [measure(200, 16, seed, WHOLE, unknown=unknown) for seed in range(100)]
        times = [took for took, *_ in runs]
        rulings = sorted({str(found.ruling) for _, found, _ in runs})
        say(
            f"  {unknown:4.0%} unknown: median {statistics.median(times):.3f} s, "
            f"worst {max(times):.3f} s, {', '.join(rulings)}"
        )
    say("a planted defect, with its counterexample")
    for size, clients in ((2_000, 8), (2_000, 32)):
        for defect in ("lost update", "stale read", "torn update", "reset cost data"):
            took, found, _ = measure(size, clients, 1, WITHOUT_DELETE, defect=defect)
            say(
                f"  {size:,} operations, {clients:2} clients, {defect:15}: {took:5.1f} s, "
                f"{found.ruling}, counterexample of {len(found.counterexample)}"
            )


if __name__ == "__main__":
    main()
