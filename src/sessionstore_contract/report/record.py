"""A report that was read, as typed data."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..clause import Level
    from ..proof import Outcome
    from ..verdict import Conclusion, Verdict


@dataclass(frozen=True)
class Head:
    """What a report says of itself."""

    source: str
    """Where it was read from."""
    kit: str
    contract: str
    """The contract's name."""
    version: str
    digest: str
    python: str
    platform: str
    packages: Mapping[str, str]
    seed: int
    effort: str
    started_at: str
    duration: float


@dataclass(frozen=True)
class ClauseRecord:
    """What a report says of one clause."""

    id: str
    level: Level
    verdict: Verdict
    headline: str | None = None
    witness: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    demanded: str | None = None
    answered: str | None = None
    remedy: str | None = None
    reason: str | None = None
    duration: float = 0.0
    is_stale: bool = False
    """Whether a baseline admits it, although it holds."""


@dataclass(frozen=True)
class SubjectRecord:
    """What a report says of what was tried."""

    name: str
    target: str
    storage: str
    server: str | None
    profile: str
    capabilities: tuple[str, ...]
    drivers: tuple[str, ...] = ()


@dataclass(frozen=True)
class BackendRecord:
    """What a report says of one backend."""

    head: Head
    subject: SubjectRecord
    conclusion: Conclusion
    counts: Mapping[str, int]
    clauses: tuple[ClauseRecord, ...]
    is_strict: bool

    @property
    def name(self) -> str:
        return self.subject.name

    @functools.cached_property
    def by_id(self) -> Mapping[str, ClauseRecord]:
        """The clauses by their ids."""
        return {clause.id: clause for clause in self.clauses}


@dataclass(frozen=True)
class RunRecord:
    """The report of a run."""

    head: Head
    backends: tuple[BackendRecord, ...]


@dataclass(frozen=True)
class CatchRecord:
    """A clause that caught a defect."""

    clause: str
    level: Level
    headline: str | None


@dataclass(frozen=True)
class DefectRecord:
    """What became of one defect."""

    name: str
    sentence: str
    meant: str
    outcome: Outcome
    is_caught: bool
    catches: tuple[CatchRecord, ...]
    reason: str | None


@dataclass(frozen=True)
class ProofRecord:
    """The report of a proof."""

    head: Head
    subject: SubjectRecord
    notes: tuple[str, ...]
    left_out: Mapping[str, Verdict]
    """Clauses that do not hold without a defect, and so catch nothing."""
    counts: Mapping[str, int]
    defects: tuple[DefectRecord, ...]
