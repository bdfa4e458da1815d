"""The baseline: the violations that an author admits, each with a reason, strict both ways."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import catalogue
from .names import nearest
from .values import printable
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TABLE = "admitted"
KINDS: dict[str, tuple[type, str]] = {
    "clause": (str, "a text"),
    "reason": (str, "a text"),
    "backend": (str, "a text"),
    "link": (str, "a text"),
    "expires": (date, "a date, written like 2027-01-31 and without quotes"),
    "sometimes": (bool, "true or false"),
    "undecided": (bool, "true or false"),
}
MOST_NAMED = 3
"""Clauses that a message names before it counts the rest."""


class BaselineError(ValueError):
    """A baseline that can't be used as it is written: one line that says why."""


@dataclass(frozen=True)
class Entry:
    """One admitted violation."""

    clause: str
    reason: str = ""
    """Why it is admitted; a run refuses a baseline in which one is empty."""
    backend: str | None = None
    """The name of the backend that it is about; without one it is about each that is tried."""
    link: str | None = None
    expires: date | None = None
    """The last day on which it is admitted."""
    sometimes: bool = False
    """Whether the clause is violated in some runs and holds in others, as a race may."""
    undecided: bool = False
    """Whether what is admitted is that another defect keeps the clause from a verdict."""

    def is_about(self, backend: str) -> bool:
        """Answer whether it speaks of a backend of this name."""
        return self.backend in {None, backend}

    def worded(self) -> str:
        """Word why the violation is admitted, in one line."""
        beside = [self.link] if self.link else []
        beside += [f"until {self.expires}"] if self.expires else []
        return f"{self.reason.strip()} ({'; '.join(beside)})" if beside else self.reason.strip()


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Baseline:
    """What an author admits of one backend or several."""

    path: str
    """The file, as the author named it."""
    entries: tuple[Entry, ...] = ()
    today: date | None = None
    """The day that entries expire by; without one, today in UTC."""

    def entry(self, clause_id: str, backend: str) -> Entry | None:
        """Find what admits a violation; what names the backend goes before what does not."""
        found = [one for one in self.entries if one.clause == clause_id and one.is_about(backend)]
        return max(found, key=lambda one: one.backend is not None, default=None)

    def judged(self, finding: Finding, backend: str) -> Finding:
        """Answer the finding as the baseline has it: admitted, stale, expired, or as it was."""
        entry = self.entry(finding.clause.id, backend)
        if entry is None:
            return finding
        if finding.verdict is Verdict.HELD:
            return self._of_what_holds(finding, entry)
        if finding.verdict is Verdict.VIOLATED and entry.undecided:
            said = f"{self.path} admits that it is undecided, not that it is violated"
            return replace(finding, reason=said)
        if not _is_admitted_by(entry, finding):
            return finding
        undecided = finding.reason if entry.undecided else None
        if self._has_expired(entry):
            said = f"{self.path} admitted it until {entry.expires}: {entry.reason.strip()}"
            return replace(finding, reason=_joined(undecided, said))
        said = _joined(undecided and f"undecided: {undecided}", entry.worded())
        return replace(finding, verdict=Verdict.ADMITTED, reason=said)

    def _of_what_holds(self, finding: Finding, entry: Entry) -> Finding:
        if entry.sometimes:
            said = f"held this time; admitted: {entry.worded()}"
            return replace(finding, reason=_joined(finding.reason, said))
        said = _joined(finding.reason, self._stale(entry))
        return replace(finding, reason=said, is_stale=True)

    def remarks(self, backend: str, findings: Iterable[Finding]) -> Iterator[str]:
        """Word which entries about a backend nothing was found out for, and why."""
        verdicts = {one.clause.id: one for one in findings}
        ids: dict[str, list[str]] = defaultdict(list)
        for entry in self.entries:
            if self.entry(entry.clause, backend) is not entry:
                continue
            finding = verdicts.get(entry.clause)
            if finding is None:
                ids["the clause is of another contract"].append(entry.clause)
            elif finding.verdict in {Verdict.INCONCLUSIVE, Verdict.FAULTED, Verdict.NOT_APPLICABLE}:
                why = f"{finding.verdict}: see {finding.owner}" if finding.owner else finding.reason
                ids[why or str(finding.verdict)].append(entry.clause)
        for why, clauses in ids.items():
            yield printable(f"{self.path} admits {_listed(clauses)}, not found out: {why}")

    def elsewhere(self, backends: Iterable[str]) -> Iterator[str]:
        """Word which entries are about a backend that was not tried."""
        names = list(backends)
        ids: dict[str, list[str]] = defaultdict(list)
        for entry in self.entries:
            if entry.backend is not None and entry.backend not in names:
                ids[entry.backend].append(entry.clause)
        for name, clauses in ids.items():
            said = f"{self.path} admits {_listed(clauses)} of {name!r}, which was not tried"
            yield printable(f"{said}{nearest(name, names)}")

    def told_stale(self, held: list[str]) -> str:
        """Say in one line of what holds that it is admitted, and the way out."""
        so = "which holds: remove the entry" if len(held) == 1 else "which hold: remove the entries"
        return printable(f"{self.path} is stale: it admits {_listed(held)}, {so}")

    def _has_expired(self, entry: Entry) -> bool:
        return entry.expires is not None and entry.expires < (self.today or _today())

    def _stale(self, entry: Entry) -> str:
        if entry.backend is None:
            also = f"remove the entry, or name in it the backend that it is about (in {self.path})"
        else:
            also = f"remove the entry from {self.path}"
        seldom = "; say `sometimes = true` where it is violated in some runs only"
        return f"the baseline is stale: it admits this clause, which holds: {also}{seldom}"


