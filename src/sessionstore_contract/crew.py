"""The workers that try one backend: one that dies costs the clause it was trying."""

from __future__ import annotations

import itertools
import queue
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .capabilities import Capability
from .harness import Fuse
from .stopping import INTERVAL
from .trial_worker import START, Order, RefusedError, UnavailableError, Worker, WorkerDiedError
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .clause import Clause


@dataclass
class Described:
    """What a worker process says of the backend that it found."""

    name: str
    storage: str
    capabilities: frozenset[Capability]


@dataclass
class Crew:
    """The workers of one backend; the first one has found it."""

    order: Order
    described: Described
    first: Worker
    fuse: Fuse = field(default_factory=Fuse)
    server: str | None = None
    is_stopped: bool = False
    _workers: set[Worker] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _hiring: threading.Lock = field(default_factory=threading.Lock)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def gather(cls, order: Order) -> Crew:
        """Start the first worker and find the backend.

        Raises:
            RefusedError: there is no such backend.
        """
        first = Worker(order, 0)
        try:
            described = _describe(first, order)
        except BaseException:
            first.close()
            raise
        return cls(order, described, first, _workers={first})

    def prepare(self) -> None:
        """Get the storage ready and open the store once.

        Raises:
            RefusedError: the store does not open.
            UnavailableError: the storage can't be had.
        """
        _prepare(self.first, self.order)

    def try_all(
        self, clauses: list[Clause], workers: int, on_finding: Callable[[Finding], None]
    ) -> list[Finding]:
        """Try the clauses, several at once with several workers; answer findings as they came.

        `on_finding` is told of each.

        Raises:
            StoppedError: the run was asked to stop.
        """
        left: queue.SimpleQueue[Clause] = queue.SimpleQueue()
        for clause in clauses:
            left.put(clause)
        found: queue.SimpleQueue[Finding | BaseException] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(left, found, number), daemon=True)
            for number in range(min(workers, len(clauses)))
        ]
        for thread in self._threads:
            thread.start()
        findings: list[Finding] = []
        while len(findings) < len(clauses):
            self.order.stop.check()
            try:
                one = found.get(timeout=INTERVAL)
            except queue.Empty:
                continue
            if isinstance(one, BaseException):
                raise one
            findings.append(one)
            on_finding(one)
        for thread in self._threads:
            thread.join()
        return findings

    def stop(self) -> None:
        """Kill every worker and wait until nobody makes another; may be called again."""
        with self._hiring:
            self.is_stopped = True
            workers = tuple(self._workers)
        for worker in workers:
            worker.kill()
        for thread in self._threads:
            thread.join()
        for worker in workers:
            worker.close()

    def _work(
        self,
        left: queue.SimpleQueue[Clause],
        found: queue.SimpleQueue[Finding | BaseException],
        number: int,
    ) -> None:
        try:
            for finding in self._findings(left, number):
                found.put(finding)
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            if not self.is_stopped:
                found.put(error)

    def _findings(self, left: queue.SimpleQueue[Clause], number: int) -> Iterator[Finding]:
        worker = self.first if number == 0 else self._another()
        while not self.is_stopped:
            try:
                clause = left.get_nowait()
            except queue.Empty:
                break
            try:
                said = worker.ask("try", self._patience(), clause=clause.id, fuse=self.fuse.state())
            except WorkerDiedError as death:
                finding = self._post_mortem(clause, worker, str(death))
            else:
                finding = Finding.unpacked(said["finding"], clause)
                self.server = said["server"] or self.server
            self.fuse.count(finding)
            if finding.hung:
                # A thread that never came back is still in there.
                worker.close()
                worker = self._another()
            yield finding
        worker.finish()

    def _another(self) -> Worker:
        with self._hiring:
            if self.is_stopped:
                raise WorkerDiedError("the run was stopped")
            worker = Worker(self.order, next(self._numbers))
            self._workers.add(worker)
        _describe(worker, self.order)
        _prepare(worker, self.order)
        return worker

    def _patience(self) -> float:
        return self.order.effort.limit + 120

    def _post_mortem(self, clause: Clause, worker: Worker, how: str) -> Finding:
        step = worker.last_step()
        if step is None:
            return Finding(
                clause, Verdict.FAULTED, reason=f"the worker process {how}", hung=("open",)
            )
        operation = step["operation"]
        found = Finding(
            clause,
            Verdict.VIOLATED,
            headline=f"{operation} ends the process: {how}",
            witness=(f"{step['call']}  ->  the process {how}",),
            demanded="an answer",
            answered=f"the process {how}",
            judged=operation,
            hung=(operation,),
        )
        if step["judged"]:
            return found
        owner = self.fuse.owner(operation)
        return replace(
            found,
            verdict=Verdict.INCONCLUSIVE,
            headline=None,
            demanded=None,
            answered=None,
            judged=None,
            reason=f"{step['call']}: the process {how}: see {owner}",
            owner=owner,
        )


def _describe(worker: Worker, order: Order) -> Described:
    said = _ask(worker, "find", order)
    return Described(
        said["name"], said["storage"], frozenset(map(Capability, said["capabilities"]))
    )


def _prepare(worker: Worker, order: Order) -> None:
    said = _ask(worker, "prepare", order)
    if "unavailable" in said:
        raise UnavailableError(said["unavailable"])


def _ask(worker: Worker, do: str, order: Order) -> dict[str, Any]:
    try:
        said = worker.ask(do, START)
    except WorkerDiedError as death:
        printed = worker.output().strip().rpartition("\n")[2]
        raise RefusedError(
            f"{order.target!r} ends the process that opens it: {death}"
            + (f" ({printed})" if printed else "")
        ) from None
    if "refused" in said:
        raise RefusedError(said["refused"])
    return said
