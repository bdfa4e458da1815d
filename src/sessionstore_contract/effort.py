"""How much a clause tries before it says that a store held it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much is tried, and how long it may take."""

    name: str
    examples: int
    """Examples that a property clause draws."""
    rounds: int
    """Rounds that a race is run."""
    size: int
    """Characters in a large value: past 65,535, where MySQL's TEXT cuts, at every effort."""
    points: int
    """Await points of an operation at which it is cancelled; few operations have as many."""
    sessions: int
    """Sessions on a place with few of them; one with many has 100 times as many."""
    limit: float
    """Seconds that one clause may take altogether."""


EFFORTS = {
    effort.name: effort
    for effort in (
        Effort("quick", examples=10, rounds=2, size=70_000, points=8, sessions=2, limit=60),
        Effort("normal", examples=40, rounds=5, size=300_000, points=40, sessions=5, limit=120),
        Effort(
            "thorough",
            examples=400,
            rounds=40,
            size=5_000_000,
            points=1000,
            sessions=40,
            limit=3600,
        ),
    )
}
NORMAL = EFFORTS["normal"]
