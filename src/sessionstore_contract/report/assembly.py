"""Several runs as one matrix: its columns and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import catalogue
from ..catalogue import CONTRACTS
from .columns import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..clause import Clause, Level
    from .record import BackendRecord, Head, RunRecord


@dataclass(frozen=True)
class Row:
    """A clause that at least one of the runs has tried."""

    id: str
    level: Level
    clause: Clause | None
    """What this kit knows of it; None when it is of another version of the contract."""

    @property
    def area(self) -> str:
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Assembly:
    """The backends of several runs, and every clause that one of them has."""

    runs: tuple[RunRecord, ...]
    backends: tuple[BackendRecord, ...]
    names: tuple[str, ...]
    """What each backend is called, so that no two are called the same."""
    rows: tuple[Row, ...]

    def titles(self) -> list[str]:
        """Name the contracts with their versions."""
        return list(dict.fromkeys(title_of(run.head) for run in self.runs))

    def strangers(self) -> list[RunRecord]:
        """Answer the runs of which the clauses are not, word for word, those of this kit."""
        return [
            run
            for run in self.runs
            if run.head.contract not in CONTRACTS
            or run.head.digest != catalogue.digest(CONTRACTS[run.head.contract])
        ]


def title_of(head: Head) -> str:
    """Name a contract with its version, as this kit calls it if it knows it."""
    known = CONTRACTS.get(head.contract)
    title = known.title.removeprefix("The ") if known else f"contract {head.contract}"
    return f"{title} {head.version}"


def assemble(runs: Iterable[RunRecord]) -> Assembly:
    """Put runs into one matrix, in the order given; the clauses are in that of the contract."""
    runs = tuple(runs)
    backends = tuple(backend for run in runs for backend in run.backends)
    return Assembly(runs, backends, tuple(names(backends)), tuple(_rows(backends)))


def _rows(backends: Sequence[BackendRecord]) -> Iterator[Row]:
    levels = {clause.id: clause.level for one in backends for clause in one.clauses}
    known = {
        clause.id: clause
        for contract in CONTRACTS.values()
        for clause in contract.clauses
        if clause.id in levels
    }
    rows = [
        Row(one, known[one].level if one in known else levels[one], known.get(one))
        for one in (*known, *(one for one in levels if one not in known))
    ]
    # What another version has stands at the end of its area.
    areas = list(dict.fromkeys(row.area for row in rows))
    yield from sorted(rows, key=lambda row: areas.index(row.area))
