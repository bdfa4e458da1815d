"""Which violations are one defect: the findings of a backend, folded into roots and consequences.

What is known is told apart from what is likely, and a diagnosis that names a known defect is no
likely consequence of anything: two defects stay two.
"""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .clause import Level
from .expect import REFUSAL
from .harness import OWNERS
from .known_defects import FILE, FILES, KnownDefect, blanked, known_defects
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RACING = frozenset({"cancellation", "concurrency"})
"""Areas in which the words of one defect depend on which call came first."""

IN_TURN = frozenset(
    {
        "cancellation.is-all-or-nothing",
        "cancellation.is-passed-on",
        "cancellation.leaks-nothing",
    }
)
"""The clauses of these areas that try one operation after the other, or count what is left when all
have come back: their words are the same."""


SEVERAL = 4
"""Operations of which none works on a fresh store: then it is not they that are wrong."""


@dataclass(frozen=True)
class Defect:
    """One defect: the violation that names it, and what else it leads to, in contract order."""

    root: Finding
    known: tuple[Finding, ...] = ()
    """Violated as well, in the same words, by a store that has this defect alone."""
    probable: tuple[Finding, ...] = ()
    """Violated as well, and probably by the same defect."""
    undecided: tuple[Finding, ...] = ()
    """Without a verdict, for a step that this defect spoils."""

    @property
    def consequences(self) -> tuple[Finding, ...]:
        """The other clauses that it breaks."""
        return self.known + self.probable


def fold(findings: Iterable[Finding], known: Sequence[KnownDefect] | None = None) -> list[Defect]:
    """Answer the defects behind the violations among the findings, in the order of these."""
    findings = list(findings)
    if not any(one.verdict is Verdict.VIOLATED for one in findings):
        return []  # without a look at the file
    if known is None:
        known = known_defects(FILES.get(findings[0].clause.area, FILE))
    return _Folding(findings, known).defects()


def admitted_causes(findings: Iterable[Finding]) -> dict[str, str]:
    """Answer the violated clauses that are consequences of an admitted one, each with that one."""
    findings = list(findings)
    admitted = {one.clause.id for one in findings if one.verdict is Verdict.ADMITTED}
    if not admitted:
        return {}
    as_found = [
        replace(one, verdict=Verdict.VIOLATED)
        if one.verdict is Verdict.ADMITTED and one.headline
        else one
        for one in findings
    ]
    return {
        one.clause.id: defect.root.clause.id
        for defect in fold(as_found)
        if defect.root.clause.id in admitted
        for one in defect.consequences
        if one.clause.id not in admitted
    }


def with_owners(findings: Iterable[Finding]) -> list[Finding]:
    """Answer the findings; what has no verdict for a step leads to where the step is found wrong.

    The clause that owns an operation may have held, where another one says what is wrong with it.
    """
    findings = list(findings)
    held = {one.clause.id for one in findings if one.verdict is Verdict.HELD}
    wrong: dict[str, str] = {}
    for one in findings:
        if one.judged and one.verdict in {Verdict.VIOLATED, Verdict.ADMITTED}:
            wrong.setdefault(one.judged, one.clause.id)
    return [_led_to(one, wrong) if one.owner in held else one for one in findings]


def _led_to(finding: Finding, wrong: Mapping[str, str]) -> Finding:
    reason = finding.reason or ""
    owner = wrong.get(reason.partition("(")[0])
    if finding.verdict is not Verdict.INCONCLUSIVE or owner is None:
        return finding
    return replace(finding, owner=owner, reason=f"{reason.removesuffix(str(finding.owner))}{owner}")


def with_reasons(findings: Iterable[Finding]) -> list[Finding]:
    """Answer the findings; one that is a consequence of a defect says so in its reason."""
    findings = list(findings)
    reasons: dict[str, str] = {}
    for defect in fold(findings):
        reason = f"a consequence of {defect.root.clause.id}"
        reasons |= {one.clause.id: reason for one in defect.known}
        reasons |= {one.clause.id: f"probably {reason}" for one in defect.probable}
    return [
        replace(one, reason="; ".join(filter(None, (reasons[one.clause.id], one.reason))))
        if one.clause.id in reasons
        else one
        for one in findings
    ]