def _is_admitted_by(entry: Entry, finding: Finding) -> bool:
    if entry.undecided:
        # Not what was never tried, nor what went wrong with the kit or its storage.
        return finding.verdict is Verdict.INCONCLUSIVE and finding.owner is not None
    return finding.verdict is Verdict.VIOLATED


def _joined(reason: str | None, said: str) -> str:
    return "; ".join(filter(None, (reason, said)))


def _listed(clauses: list[str]) -> str:
    named = ", ".join(clauses[:MOST_NAMED])
    more = len(clauses) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


NOTHING = Baseline("")
"""Admits nothing."""


def load(path: Path) -> Baseline:
    """Read a baseline that a run can be judged by.

    Raises:
        BaselineError: it can't be read, or says what can't be meant.
    """
    name = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    entries = parse(read(path), name)
    without = [one.clause for one in entries if not one.reason.strip()]
    if without:
        raise BaselineError(
            f"{name}: no reason is given for {_listed(without)}: say why it is admitted"
        )
    return Baseline(name, entries)


def read(path: Path) -> str:
    """Read the text of a baseline.

    Raises:
        BaselineError: it can't be read.
    """
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise BaselineError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path}: not in UTF-8: {error.reason} at {error.start}") from None


def parse(text: str, path: str) -> tuple[Entry, ...]:
    """Read the entries in a text; reasons may be empty.

    Raises:
        BaselineError: it says what can't be meant.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BaselineError(f"{path}: not TOML: {printable(str(error))}") from None
    except RecursionError:
        raise BaselineError(f"{path}: not a baseline: it is nested too deep") from None
    for key in found:
        if key != TABLE:
            near = nearest(key, [TABLE])
            raise BaselineError(f"{path}: no table {printable(repr(key))} in a baseline{near}")
    tables = found.get(TABLE, [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise BaselineError(f"{path}: {TABLE} is not a list of tables: write [[{TABLE}]]")
    entries = tuple(
        _entry(table, f"{path}: entry {number}") for number, table in enumerate(tables, 1)
    )
    _demand_one_each(entries, path)
    return entries


def _entry(table: dict[str, Any], where: str) -> Entry:
    for key, value in table.items():
        if key not in KINDS:
            raise BaselineError(f"{where}: no key {printable(repr(key))}{nearest(key, KINDS)}")
        kind, what = KINDS[key]
        # A datetime is a date as well, and a Boolean a number.
        if type(value) is not kind:
            raise BaselineError(f"{where}: {key} is {_shown(value)}, not {what}")
    if "clause" not in table:
        raise BaselineError(f"{where}: no clause is named")
    known = _known()
    if table["clause"] not in known:
        name = table["clause"]
        raise BaselineError(f"{where}: no clause {printable(repr(name))}{nearest(name, known)}")
    return Entry(**table)


def _shown(value: object) -> str:
    return printable(repr(value), limit=60)


def _known() -> list[str]:
    return [clause.id for clause in catalogue.select((), contract=None)]


def _demand_one_each(entries: tuple[Entry, ...], path: str) -> None:
    seen = set()
    for entry in entries:
        key = entry.clause, entry.backend
        if key in seen:
            of = f" of {entry.backend!r}" if entry.backend else ""
            raise BaselineError(f"{path}: {entry.clause}{printable(of)} is admitted twice")
        seen.add(key)
