"""What changed between two reports, and what of it is a regression."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from ..clause import Level
from ..values import printable
from ..verdict import FROM_WORST, NOT_SELECTED, STOPPED, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .record import BackendRecord, ClauseRecord, Head, RunRecord, SubjectRecord

TITLES = (
    *("verdicts", "newly violated", "newly survived", "newly held", "newly caught"),
    *("other changes", "tried differently"),
)
"""What a change can be, in the order of telling."""


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was."""

    kind: str
    words: str
    is_regression: bool = False


@dataclass
class Comparison:
    """What changed between two reports."""

    changes: list[Change] = field(default_factory=list)

    @property
    def regressions(self) -> int:
        """How many changes are for the worse."""
        return sum(one.is_regression for one in self.changes)

    def note(self, kind: str, words: str, *, is_regression: bool = False) -> None:
        """Add a change."""
        self.changes.append(Change(kind, words, is_regression))

    def lines(self) -> Iterator[str]:
        """Word all of it; a regression is marked."""
        for title in TITLES:
            told = [one for one in self.changes if one.kind == title]
            if told:
                yield f"{title}:"
                yield from (
                    printable(f"{'!' if one.is_regression else ' '} {one.words}") for one in told
                )
        if not self.changes:
            yield "nothing changed"
        elif not self.regressions:
            yield "no regression"
        else:
            yield f"{self.regressions} regression{'s'[: self.regressions != 1]}, marked with !"


class IncomparableError(ValueError):
    """The reports are of two contracts; one line that says so."""


def compare(before: RunRecord, after: RunRecord, *, is_strict: bool = False) -> Comparison:
    """Compare two reports; with `is_strict` a SHOULD clause that is newly violated counts as well.

    Raises:
        IncomparableError: they are of two contracts.
    """
    if before.head.contract != after.head.contract:
        raise IncomparableError(
            f"{before.head.source} is of the contract {before.head.contract}, "
            f"{after.head.source} of {after.head.contract}: these have no clause in common"
        )
    found = Comparison()
    for words in of_heads(before.head, after.head):
        found.note("tried differently", words)
    earlier, later = _by_name(before.backends), _by_name(after.backends)
    for name in earlier:
        if name not in later:
            found.note("tried differently", f"{name}: only in {before.head.source}")
    for name, backend in later.items():
        if name in earlier:
            _compare(name, earlier[name], backend, found, is_strict=is_strict)
        else:
            words = f"{name}: only in {after.head.source}, {backend.conclusion}"
            found.note("tried differently", words)
    return found


def of_heads(said: Head, now: Head) -> Iterator[str]:
    """Say how two reports differ in what they say of themselves."""
    for what, was, became in (
        ("contract version", said.version, now.version),
        ("contract digest", said.digest, now.digest),
        ("kit", said.kit, now.kit),
        ("python", said.python, now.python),
        ("effort", said.effort, now.effort),
    ):
        if was != became:
            yield f"{what}: {was} -> {became}"


def _by_name(backends: Iterable[BackendRecord]) -> dict[str, BackendRecord]:
    """Find backends by name; the second one of a name by name and number."""
    numbers: dict[str, int] = defaultdict(int)
    found = {}
    for backend in backends:
        numbers[backend.name] += 1
        number = numbers[backend.name]
        found[f"{backend.name} ({number})" if number > 1 else backend.name] = backend
    return found


def _compare(
    name: str, before: BackendRecord, after: BackendRecord, found: Comparison, *, is_strict: bool
) -> None:
    for words in of_subjects(before.subject, after.subject):
        found.note("tried differently", f"{name}: {words}")
    said = dict.fromkeys(chain(_of_what_was_not_tried(before), _of_what_was_not_tried(after)))
    for words in said:
        found.note("tried differently", f"{name}: {words}")
    # The verdict on a part is another question than that on the whole.
    is_of_parts = bool(_untried(before, NOT_SELECTED) or _untried(after, NOT_SELECTED))
    if before.conclusion is not after.conclusion and not is_of_parts:
        is_worse = FROM_WORST.index(after.conclusion) < FROM_WORST.index(before.conclusion)
        words = f"{name}: {before.conclusion} -> {after.conclusion}"
        found.note("verdicts", words, is_regression=is_worse)
    unknown = {
        *_untried(before, NOT_SELECTED, STOPPED),
        *_untried(after, NOT_SELECTED, STOPPED),
    }
    for clause in after.clauses:
        if clause.id not in unknown:
            _compare_clause(name, before.by_id.get(clause.id), clause, found, is_strict=is_strict)
    for clause in before.clauses:
        if clause.id not in after.by_id:
            words = f"{name}: {clause.id}: {clause.verdict} -> no longer a clause"
            found.note("other changes", words)


def _untried(backend: BackendRecord, *reasons: str) -> list[str]:
    return [
        one.id
        for one in backend.clauses
        if one.verdict is Verdict.INCONCLUSIVE and one.reason in reasons
    ]


def _of_what_was_not_tried(backend: BackendRecord) -> Iterator[str]:
    """Say of which clauses a report says nothing: these are not compared."""
    applying = sum(one.verdict is not Verdict.NOT_APPLICABLE for one in backend.clauses)
    source = backend.head.source
    if left := len(_untried(backend, NOT_SELECTED)):
        tried = f"{source} tried {applying - left} of {applying} clauses"
        yield f"{tried}; the others are not compared, nor is the verdict"
    if left := len(_untried(backend, STOPPED)):
        yield f"{source} was stopped before {left} of {applying} clauses; these are not compared"


def of_subjects(before: SubjectRecord, after: SubjectRecord) -> Iterator[str]:
    """Say how what was tried differs."""
    if before.server != after.server:
        yield f"server {before.server or '-'} -> {after.server or '-'}"
    said, now = set(before.capabilities), set(after.capabilities)
    if said - now:
        yield f"no longer claims {', '.join(sorted(said - now))}"
    if now - said:
        yield f"claims {', '.join(sorted(now - said))} as well"


def _compare_clause(
    name: str,
    before: ClauseRecord | None,
    after: ClauseRecord,
    found: Comparison,
    *,
    is_strict: bool,
) -> None:
    was = before.verdict if before else None
    if was is after.verdict:
        return
    level = "" if after.level is Level.MUST else f" ({after.level.upper()})"
    line = f"{name}: {after.id}{level}: {was or 'no clause then'} -> {after.verdict}"
    told = (after.headline if after.verdict is Verdict.VIOLATED else None) or after.reason
    line += f": {told}" if told else ""
    is_deciding = after.level is Level.MUST or (is_strict and after.level is Level.SHOULD)
    kind = {Verdict.VIOLATED: "newly violated", Verdict.HELD: "newly held"}.get(after.verdict)
    is_regression = is_deciding and _is_lost(was, after.verdict)
    found.note(kind or "other changes", line, is_regression=is_regression)


def _is_lost(was: Verdict | None, verdict: Verdict) -> bool:
    """Whether the clause is newly violated, or held and is now said not to apply."""
    if verdict is Verdict.VIOLATED:
        return True
    return was is Verdict.HELD and verdict is Verdict.NOT_APPLICABLE
