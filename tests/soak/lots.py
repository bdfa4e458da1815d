"""A lot: the whole contract tried once, in an order, a time zone and a company of its own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sessionstore_contract.capabilities import Capability
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.report.explanation import explain
from sessionstore_contract.storage.elsewhere import NamedPlace
from sessionstore_contract.storage.selection import PostgresChoice, provided
from sessionstore_contract.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sessionstore_contract import Backend
    from sessionstore_contract.clause import Clause
    from sessionstore_contract.storage import Storage
    from sessionstore_contract.verdict import Finding

ZONES = (
    "UTC",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Australia/Lord_Howe",
    "Pacific/Marquesas",
    "<-11>11",
)
"""Whole, half and three quarter hours, both edges of the day, and a zone in POSIX's words."""

CROWD = 3 * (os.cpu_count() or 1)
"""So many that each of them, and who is judged, has a processor for a quarter of the time."""

ACQUITTING = {Verdict.HELD, Verdict.NOT_APPLICABLE}


@dataclass(frozen=True)
class Lot:
    """What one run of the whole contract is drawn as."""

    seed: int
    zone: str
    neighbours: int
    """Other processes that want a processor each, all the time."""
    is_on_used_place: bool
    """All clauses, and those of other lots, have one place."""

    @classmethod
    def of(cls, seed: int) -> Lot:
        """Draw the lot of a seed: the same one each time."""
        return cls(seed, ZONES[seed % len(ZONES)], (0, 0, 1, CROWD)[seed // 2 % 4], seed % 2 == 1)

    def order(self, clauses: Sequence[Clause] = CLAUSES) -> list[Clause]:
        """Draw the order in which the clauses are tried."""
        return random.Random(self.seed).sample(clauses, len(clauses))

    def __str__(self) -> str:
        company = f", beside {self.neighbours} busy processes" if self.neighbours else ""
        place = "one used place" if self.is_on_used_place else "fresh places"
        return f"seed {self.seed}, TZ={self.zone}, on {place}{company}"


class Yard:
    """The storage of a backend, with one place on it that every lot leaves as it likes."""

    def __init__(self, backend: Backend, folder: str) -> None:
        self.backend = backend
        self._folder = folder

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if isinstance(self.backend.storage, str):
                choice = PostgresChoice("auto", self._folder)
                self.storage: Storage = stack.enter_context(provided(self.backend.storage, choice))
            else:
                self.storage = self.backend.storage
            self.used = NamedPlace(stack.enter_context(self.storage.fresh()))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def try_lot(self, lot: Lot) -> list[Finding]:
        """Try the whole contract in the order that the lot draws."""
        return self.try_clauses(self.order(lot), lot)

    def order(self, lot: Lot) -> list[Clause]:
        """Answer the clauses that can be tried here, in the order that the lot draws."""
        # A server is crashed only where the storage starts one for that alone.
        may_crash = hasattr(self.storage, "own_server")
        return lot.order([one for one in CLAUSES if may_crash or not one.takes_own_server])

    def try_clauses(self, clauses: Iterable[Clause], lot: Lot) -> list[Finding]:
        """Try clauses in this order, as the lot says otherwise."""
        conditions = Conditions(lot.seed, EFFORTS["quick"])
        with in_zone(lot.zone), neighbours(lot.neighbours):
            return [
                try_clause(clause, self.backend, self._storage_for(clause, lot), conditions)
                for clause in clauses
            ]

    def _storage_for(self, clause: Clause, lot: Lot) -> Storage:
        # A place can be made old only before anybody has used it, and a server crashed only where
        # nobody else is served.
        has_own = Capability.MIGRATION in clause.needs or clause.takes_own_server
        is_used = lot.is_on_used_place and not has_own
        return self.used if is_used else self.storage


def accusations(lot: Lot, findings: Sequence[Finding], backend: str) -> list[str]:
    """Word every verdict but held and not applicable."""
    order = [finding.clause.id for finding in findings]
    return [
        f"{finding.verdict.upper()} for {backend}: {lot}\n"
        f"after {', '.join(order[:position]) or 'nothing'}\n\n{explain(finding, backend)}"
        for position, finding in enumerate(findings)
        if finding.verdict not in ACQUITTING
    ]


@contextmanager
def in_zone(zone: str) -> Iterator[None]:
    """Set the time zone of this process and of those that it starts."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


@contextmanager
def neighbours(number: int) -> Iterator[None]:
    """Keep as many processors busy meanwhile."""
    busy = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"
    processes = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
