"""What was found out about one clause, and about a backend altogether."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from .clause import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .clause import Clause


NOT_SELECTED = "not selected to be tried"
STOPPED = "the run was stopped before it"
"""Reasons of clauses that were not tried."""


class Verdict(StrEnum):
    """What was found out about one clause."""

    HELD = "held"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"
    ADMITTED = "admitted"
    FAULTED = "faulted"


class Conclusion(StrEnum):
    """What was found out about a backend."""

    CONFORMANT = "conformant"
    ADMITTING = "conformant-with-admissions"
    NONCONFORMANT = "nonconformant"
    INCOMPLETE = "incomplete"


FROM_WORST = (
    Conclusion.NONCONFORMANT,
    Conclusion.INCOMPLETE,
    Conclusion.ADMITTING,
    Conclusion.CONFORMANT,
)


@dataclass(frozen=True)
class Finding:
    """The verdict on one clause, with what shows it."""

    clause: Clause
    verdict: Verdict
    headline: str | None = None
    """The diagnosis of a violation, in a few words."""
    witness: tuple[str, ...] = ()
    """The history, a line for each step."""
    program: tuple[str, ...] = ()
    """The same as Python that can be pasted into a test, of a clause that draws examples."""
    demanded: str | None = None
    answered: str | None = None
    reason: str | None = None
    """Why there is no verdict, or a remark beside one."""
    owner: str | None = None
    """The clause that owns the step which kept this one from a verdict."""
    picture: str | None = None
    """The file of the page that shows it; the witness is then a drawing."""
    judged: str | None = None
    """The operation whose answer broke the clause."""
    is_stale: bool = False
    """Whether a baseline admits the clause, which holds."""
    hung: tuple[str, ...] = field(default=(), compare=False)
    """Operations that did not come back, or ended the process."""
    duration: float = field(default=0.0, compare=False)
    """Seconds."""

    def packed(self) -> dict[str, Any]:
        """Word it as plain data, for the way between processes."""
        return {**vars(self), "clause": self.clause.id, "verdict": str(self.verdict)}

    @classmethod
    def unpacked(cls, said: Mapping[str, Any], clause: Clause) -> Finding:
        """Read what came from another process."""
        lists = {name: tuple(said[name]) for name in ("witness", "program", "hung")}
        return cls(**{**said, **lists, "clause": clause, "verdict": Verdict(said["verdict"])})


class HasVerdict(Protocol):
    """A finding, or what a report says of one."""

    @property
    def verdict(self) -> Verdict: ...


def conclude(findings: Iterable[Finding], *, is_strict: bool = False) -> Conclusion:
    """Conclude from the findings on all clauses.

    A backend is conformant only when every MUST clause that applies (and with `is_strict` every
    SHOULD clause) was tried and held, and at least one was.
    """
    return conclude_from(((one.clause.level, one.verdict) for one in findings), is_strict=is_strict)


def conclude_from(
    verdicts_by_level: Iterable[tuple[Level, Verdict]], *, is_strict: bool = False
) -> Conclusion:
    """Conclude from the verdicts alone, each with the level of its clause."""
    deciding = {Level.MUST, Level.SHOULD} if is_strict else {Level.MUST}
    verdicts = {verdict for level, verdict in verdicts_by_level if level in deciding}
    if Verdict.VIOLATED in verdicts:
        return Conclusion.NONCONFORMANT
    if verdicts & {Verdict.INCONCLUSIVE, Verdict.FAULTED} or Verdict.HELD not in verdicts:
        return Conclusion.INCOMPLETE
    return Conclusion.ADMITTING if Verdict.ADMITTED in verdicts else Conclusion.CONFORMANT


def count(findings: Iterable[HasVerdict]) -> dict[str, int]:
    """Count the findings by verdict; every verdict is there."""
    found = Counter(one.verdict for one in findings)
    return {str(verdict): found[verdict] for verdict in Verdict}
