"""The report as JSON: every clause of the contract for every backend, in contract order."""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from .. import catalogue
from ..baseline import NOTHING, Baseline
from ..drivers import DRIVERS
from ..folding import with_reasons
from ..verdict import Conclusion, Finding, conclude, count
from ..version import __version__

SCHEMA = 1
PACKAGES = (*DRIVERS.values(), "fastapi", "hypothesis", "msgspec", "pytest", "uvicorn")
"""Whose versions are reported, where they are installed."""


class UnwritableError(Exception):
    """The report can't be written where it was asked for."""


@dataclass
class BackendReport:
    """What was found out about one backend."""

    name: str
    target: str
    storage: str
    profile: str
    capabilities: frozenset[str]
    """What is claimed; of a chat server, what it can do."""
    findings: list[Finding]
    server: str | None = None
    is_strict: bool = False
    drivers: tuple[str, ...] = ()
    """What it talks to the server through, with versions, as far as that was seen."""

    @property
    def conclusion(self) -> Conclusion:
        """What its findings amount to."""
        return conclude(self.findings, is_strict=self.is_strict)


@dataclass
class Report:
    """What one run found out."""

    seed: int
    effort: str
    options: tuple[str, ...] = ()
    """How the target was to be taken, in words of the command line: what tries it again."""
    backends: list[BackendReport] = field(default_factory=list)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    duration: float = 0.0
    contract: catalogue.Contract = catalogue.STORE
    """Whose clauses were tried."""
    baseline: Baseline = NOTHING
    """What was admitted beforehand."""

    @property
    def exit_code(self) -> int:
        """0 conformant, 1 not, 2 the baseline is stale, 3 could not be found out."""
        conclusions = {backend.conclusion for backend in self.backends}
        if Conclusion.NONCONFORMANT in conclusions:
            return 1
        if self.stale() is not None:
            return 2
        if not conclusions or Conclusion.INCOMPLETE in conclusions:
            return 3
        return 0

    def stale(self) -> str | None:
        """Say in one line what the baseline admits that holds; None where that is nothing."""
        held = [
            f"{one.clause.id} of {backend.name}"
            for backend in self.backends
            for one in backend.findings
            if one.is_stale
        ]
        return self.baseline.told_stale(held) if held else None

    def judge(self, baseline: Baseline) -> None:
        """Judge what was found by a baseline."""
        self.baseline = baseline
        for backend in self.backends:
            found = backend.findings
            backend.findings = [baseline.judged(finding, backend.name) for finding in found]


class Undertaking(Protocol):
    """What a run and a proof have in common: how they can be repeated, and how long they took."""

    seed: int
    effort: str
    started_at: datetime
    duration: float


def document(report: Report) -> dict[str, Any]:
    """Word a report as plain data."""
    return {
        **envelope(report, report.contract),
        "backends": [_backend(backend) for backend in report.backends],
    }


def envelope(report: Undertaking, contract: catalogue.Contract = catalogue.STORE) -> dict[str, Any]:
    """Word what every report says of itself."""
    return {
        "schema": SCHEMA,
        "kit": {"version": __version__},
        "contract": {
            # The store's has no name: it was there first.
            **({} if contract is catalogue.STORE else {"name": contract.name}),
            "version": contract.version,
            "digest": catalogue.digest(contract),
        },
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": _versions(),
        },
        "seed": report.seed,
        "effort": report.effort,
        "started_at": report.started_at.isoformat(timespec="seconds"),
        "duration_s": round(report.duration, 3),
    }


def write(report: Report, path: Path, *, is_last: bool = True) -> None:
    """Write the report, whole or not at all; folders are made.

    Unless it is the last time, this does nothing where something else than a file stands, such as
    a pipe: all that is written there would be read.

    Raises:
        UnwritableError: it can't be written there; one line that says why.
    """
    if is_last or not _is_special(path):
        write_plain(document(report), path)


def write_plain(worded: dict[str, Any], path: Path) -> None:
    """Write a report that was worded, whole or not at all; folders are made.

    Raises:
        UnwritableError: it can't be written there; one line that says why.
    """
    write_text(json.dumps(worded, indent=1, ensure_ascii=True) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a text as UTF-8, whole or not at all; folders are made.

    Raises:
        UnwritableError: it can't be written there; one line that says why.
    """
    try:
        _write(text, path)
    except OSError as error:
        raise UnwritableError(f"{path}: {error.strerror or error}") from None


def require_writable(path: Path) -> None:
    """See that a file can be written there, before there is anything to be lost.

    Raises:
        UnwritableError: it can't, as far as that can be known; one line that says why.
    """
    if path.is_dir():
        raise UnwritableError(f"{path}: {os.strerror(errno.EISDIR)}")
    real = path.resolve()  # a link stays one
    there = next(one for one in (real, *real.parents) if one.exists())
    if not there.is_dir() and there != real:
        raise UnwritableError(f"{path}: {os.strerror(errno.ENOTDIR)}")
    # A file is written beside the one that is there, and takes its place.
    needed = [there] if there.is_dir() or _is_special(path) else [there, there.parent]
    if not all(os.access(one, os.W_OK) for one in needed):
        raise UnwritableError(f"{path}: {os.strerror(errno.EACCES)}")


def _is_special(path: Path) -> bool:
    """Answer whether a device, a pipe or the like stands there."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _write(text: str, path: Path) -> None:
    if _is_special(path):
        # Written to: to put a file in its place would take it away from whoever reads it.
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        return
    path = path.resolve()  # a link stays one
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, delete=False, encoding="utf-8", newline="\n"
    ) as file:
        try:
            file.write(text)
            file.close()
            mask = os.umask(0)
            os.umask(mask)
            Path(file.name).chmod(0o666 & ~mask)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _backend(backend: BackendReport) -> dict[str, Any]:
    return {
        "name": backend.name,
        "target": backend.target,
        "storage": backend.storage,
        "server": backend.server,
        "drivers": list(backend.drivers),
        "profile": backend.profile,
        "capabilities": sorted(backend.capabilities),
        # What the verdict follows from; absent it is not strict.
        **({"strict": True} if backend.is_strict else {}),
        "verdict": str(backend.conclusion),
        "counts": count(backend.findings),
        "clauses": [_clause(finding) for finding in with_reasons(backend.findings)],
    }


def _clause(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.clause.id,
        "level": str(finding.clause.level),
        "verdict": str(finding.verdict),
        "duration_s": round(finding.duration, 4),
        "headline": finding.headline,
        "witness": list(finding.witness),
        "program": list(finding.program),
        "demanded": finding.demanded,
        "answered": finding.answered,
        "remedy": finding.clause.remedy if finding.headline else None,
        "reason": finding.reason,
        **({"stale": True} if finding.is_stale else {}),
    }


def _versions() -> dict[str, str]:
    found = (
        {"python-sqlite": sys.modules["sqlite3"].sqlite_version} if "sqlite3" in sys.modules else {}
    )
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
