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
    members: int
    """Members of a long list. From `normal` on past 32,767, where statements have no more
    parameters and 16 bits end."""
    sessions: int
    """Sessions at the same time: past 128, where caches forget; then past 1,024, where pages end;
    then past 10,000, where search results do."""
    long_sessions: int
    """Sessions with a history of 100,000 characters: past 1 MiB together, where diskcache is told
    to evict; then past 10 MiB, where LMDB's map ends, as long as nobody says anything else."""
    few_sessions: int
    """Sessions on a place with few of them; one with many has 100 times as many."""
    points: int
    """Await points of an operation at which it is cancelled; few operations have as many."""
    kills: int
    """Processes that are killed while they write."""
    limit: float
    """Seconds that one clause may take altogether."""


EFFORTS = {
    effort.name: effort
    for effort in (
        Effort(
            "quick",
            examples=10,
            rounds=2,
            size=70_000,
            members=3_000,
            sessions=150,
            long_sessions=12,
            few_sessions=2,
            points=8,
            kills=2,
            limit=60,
        ),
        Effort(
            "normal",
            examples=40,
            rounds=5,
            size=300_000,
            members=33_000,
            sessions=1_100,
            long_sessions=108,
            few_sessions=5,
            points=40,
            kills=3,
            limit=120,
        ),
        Effort(
            "thorough",
            examples=400,
            rounds=40,
            size=5_000_000,
            members=70_000,
            sessions=12_000,
            long_sessions=1_100,
            few_sessions=40,
            points=1000,
            kills=60,
            limit=3600,
        ),
    )
}
QUICK = EFFORTS["quick"]
NORMAL = EFFORTS["normal"]
THOROUGH = EFFORTS["thorough"]
