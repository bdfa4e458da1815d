"""How long the judge takes: `python -m tests.linearizability.benchmark [PICTURE.svg]`.

Processor time, so that other work on the machine does not count. A figure is no test.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from sessionstore_contract.bench.plot import Line, svg
from sessionstore_contract.linearizability import Judgement, judge, overlapping_pairs

from .simulation import WHOLE, WITHOUT_DELETE, Simulation

if TYPE_CHECKING:
    from collections.abc import Mapping


SIZES = (1_000, 5_000, 10_000, 25_000, 50_000)


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


def grow() -> list[Line]:
    """Judge longer and longer histories; the bound for the last is 10 s."""
    say("one long history without delete, confirmed by the model")
    lines = []
    for number, clients in enumerate((8, 32)):
        points = []
        for size in SIZES:
            took, found, overlaps = measure(size, clients, 1, WITHOUT_DELETE)
            points.append((float(size), took))
            say(
                f"  {size:6,} operations, {clients:2} clients, {overlaps:4.1f} overlaps each: "
                f"{took:5.2f} s, {found.situations:,} situations, {found.ruling}"
            )
        lines.append(Line(f"{clients} clients", points, number))
    return lines


def main() -> None:
    lines = grow()
    if len(sys.argv) > 1:
        picture = Path(sys.argv[1])
        picture.parent.mkdir(parents=True, exist_ok=True)
        title = "How long the judge takes for one session"
        picture.write_text(svg(title, "operations", "seconds", lines), encoding="utf-8")
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
