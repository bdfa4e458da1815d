"""A run from beginning to end: targets found, storages prepared, clauses tried, report written."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .capabilities import profile_of
from .contract import CLAUSES
from .report.document import BackendReport, Report, write
from .runs import not_tried
from .storage import StorageUnavailableError
from .storage.elsewhere import NamedPlace
from .storage.selection import PostgresChoice, server_held
from .supervisor import Crew, Order, RefusedError, UnavailableError
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .backend import Claims
    from .clause import Clause
    from .effort import Effort


@dataclass(frozen=True)
class Plan:
    """What the command line asks for."""

    targets: tuple[str, ...]
    claims: Claims
    clauses: tuple[Clause, ...]
    postgres: str
    effort: Effort
    seed: int
    workers: int = 1
    is_strict: bool = False
    json_path: Path | None = None


class Conductor:
    """Runs a plan; whatever happens, `report` says of every clause what is known by then."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.report = Report(plan.seed, plan.effort.name)
        self._say = say
        self._began = time.monotonic()

    def run(self) -> None:
        """Run the plan.

        Raises:
            RefusedError: the command was wrong.
            UnwritableError: the report can't be written.
        """
        with _run_folder() as folder:
            crews: list[Crew] = []
            try:
                for number, target in enumerate(self.plan.targets):
                    crews.append(Crew.gather(self._order(target, folder / str(number))))
                for crew in crews:
                    self._enlist(crew)
                self._write()
                for crew, backend in zip(crews, self.report.backends, strict=True):
                    self._try(crew, backend)
                    self._write()
            finally:
                for crew in crews:
                    crew.stop()
                self._write()

    def _order(self, target: str, folder: Path) -> Order:
        plan = self.plan
        return Order(
            target,
            plan.claims,
            PostgresChoice(plan.postgres, str(folder.parent)),
            plan.seed,
            plan.effort,
            folder,
        )

    def _enlist(self, crew: Crew) -> None:
        described = crew.described
        self.report.backends.append(
            BackendReport(
                described.name,
                crew.order.target,
                described.storage,
                profile_of(described.capabilities),
                described.capabilities,
                not_tried(CLAUSES, described.capabilities, "the run was stopped before it"),
                is_strict=self.plan.is_strict,
            )
        )

    def _try(self, crew: Crew, backend: BackendReport) -> None:
        tried = [
            finding.clause
            for finding in backend.findings
            if finding.verdict is Verdict.INCONCLUSIVE and finding.clause in self.plan.clauses
        ]
        self._set_aside(backend, tried)
        postgres = crew.order.postgres
        try:
            with server_held(backend.storage, postgres):
                self._try_on_storage(crew, backend, tried)
        except (StorageUnavailableError, UnavailableError) as error:
            if postgres.server != "auto" or postgres.dsn is not None:
                raise RefusedError(str(error)) from None
            self._say(f"{backend.name}: {error}")
            for clause in tried:
                _record(backend, Finding(clause, Verdict.FAULTED, reason=str(error)))

    def _try_on_storage(self, crew: Crew, backend: BackendReport, tried: list[Clause]) -> None:
        crew.prepare()
        self._say(f"{backend.name}: trying {len(tried)} clauses")
        # A place that was named is one for all: clauses at once on it would meet each other.
        workers = 1 if backend.storage == NamedPlace.name else self.plan.workers
        crew.try_all(tried, workers, lambda finding: _record(backend, finding))
        backend.server = crew.server

    def _set_aside(self, backend: BackendReport, tried: list[Clause]) -> None:
        for finding in list(backend.findings):
            if finding.verdict is Verdict.INCONCLUSIVE and finding.clause not in tried:
                _record(
                    backend,
                    Finding(
                        finding.clause, Verdict.INCONCLUSIVE, reason="not selected to be tried"
                    ),
                )

    def _write(self) -> None:
        self.report.duration = time.monotonic() - self._began
        if self.plan.json_path is not None and self.report.backends:
            write(self.report, self.plan.json_path)


def _record(backend: BackendReport, finding: Finding) -> None:
    place = CLAUSES.index(finding.clause)
    backend.findings[place] = finding


@contextmanager
def _run_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sessionstore-run-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
