"""A run in this process: every clause tried on one backend."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .baseline import NOTHING, load
from .capabilities import profile_of
from .contract import CLAUSES
from .effort import NORMAL, Effort
from .harness import Conditions, provided, try_clause
from .report.document import BackendReport, Report
from .seed import new_seed
from .storage.in_memory import folder_for_places
from .storage.selection import PostgresChoice
from .verdict import NOT_SELECTED, STOPPED, Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .backend import Backend
    from .clause import Clause


def not_tried(
    clause: Clause, claims: Iterable[str], reason: str, effort: Effort | None = None
) -> Finding:
    """Word what there is to say of a clause that was not tried."""
    inapplicable = clause.missing(claims, effort)
    verdict = Verdict.NOT_APPLICABLE if inapplicable else Verdict.INCONCLUSIVE
    return Finding(clause, verdict, reason=inapplicable or reason)


def begun(
    clauses: Iterable[Clause],
    chosen: Iterable[Clause],
    claims: Iterable[str],
    effort: Effort | None = None,
) -> list[Finding]:
    """Word what there is to say of each clause before the first of the chosen is tried."""
    chosen, claims = set(chosen), frozenset(claims)
    return [
        not_tried(clause, claims, STOPPED if clause in chosen else NOT_SELECTED, effort)
        for clause in clauses
    ]


def check_sync(
    backend: Backend,
    *,
    clauses: Iterable[Clause] = CLAUSES,
    seed: int | None = None,
    effort: Effort = NORMAL,
    postgres: str = "auto",
    is_strict: bool = False,
    baseline: str | Path | None = None,
) -> Report:
    """Try a backend in this process and answer the report; a store that ends it ends the run.

    Raises:
        StorageUnavailableError: the storage can't be had; one line that says why.
        ValueError: the baseline can't be used; one line that says why.
    """
    admitted = NOTHING if baseline is None else load(Path(baseline))
    conditions = Conditions(new_seed() if seed is None else seed, effort)
    report = Report(conditions.seed, effort.name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sessionstore-", dir=folder_for_places()) as folder:
        choice = PostgresChoice(postgres, folder)
        with provided(backend, choice, files=Path(folder)) as provider:
            with provider.fresh():
                pass  # whether there are places at all is told before the first clause
            chosen = set(clauses)
            findings = [
                try_clause(clause, backend, provider, conditions)
                if clause in chosen
                else not_tried(clause, backend.capabilities, NOT_SELECTED, effort)
                for clause in CLAUSES
            ]
            server = provider.server()
    report.duration = time.monotonic() - began
    report.backends.append(
        BackendReport(
            backend.name,
            backend.name,
            backend.storage_name,
            profile_of(backend.capabilities),
            backend.capabilities,
            findings,
            server,
            is_strict,
        )
    )
    report.judge(admitted)
    return report


async def check(backend: Backend, **rest: object) -> Report:
    """Try a backend without blocking the running loop; the same as `check_sync`."""
    return await asyncio.to_thread(check_sync, backend, **rest)  # type: ignore[arg-type]
