"""A run in worker processes: one that dies costs the clause it was trying, and is replaced."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .capabilities import Capability
from .effort import Effort
from .harness import Fuse
from .trial_process import RECORD, unpacked
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .backend import Claims
    from .clause import Clause
    from .storage.selection import PostgresChoice

START = 60.0
"""Seconds that importing a backend, or preparing its storage, may take."""


class RefusedError(Exception):
    """The command was wrong: one line that says what, and the way out."""


class UnavailableError(Exception):
    """What the backend is tried on can't be had here: one line that says why."""


class WorkerDiedError(Exception):
    """The worker process has ended, or was killed because it said nothing."""


@dataclass(frozen=True)
class Order:
    """What is to be tried and how: everything that a worker process must know."""

    target: str
    claims: Claims
    postgres: PostgresChoice
    seed: int
    effort: Effort
    run_folder: Path

    def words(self, flight_record: Path) -> dict[str, Any]:
        """Word it for the way between processes."""
        return {
            "do": "order",
            "target": self.target,
            "claims": asdict(self.claims),
            "postgres": asdict(self.postgres),
            "seed": self.seed,
            "effort": self.effort.name,
            "flight_record": str(flight_record),
        }


class Worker:
    """One worker process."""

    def __init__(self, order: Order, number: int) -> None:
        self._folder = order.run_folder / f"worker-{number}"
        self._folder.mkdir(parents=True)
        self._record = self._folder / "flight-record"
        asked, self._asking = os.pipe()
        self._answers, answering = os.pipe()
        self._rest = b""
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [
                    sys.executable,
                    "-m",
                    "sessionstore_contract.trial_process",
                    str(asked),
                    str(answering),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(asked, answering),
                start_new_session=True,  # Ctrl-C reaches us, and we decide
                env={
                    **os.environ,
                    "TMPDIR": str(self._folder),
                    "HYPOTHESIS_STORAGE_DIRECTORY": str(self._folder / "hypothesis"),
                },
            )
        os.close(asked)
        os.close(answering)
        self._say(order.words(self._record))

    def ask(self, do: str, timeout: float, **rest: Any) -> dict[str, Any]:
        """Ask for one thing and answer the answer.

        Raises:
            WorkerDiedError: the process has ended, or said nothing for `timeout` seconds.
        """
        self._say({"do": do, **rest})
        deadline = time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                self.kill()
                raise WorkerDiedError(f"said nothing for {timeout:.0f} s and was killed")
            read = os.read(self._answers, 2**20)
            if not read:
                raise WorkerDiedError(self._epitaph())
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def last_step(self) -> dict[str, Any] | None:
        """Answer the step that was under way when the process ended."""
        try:
            said = json.loads(self._record.read_bytes()[:RECORD])
        except (OSError, ValueError):
            return None
        return said if isinstance(said, dict) else None

    def output(self) -> str:
        """Answer what the store has printed."""
        return (self._folder / "output").read_text(encoding="utf-8", errors="backslashreplace")

    def finish(self) -> None:
        """Let the process close its storage and end."""
        with contextlib.suppress(WorkerDiedError):
            self.ask("close", START)
        self.kill()

    def kill(self) -> None:
        """End the process; may be called again."""
        self._process.kill()
        self._process.wait()
        for descriptor in (self._asking, self._answers):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _say(self, words: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, OSError):
            os.write(self._asking, json.dumps(words).encode() + b"\n")

    def _epitaph(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"


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
            first.kill()
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

        `on_finding` is told of each; an exception of it, and Ctrl-C, stop the workers.
        """
        left: queue.SimpleQueue[Clause] = queue.SimpleQueue()
        for clause in clauses:
            left.put(clause)
        found: queue.SimpleQueue[Finding | BaseException] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=self._work, args=(left, found, number), daemon=True)
            for number in range(min(workers, len(clauses)))
        ]
        for thread in threads:
            thread.start()
        findings: list[Finding] = []
        while len(findings) < len(clauses):
            one = found.get()
            if isinstance(one, BaseException):
                raise one
            findings.append(one)
            on_finding(one)
        for thread in threads:
            thread.join()
        return findings

    def stop(self) -> None:
        """Kill every worker; may be called again."""
        self.is_stopped = True
        for worker in list(self._workers):
            worker.kill()

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
                finding = unpacked(said["finding"], clause)
                self.server = said["server"] or self.server
            self.fuse.count(finding)
            if finding.hung:
                # A thread that never came back is still in there.
                worker.kill()
                worker = self._another()
            yield finding
        worker.finish()

    def _another(self) -> Worker:
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
