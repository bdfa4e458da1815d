"""A proof from beginning to end: the contract on a backend, without a defect and with each."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .capabilities import profile_of
from .clause import Level
from .conduct import run_folder
from .contract import CLAUSES, PLACE
from .crew import Crew, Task
from .defects import LEFT_OUT
from .proof import Outcome, Proof, reports_on
from .report.document import write_plain
from .report.matrix import document
from .storage import StorageUnavailableError
from .storage.elsewhere import NamedPlace
from .storage.in_memory import folder_for_places
from .storage.selection import PostgresChoice, server_held
from .trial_worker import Order, RefusedError, UnavailableError
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from .backend import Claims
    from .defects import Defect
    from .effort import Effort
    from .stopping import StopRequest

CONTROL = "sessionstore_contract.defects:Wrapper"
"""The address of the wrapper without a defect: what it breaks is no catch."""


@dataclass(frozen=True)
class ProofPlan:
    """What the command line asks for."""

    target: str
    claims: Claims
    defects: tuple[Defect, ...]
    postgres: str
    effort: Effort
    seed: int
    workers: int = 1
    is_first_enough: bool = False
    """Once the clause that is meant to name a defect does, no other is tried on it."""
    json_path: Path | None = None


class Prover:
    """Carries a plan out; whatever happens, `proof` says of every defect what is known by then."""

    def __init__(self, plan: ProofPlan, stop: StopRequest, say: Callable[[str], None]) -> None:
        self.plan = plan
        self._stop = stop
        self._say = say
        self._began = time.monotonic()
        self._is_refused = False
        self.proof = Proof(plan.target, plan.seed, plan.effort.name, tuple(plan.claims.options()))

    def prove(self) -> None:
        """Carry the plan out.

        Raises:
            RefusedError: the command was wrong.
            UnwritableError: the report can't be written.
            StoppedError: the proof was asked to stop.
        """
        # It opens thousands of places, and a commit on a disk waits for it; what is proved are the
        # clauses, and no process of a proof outlives the machine.
        with run_folder(folder_for_places()) as folder, ExitStack() as servers:
            try:
                crew = Crew.gather(self._order(folder), workers=self.plan.workers)
                try:
                    self._enlist(crew)
                    self._write()
                    if self._prepare(crew, servers):
                        self._try(crew)
                        crew.finish()
                finally:
                    crew.stop()
            except RefusedError:
                self._is_refused = True
                raise
            finally:
                self._write()

    def _order(self, folder: Path) -> Order:
        plan = self.plan
        postgres = PostgresChoice(plan.postgres, str(folder))
        return Order(
            plan.target,
            plan.claims,
            postgres,
            plan.seed,
            plan.effort,
            folder / "workers",
            self._stop,
        )

    def _enlist(self, crew: Crew) -> None:
        described, proof = crew.described, self.proof
        if described.storage == NamedPlace.name:
            # What one defect leaves behind there would be taken for the work of the next.
            raise RefusedError(
                "a proof needs a fresh place for each clause: --storage file, postgres, platform "
                "or none, or a storage of your own in a Backend"
            )
        proof.name, proof.storage = described.name, described.storage
        proof.capabilities = described.capabilities - {LEFT_OUT}
        proof.profile = profile_of(proof.capabilities)
        proof.defects = reports_on(self.plan.defects, proof.capabilities)
        if LEFT_OUT in described.capabilities:
            proof.notes.append(
                f"{LEFT_OUT} is left out: another process would open the store without the defect"
            )

    def _prepare(self, crew: Crew, servers: ExitStack) -> bool:
        """Get the storage ready; answer whether there is anything to be tried on."""
        try:
            servers.enter_context(server_held(self.proof.storage, crew.order.postgres))
            crew.prepare()
        except (StorageUnavailableError, UnavailableError) as error:
            if crew.order.postgres.server != "auto" or crew.order.postgres.dsn is not None:
                raise RefusedError(str(error)) from None
            self.proof.notes.append(str(error))
            return False
        return True

    def _try(self, crew: Crew) -> None:
        workers = self.plan.workers
        clauses = [
            one
            for one in CLAUSES
            if one.level in {Level.MUST, Level.SHOULD}
            and one.missing(self.proof.capabilities) is None
        ]
        self._say(f"{self.proof.name}: trying {len(clauses)} clauses without a defect")
        crew.try_all([Task(clause, CONTROL) for clause in clauses], workers, self._control)
        held = tuple(one.clause for one in self.proof.control if one.verdict is Verdict.HELD)
        pending = [one for one in self.proof.defects if one.inapplicable is None]
        for report in pending:
            report.clauses = held
        self._say(f"{self.proof.name}: trying {len(held)} clauses on {len(pending)} defects")
        meant = [one for one in pending if one.defect.clause in held]
        first = [Task(one.defect.clause, one.defect.address) for one in meant]
        crew.try_all(first, workers, self._record)
        if self.plan.is_first_enough:
            pending = [one for one in pending if one.outcome is not Outcome.CAUGHT]
        others = [
            Task(clause, one.defect.address)
            for one in pending
            for clause in held
            if clause not in one.findings
        ]
        crew.try_all(others, workers, self._record)
        self.proof.server = crew.server

    def _control(self, _: Task, finding: Finding) -> None:
        self.proof.control.append(finding)
        self.proof.control.sort(key=_position)

    def _record(self, task: Task, finding: Finding) -> None:
        (report,) = (one for one in self.proof.defects if one.defect.address == task.defect)
        report.findings[task.clause] = finding

    def _write(self) -> None:
        self.proof.duration = time.monotonic() - self._began
        # Of a mistake there is nothing to report; of a proof that was stopped there always is.
        has_begun = self.proof.name or not self._is_refused
        if self.plan.json_path is not None and has_begun:
            write_plain(document(self.proof), self.plan.json_path)


def _position(finding: Finding) -> int:
    return PLACE[finding.clause.id]
