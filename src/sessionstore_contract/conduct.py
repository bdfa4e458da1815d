"""A run from beginning to end: targets found, storages prepared, clauses tried, report written."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .baseline import NOTHING, Baseline
from .capabilities import profile_of
from .contract import CLAUSES, PLACE
from .crew import Crew, Task
from .effort import NORMAL
from .folding import with_owners
from .report.document import BackendReport, Report, write
from .runs import begun
from .storage import StorageUnavailableError
from .storage.elsewhere import NamedPlace
from .storage.in_memory import folder_for_places
from .storage.selection import PostgresChoice, server_held
from .trial_worker import Order, RefusedError, UnavailableError
from .verdict import STOPPED, Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .backend import Claims
    from .clause import Clause
    from .effort import Effort
    from .report.progress import Progress
    from .stopping import StopRequest


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
    baseline: Baseline = NOTHING

    def options(self) -> tuple[str, ...]:
        """Word what tries a clause of it again; a DSN is left out, for the password in it."""
        effort = () if self.effort is NORMAL else ("--effort", self.effort.name)
        is_kept = PostgresChoice(self.postgres, "").is_kept_by_name
        server = ("--postgres", self.postgres) if is_kept else ()
        return (*self.claims.options(), *server, *effort, "--seed", str(self.seed))


@dataclass(frozen=True)
class _Attempt:
    """One backend of the run, and the clauses that are to be tried on it."""

    crew: Crew
    backend: BackendReport
    clauses: list[Clause]
    baseline: Baseline
    progress: Progress

    def record(self, _: Task, finding: Finding) -> None:
        self.tell(finding)
        self.progress.step()

    def tell(self, finding: Finding) -> None:
        judged = self.baseline.judged(finding, self.backend.name)
        self.backend.findings[PLACE[finding.clause.id]] = judged


class Conductor:
    """Runs a plan; whatever happens, `report` says of every clause what is known by then."""

    def __init__(self, plan: Plan, stop: StopRequest, progress: Progress) -> None:
        self.plan = plan
        self._stop = stop
        self.report = Report(plan.seed, plan.effort.name, plan.options())
        self.report.baseline = plan.baseline
        self._progress = progress
        self._began = time.monotonic()
        self._is_refused = False

    def run(self) -> None:
        """Run the plan.

        Raises:
            RefusedError: the command was wrong.
            UnwritableError: the report can't be written.
            StoppedError: the run was asked to stop; the report says what is known by then.
        """
        with run_folder(folder_for_places()) as folder, ExitStack() as servers:
            crews: list[Crew] = []
            try:
                workers, is_alone = self.plan.workers, len(self.plan.targets) == 1
                for number, target in enumerate(self.plan.targets):
                    order = self._order(target, folder / str(number))
                    crews.append(Crew.gather(order, workers=workers, is_alone=is_alone))
                attempts = [self._enlist(crew) for crew in crews]
                self._write(is_last=False)
                # All storages before the first clause: a mistake is told before an hour's work.
                ready = [attempt for attempt in attempts if self._prepare(attempt, servers)]
                for attempt in ready:
                    self._try(attempt)
                    self._write(is_last=False)
            except RefusedError:
                self._is_refused = True
                raise
            finally:
                for crew in crews:
                    crew.stop()
                self._progress.clear()
                self._write()

    def judge(self, baseline: Baseline) -> None:
        """Judge what was found by another baseline, and report it.

        Raises:
            UnwritableError: the report can't be written.
        """
        self.report.judge(baseline)
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
            self._stop,
        )

    def _enlist(self, crew: Crew) -> _Attempt:
        described = crew.described
        findings = begun(CLAUSES, self.plan.clauses, described.capabilities, self.plan.effort)
        backend = BackendReport(
            described.name,
            crew.order.target,
            described.storage,
            profile_of(described.capabilities),
            described.capabilities,
            findings,
            is_strict=self.plan.is_strict,
        )
        self.report.backends.append(backend)
        clauses = [finding.clause for finding in findings if finding.reason == STOPPED]
        return _Attempt(crew, backend, clauses, self.plan.baseline, self._progress)

    def _prepare(self, attempt: _Attempt, servers: ExitStack) -> bool:
        """Get the storage ready; answer whether there is anything to be tried on."""
        postgres = attempt.crew.order.postgres
        try:
            servers.enter_context(server_held(attempt.backend.storage, postgres, self._stop.check))
            attempt.crew.prepare()
        except (StorageUnavailableError, UnavailableError) as error:
            if postgres.server != "auto" or postgres.dsn is not None:
                raise RefusedError(str(error)) from None
            self._progress.say(f"{attempt.backend.name}: {error}")
            for clause in attempt.clauses:
                attempt.tell(Finding(clause, Verdict.FAULTED, reason=str(error)))
            return False
        return True

    def _try(self, attempt: _Attempt) -> None:
        backend, crew = attempt.backend, attempt.crew
        self._progress.begin(backend.name, len(attempt.clauses))
        # A place that was named is one for all: clauses at once on it would meet each other.
        workers = 1 if backend.storage == NamedPlace.name else self.plan.workers
        crew.try_all([Task(clause) for clause in attempt.clauses], workers, attempt.record)
        crew.finish()
        backend.findings = with_owners(backend.findings)
        backend.server, backend.drivers = crew.server, crew.drivers
        self._progress.end(backend.conclusion)

    def _write(self, *, is_last: bool = True) -> None:
        self.report.duration = time.monotonic() - self._began
        # Of a mistake there is nothing to report; of a run that was stopped there always is.
        has_begun = self.report.backends or not self._is_refused
        if self.plan.json_path is not None and has_begun:
            write(self.report, self.plan.json_path, is_last=is_last)


@contextmanager
def run_folder(parent: Path | None = None) -> Iterator[Path]:
    """Lend a folder for all that a run needs; it goes at the end."""
    folder = Path(tempfile.mkdtemp(prefix="sessionstore-run-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