def lines(defect: Defect) -> list[str]:
    """Word what else a defect leads to, within 80 columns; none when that is nothing."""
    said = (
        ("also violated, as with this defect alone: ", defect.known),
        ("also violated, probably by the same defect: ", defect.probable),
    )
    return [
        line
        for words, clauses in said
        if clauses
        for line in textwrap.wrap(
            words + ", ".join(one.clause.id for one in clauses),
            80,
            initial_indent="    ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def numbers(defects: Sequence[Defect]) -> str:
    """Say how many clauses are violated, by how many defects."""
    clauses = sum(1 + len(one.consequences) for one in defects)
    return (
        f"{clauses} violated clause{'s'[: clauses != 1]}, "
        f"{len(defects)} defect{'s'[: len(defects) != 1]}"
    )


class _Folding:
    def __init__(self, findings: list[Finding], known: Sequence[KnownDefect]) -> None:
        self._findings = findings
        self._violated = {one.clause.id: one for one in findings if one.verdict is Verdict.VIOLATED}
        self._order = {clause: number for number, clause in enumerate(self._violated)}
        self._held = {one.clause.id for one in findings if one.verdict is Verdict.HELD}
        self._diagnoses = {(one.clause, one.headline) for one in known}
        self._all_known = known
        self._seen = [one for one in known if self._names(one)]
        self._known: dict[str, str] = {}
        """From a clause to the root whose known consequence it is."""
        self._probable: dict[str, str] = {}
        """From a clause to the one that it probably follows from."""

    def defects(self) -> list[Defect]:
        self._explain_by_known_defects()
        self._join_equal_failures()
        self._join_failures_of_first_calls()
        for clause in self._violated:
            if self._is_root(clause):
                self._find_cause(clause)
        return [self._defect(clause) for clause in self._violated if self._root(clause) == clause]

    def _defect(self, root: str) -> Defect:
        members = [one for one in self._violated if one != root and self._root(one) == root]
        return Defect(
            self._violated[root],
            tuple(self._violated[one] for one in members if self._known.get(one) == root),
            tuple(self._violated[one] for one in members if self._known.get(one) != root),
            tuple(
                one
                for one in self._findings
                if one.verdict is Verdict.INCONCLUSIVE
                and one.owner in self._violated
                and self._root(one.owner) == root
            ),
        )

    def _root(self, clause: str) -> str:
        while not self._is_root(clause):
            clause = self._known.get(clause) or self._probable[clause]
        return clause

    def _is_root(self, clause: str) -> bool:
        return clause not in self._known and clause not in self._probable

    # what is known -------------------------------------------------------------------------------

    def _explain_by_known_defects(self) -> None:
        """Take the defects one by one, first the one that explains the most."""
        left = set(self._violated)
        while candidates := [one for one in self._seen if one.clause in left]:
            best = max(candidates, key=lambda one: self._fit(one, left))
            explained = self._explained(best) & left
            left -= explained
            self._known |= dict.fromkeys(explained - {best.clause}, best.clause)

    def _fit(self, known: KnownDefect, left: set[str]) -> tuple[int, int, int]:
        """What it explains counts for it; what it would have broken, and held, against it."""
        held = sum(clause in self._held for clause in known.consequences)
        explained = len(self._explained(known) & left)
        return explained - held, -held, -self._order[known.clause]

    def _explained(self, known: KnownDefect) -> set[str]:
        return {known.clause} | {
            clause
            for clause, headline in known.consequences.items()
            if clause in self._violated and self._says(clause, headline)
        }

    def _names(self, known: KnownDefect) -> bool:
        return known.clause in self._violated and self._headline(known.clause) == known.headline

    def _says(self, clause: str, headline: str) -> bool:
        # What a property clause says depends on the values that were drawn.
        races = self._violated[clause].clause.area in RACING and clause not in IN_TURN
        return races or self._is_property(clause) or self._headline(clause) == headline

    def _headline(self, clause: str) -> str:
        return blanked(self._violated[clause].headline or "")

    def _is_property(self, clause: str) -> bool:
        return self._violated[clause].clause.examples is not None

    # what is likely ------------------------------------------------------------------------------

    def _join_equal_failures(self) -> None:
        """One exception of one operation is one defect, under the clause that owns it."""
        equal: Mapping[tuple[str, str], list[str]] = defaultdict(list)
        for clause, finding in self._violated.items():
            if (failure := _failure(finding)) is not None:
                equal[failure].append(clause)
        for (operation, _), clauses in equal.items():
            roots = {self._root(one) for one in clauses}
            owner = OWNERS.get(operation)
            first = owner if owner in roots else min(roots, key=self._order.__getitem__)
            self._probable |= dict.fromkeys(roots - {first}, first)

    def _join_failures_of_first_calls(self) -> None:
        """One exception of several operations, each the first on a fresh store, is one defect."""
        equal: Mapping[str, list[str]] = defaultdict(list)
        for clause, finding in self._violated.items():
            if _is_of_a_first_call(finding):
                equal[_unquoted(finding)].append(clause)
        for clauses in equal.values():
            operations = {self._violated[one].judged for one in clauses}
            if len(operations) >= SEVERAL:
                first, *others = {self._root(one): None for one in clauses}
                self._probable |= dict.fromkeys(others, first)

    def _find_cause(self, clause: str) -> None:
        for cause in self._violated:
            if self._root(cause) != clause and self._explains(cause, clause):
                self._probable[clause] = cause
                return

    def _explains(self, cause: str, clause: str) -> bool:
        finding, other = self._violated[clause], self._violated[cause]
        if finding.clause.level is Level.MUST and other.clause.level is not Level.MUST:
            return False
        is_same_operation = finding.judged is not None and finding.judged == other.judged
        if finding.clause.covers:
            is_covered = other.clause.area in finding.clause.covers and not other.clause.covers
            return is_covered and _is_led_to(finding, other, is_same_operation=is_same_operation)
        is_named = (clause, self._headline(clause)) in self._diagnoses
        if cause in finding.clause.follows:
            is_said_alike = self._headline(cause) == self._headline(clause)
            return is_same_operation and (
                not is_named or is_said_alike or _is_same_answer(finding, other)
            )
        if is_named:
            return False
        if self._is_property(clause) and not self._is_property(cause):
            return is_same_operation
        return self._is_kin(cause, clause, is_same_operation=is_same_operation)

    def _is_kin(self, cause: str, clause: str, *, is_same_operation: bool) -> bool:
        """Whether a known defect of the one clause breaks the other, in whatever words."""
        if any(one.clause == cause for one in self._seen):
            return any(one.clause == cause and clause in one.consequences for one in self._seen)
        return is_same_operation and any(
            one.clause == cause and clause in one.consequences for one in self._all_known
        )


def _is_led_to(finding: Finding, cause: Finding, *, is_same_operation: bool) -> bool:
    """Whether what a clause of a whole area is told may come from what a clause of a part is told.

    An exception comes from a defect that raises the same. What a store takes and ought to refuse
    shows where it is taken, and nowhere else: nothing else of the kind is handed over.
    """
    if _is_failure(finding):
        return _is_failure(cause) and _unquoted(finding) == _unquoted(cause)
    return is_same_operation or cause.demanded != REFUSAL


def _unquoted(finding: Finding) -> str:
    """What was answered, but for ids and values, which are drawn."""
    return re.sub(r"'[^']*'", "''", blanked(finding.answered or ""))


def _is_same_answer(one: Finding, other: Finding) -> bool:
    return blanked(one.answered or "") == blanked(other.answered or "")


def _failure(finding: Finding) -> tuple[str, str] | None:
    """Answer operation and what came instead of an answer; None where an answer was judged."""
    answered = blanked(finding.answered or "")
    return (finding.judged, answered) if finding.judged and _is_failure(finding) else None


def _is_of_a_first_call(finding: Finding) -> bool:
    """Whether the first call of all raised, as where a store can't be opened.

    An operation that is not implemented says nothing of another one that is not, either.
    """
    answered = finding.answered or ""
    is_of_the_store = answered.startswith("raised ") and "NotImplementedError" not in answered
    return is_of_the_store and len(finding.witness) == 1


def _is_failure(finding: Finding) -> bool:
    answered = finding.answered or ""
    return answered.startswith(("raised ", "did not answer in time", "the process "))
