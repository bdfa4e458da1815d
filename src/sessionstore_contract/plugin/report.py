"""The folder of a report that a pytest session writes in the end: what `run --report` writes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ..catalogue import CONTRACTS
from ..effort import EFFORTS
from ..report.document import BackendReport, Report, UnwritableError
from ..report.files import make_folder, write_runs
from ..runs import not_tried
from ..verdict import NOT_SELECTED, Verdict
from .tried import Tried, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..verdict import Finding

CLAUSES = {clause.id: clause for one in CONTRACTS.values() for clause in one.clauses}


@dataclass
class _Group:
    """What one function of contract tests has found out."""

    tried: Tried
    findings: dict[str, Finding] = field(default_factory=dict)
    drivers: set[str] = field(default_factory=set)

    def take(self, finding: Finding, drivers: tuple[str, ...]) -> None:
        """Add a finding; of a clause that is tried twice, a violation stays."""
        self.drivers.update(drivers)  # some are imported late
        earlier = self.findings.get(finding.clause.id)
        if earlier is None or earlier.verdict is not Verdict.VIOLATED:
            self.findings[finding.clause.id] = finding

    def reported(self, target: str) -> BackendReport:
        """Word it as of a run: every clause of the contract has a verdict."""
        tried, effort = self.tried, EFFORTS[self.tried.effort]
        return BackendReport(
            tried.name,
            target,
            tried.storage,
            tried.profile,
            frozenset(tried.capabilities),
            [
                self.findings.get(clause.id)
                or not_tried(clause, tried.capabilities, NOT_SELECTED, effort)
                for clause in CONTRACTS[tried.contract].clauses
            ],
            tried.server,
            tried.is_strict,
            drivers=tuple(sorted(self.drivers)),
        )


class SessionReport:
    """Gathers what the contract tests of a session found, in whatever process, and writes it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        Raises:
            UnwritableError: nothing can be written there.
        """
        make_folder(folder)
        self._folder = folder
        self._told: dict[str, str] = {}
        self._began, self._started_at = time.monotonic(), datetime.now(UTC)
        self._said = "no contract test has run"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what the report of a test brings along; of one that was run again, the last."""
        told = getattr(report, "sessionstore_told", None)
        if told is not None:
            self._told[report.nodeid] = told

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write, whatever the session has come to; where that fails it has not gone well."""
        reports = list(self.reports())
        if not reports:
            return
        try:
            write_runs(reports, self._folder)
        except UnwritableError as error:
            self._said = f"not written: {error}"
            session.exitstatus = session.exitstatus or pytest.ExitCode.USAGE_ERROR
        else:
            self._said = str(self._folder / "index.html")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where it is."""
        terminalreporter.write_line(f"report of the contract tests: {self._said}")

    def reports(self) -> Iterator[Report]:
        """Yield a report for each contract that was tried."""
        groups: dict[str, _Group] = {}
        for nodeid, told in sorted(self._told.items()):
            finding, tried = unpacked(told, CLAUSES)
            target = nodeid.partition("[")[0]
            groups.setdefault(target, _Group(tried)).take(finding, tried.drivers)
        for contract in CONTRACTS.values():
            of_it = {
                target: one for target, one in groups.items() if one.tried.contract == contract.name
            }
            if of_it:
                first = next(iter(of_it.values())).tried
                yield Report(
                    first.seed,
                    first.effort,
                    backends=[group.reported(target) for target, group in of_it.items()],
                    started_at=self._started_at,
                    duration=time.monotonic() - self._began,
                    contract=contract,
                )
