"""What a proof found out: which defects are caught on one backend, and by which clauses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from .contract import PLACE
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .capabilities import Capability
    from .clause import Clause
    from .defects import Defect


class Outcome(StrEnum):
    """What became of one defect."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    UNDECIDED = "undecided"
    NOT_APPLICABLE = "not-applicable"


@dataclass
class DefectReport:
    """What the clauses said of one defect."""

    defect: Defect
    clauses: tuple[Clause, ...] | None = None
    """Those that are to be tried on it, as they held without it; None until that is known."""
    inapplicable: str | None = None
    """Why it can't be seen on this backend."""
    findings: dict[Clause, Finding] = field(default_factory=dict)

    @property
    def catches(self) -> list[Finding]:
        """The violations, the one of the clause that is meant to name it first."""
        found = [one for one in self.findings.values() if one.verdict is Verdict.VIOLATED]
        return sorted(
            found, key=lambda one: (one.clause != self.defect.clause, PLACE[one.clause.id])
        )

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        if self.inapplicable is not None:
            return Outcome.NOT_APPLICABLE
        if self.catches:
            return Outcome.CAUGHT
        return Outcome.SURVIVED if self._doubt() is None else Outcome.UNDECIDED

    @property
    def reason(self) -> str | None:
        """Why it was not caught; None when it was."""
        match self.outcome:
            case Outcome.CAUGHT:
                return None
            case Outcome.NOT_APPLICABLE:
                return self.inapplicable
            case Outcome.UNDECIDED:
                return self._doubt()
        meant = self.findings[self.defect.clause]
        said = f": {meant.reason}" if meant.reason else ""
        return f"{self.defect.clause.id} is meant to name it, and is {meant.verdict}{said}"

    def _doubt(self) -> str | None:
        """Say why nothing follows from it that no clause is violated; None when something does."""
        meant = self.defect.clause
        if self.clauses is None:
            return "the proof ended before it was tried"
        if meant not in self.clauses:
            return f"{meant.id} is meant to name it, and does not hold without it"
        if len(self.findings) < len(self.clauses):
            return "the proof ended before all its clauses were tried"
        faults = [one for one in self.findings.values() if one.verdict is Verdict.FAULTED]
        return faults[0].reason if faults else None


@dataclass
class Proof:
    """What one proof found out."""

    target: str
    seed: int
    effort: str
    options: tuple[str, ...] = ()
    """What the command line says of the target's claims and storage."""
    name: str = ""
    storage: str = ""
    server: str | None = None
    profile: str = ""
    capabilities: frozenset[Capability] = frozenset()
    control: list[Finding] = field(default_factory=list)
    """What the clauses said of the backend without a defect."""
    defects: list[DefectReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a reader must know of it, a sentence each."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    duration: float = 0.0

    @property
    def left_out(self) -> list[Finding]:
        """Findings without a defect that keep their clauses from catching one."""
        return [one for one in self.control if one.verdict is not Verdict.HELD]

    def having(self, outcome: Outcome) -> list[DefectReport]:
        """Answer the defects of which that became."""
        return [one for one in self.defects if one.outcome is outcome]

    @property
    def exit_code(self) -> int:
        """0 all are caught, 1 one survived, 3 could not be found out."""
        if self.having(Outcome.SURVIVED):
            return 1
        return 3 if self.having(Outcome.UNDECIDED) or not self.having(Outcome.CAUGHT) else 0


def reports_on(defects: Iterable[Defect], claims: Iterable[Capability]) -> list[DefectReport]:
    """Begin a report on each defect: of those that can't be seen it is all there is to say."""
    claimed = frozenset(claims)
    return [DefectReport(one, inapplicable=one.missing(claimed)) for one in defects]
