"""A run over the wire: every clause tried on one platform, and the report."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from .catalogue import WIRE
from .effort import NORMAL, Effort
from .report.document import BackendReport, Report
from .runs import begun
from .seed import new_seed
from .wire import CLAUSES
from .wire_trial import WireDesk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .clause import Clause
    from .wire.platform import Platform

PROFILE = "wire"


def storage_of(platform: Platform) -> str:
    """Say where the platform is: behind a URL, or in this process."""
    return "url" if platform.url else "in-process"


class WireRun:
    """Tries clauses on a platform; whatever happens, `report` says what is known by then."""

    def __init__(
        self,
        platform: Platform,
        *,
        clauses: Iterable[Clause] = CLAUSES,
        seed: int | None = None,
        effort: Effort = NORMAL,
        is_strict: bool = False,
    ) -> None:
        self._platform = platform
        self._effort = effort
        self._chosen = set(clauses)
        seed = new_seed() if seed is None else seed
        beside = () if effort is NORMAL else ("--effort", effort.name)
        again = (*platform.options(), *beside, "--seed", str(seed))
        self.report = Report(seed, effort.name, again, contract=WIRE)
        self._backend = BackendReport(
            platform.name,
            platform.url or "in process",
            storage_of(platform),
            PROFILE,
            platform.capabilities,
            begun(CLAUSES, self._chosen, platform.capabilities),
            is_strict=is_strict,
        )
        self.report.backends.append(self._backend)

    def run(
        self, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
    ) -> Report:
        """Try the clauses and answer the report; `before` is called before each, and may raise."""
        began = time.monotonic()
        try:
            with WireDesk(self._platform, seed=self.report.seed, effort=self._effort) as desk:
                self._backend.server = desk.server
                for number, clause in enumerate(CLAUSES):
                    if clause in self._chosen:
                        before()
                        self._backend.findings[number] = desk.try_clause(clause)
                        after()
        finally:
            self.report.duration = time.monotonic() - began
        return self.report


def check_platform_sync(
    platform: Platform,
    *,
    clauses: Iterable[Clause] = CLAUSES,
    seed: int | None = None,
    effort: Effort = NORMAL,
    is_strict: bool = False,
) -> Report:
    """Try a platform and answer the report."""
    return WireRun(platform, clauses=clauses, seed=seed, effort=effort, is_strict=is_strict).run()


async def check_platform(platform: Platform, **rest: object) -> Report:
    """Try a platform without blocking the running loop; the same as `check_platform_sync`."""
    return await asyncio.to_thread(check_platform_sync, platform, **rest)  # type: ignore[arg-type]
