"""The workers that try one backend: one that dies costs the clause it was trying."""

from __future__ import annotations

import contextlib
import enum
import itertools
import queue
import threading
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from .capabilities import Capability
from .harness import Fuse
from .starting import can_fork
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


@dataclass(frozen=True)
class Task:
    """One clause, to be tried on the backend as it is, or with a defect around its stores."""

    clause: Clause
    defect: str | None = None
    """The address of the wrapper."""


FIND = "find"

Line: TypeAlias = tuple["queue.SimpleQueue[Task]", ...]
"""From where a worker takes what it tries next: from the first that is not empty."""


@dataclass
class Crew:
    """The workers of one backend; the first one has found it."""

    order: Order
    described: Described
    first: Worker
    fuses: defaultdict[str | None, Fuse] = field(default_factory=lambda: defaultdict(Fuse))
    """By defect: what hangs because of one says nothing of the others."""
    server: str | None = None
    drivers: tuple[str, ...] = ()
    is_stopped: bool = False
    _workers: set[Worker] = field(default_factory=set)
    _idle: list[Worker] = field(default_factory=list)
    _new: list[Worker] = field(default_factory=list)
    """Started, and asked nothing yet."""
    _threads: list[threading.Thread] = field(default_factory=list)
    _hiring: threading.Lock = field(default_factory=threading.Lock)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def gather(cls, order: Order, *, workers: int, is_alone: bool = True) -> Crew:
        """Start the first worker and find the backend.

        Of the others those are started with it that can be forked, which later none can be, and one
        more for what waits; or else one, unless there are more crews: they would all import the kit
        at once, and most wait then.

        Raises:
            RefusedError: there is no such backend.
        """
        several = workers > 1
        most = workers + several if can_fork() else min(workers, 1 + is_alone)
        started = [Worker(order, number) for number in range(most)]
        try:
            described = _describe(started[0], order)
        except BaseException:
            for worker in started:
                worker.close()
            raise
        first, *others = started
        if is_alone:
            for worker in others:
                worker.begin(FIND)  # while the first one gets the storage ready
        numbers = itertools.count(most)
        return cls(
            order,
            described,
            first,
            _workers={*started},
            _idle=[first],
            _new=others,
            _numbers=numbers,
        )

    def prepare(self) -> None:
        """Get the storage ready and open the store once.

        Raises:
            RefusedError: the store does not open.
            UnavailableError: the storage can't be had.
        """
        _prepare(self.first, self.order)

    def try_all(
        self, tasks: list[Task], workers: int, on_finding: Callable[[Task, Finding], None]
    ) -> None:
        """Try them, several at once with several workers; `on_finding` is told of each.

        With several, what waits most of its time keeps none of them from the rest: one more does
        that. The workers stay, for what is to be tried next.

        Raises:
            StoppedError: the run was asked to stop.
            RefusedError: there is not as much of the storage as so many workers need.
        """
        found: queue.SimpleQueue[tuple[Task, Finding] | BaseException] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(line, found), daemon=True)
            for line in lines(tasks, workers)
        ]
        for thread in self._threads:
            thread.start()
        count = 0
        while count < len(tasks):
            self.order.stop.check()
            try:
                one = found.get(timeout=INTERVAL)
            except queue.Empty:
                continue
            if isinstance(one, UnavailableError):  # for one more worker; the first has had it
                raise RefusedError(str(one)) from None
            if isinstance(one, BaseException):
                raise one
            count += 1
            on_finding(*one)
        for thread in self._threads:
            thread.join()

    def finish(self) -> None:
        """Let every worker close its storage and end."""
        while self._idle:
            self._idle.pop().finish()

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
        line: Line,
        found: queue.SimpleQueue[tuple[Task, Finding] | BaseException],
    ) -> None:
        try:
            for one in self._findings(line):
                found.put(one)
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            if not self.is_stopped:
                found.put(error)

    def _findings(self, line: Line) -> Iterator[tuple[Task, Finding]]:
        worker = self._idle_one() or self._another()
        while not self.is_stopped and (task := _next(line)) is not None:
            fuse = self.fuses[task.defect]
            words = {"clause": task.clause.id, "defect": task.defect, "fuse": fuse.state()}
            try:
                said = worker.ask("try", self._patience(), **words)
            except WorkerDiedError as death:
                finding = self._post_mortem(task, worker, str(death))
            else:
                finding = Finding.unpacked(said["finding"], task.clause)
                self.server = said["server"] or self.server
                self.drivers = tuple(said["drivers"]) or self.drivers
            fuse.count(finding)
            if finding.hung:
                # A thread that never came back is still in there.
                worker.close()
                worker = self._another()
            yield task, finding
        self._idle.append(worker)

    def _idle_one(self) -> Worker | None:
        with self._hiring:
            return self._idle.pop() if self._idle else None

    def _another(self) -> Worker:
        with self._hiring:
            if self.is_stopped:
                raise WorkerDiedError("the run was stopped")
            worker = self._new.pop() if self._new else Worker(self.order, next(self._numbers))
            self._workers.add(worker)
        _describe(worker, self.order)
        _prepare(worker, self.order)
        return worker

    def _patience(self) -> float:
        return self.order.effort.limit + 120

    def _post_mortem(self, task: Task, worker: Worker, how: str) -> Finding:
        clause, step = task.clause, worker.last_step()
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
        owner = self.fuses[task.defect].owner(operation)
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


def lines(tasks: list[Task], workers: int) -> list[Line]:
    """Answer the line of each worker; one more beside several has only what mostly waits.

    Each begins with another kind, and takes of the others when there is no more of it: what draws
    imports hypothesis, what starts processes has one ready that is forked, and each worker would.
    """
    # What takes long comes first, so that no worker has much left when the others are done.
    tasks = sorted(tasks, key=lambda task: _kind(task.clause))
    is_apart = workers > 1 and not all(task.clause.waits for task in tasks)
    if not is_apart:
        return [(_queue(tasks),)] * min(workers, len(tasks))
    waiting, drawing, long, rest = (
        _queue([task for task in tasks if _kind(task.clause) is kind]) for kind in _Kind
    )
    orders = (drawing, rest, long), (long, rest, drawing), (rest, long, drawing)
    begun = range(min(workers, len(tasks)))
    busy: list[Line] = [(*orders[number % len(orders)], waiting) for number in begun]
    return busy if waiting.empty() else [*busy, (waiting,)]


def _queue(tasks: list[Task]) -> queue.SimpleQueue[Task]:
    queued: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        queued.put(task)
    return queued


def _next(line: Line) -> Task | None:
    for left in line:
        with contextlib.suppress(queue.Empty):
            return left.get_nowait()
    return None


class _Kind(enum.IntEnum):
    """What a clause takes beside its calls, in the order in which they are begun."""

    WAITING = 0
    DRAWING = 1
    LONG = 2
    REST = 3


def _kind(clause: Clause) -> _Kind:
    if clause.waits:
        return _Kind.WAITING
    if clause.examples:
        return _Kind.DRAWING
    is_in_processes = clause.needs & {Capability.MULTI_PROCESS, Capability.MIGRATION}
    goes_by_effort = not isinstance(clause.places, int)
    takes_long = clause.takes_own_server or is_in_processes or goes_by_effort
    return _Kind.LONG if takes_long else _Kind.REST


def _describe(worker: Worker, order: Order) -> Described:
    said = _ask(worker, FIND, order)
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
