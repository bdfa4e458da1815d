"""A child process that tries clauses as it is told, so that a store can't take the run with it.

It reads lines of JSON from one descriptor and answers on another; standard output belongs to the
store. It ends when the lines end.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from . import names, origin
from .backend import Backend, BackendError, Claims, find_backend
from .clause import Clause, Level, Scope
from .contract import CLAUSES
from .defects import wrapped
from .drivers import in_use
from .effort import EFFORTS
from .expect import expect
from .harness import Conditions, provided, try_clause, try_on
from .storage import Storage, StorageUnavailableError
from .storage.elsewhere import NamedPlace
from .storage.run_folder import RunFolder
from .storage.selection import PostgresChoice
from .verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .history import Step
    from .subject import Subject

CLEARINGS = 20
"""How often it is tried to remove the files of a run that was killed."""

RECORD = 4096
"""Bytes of the flight record: the step under way, as JSON padded with spaces."""

BY_ID = {clause.id: clause for clause in CLAUSES}

really_exit = os._exit


class FlightRecorder:
    """Leaves the step under way in a file, for the case that it is the last."""

    def __init__(self, path: str) -> None:
        with Path(path).open("w+b") as file:
            file.write(b" " * RECORD)  # with room on the disk: a mapping has no way to say no
            file.flush()
            # What a process has written to a mapping stays, however the process ends.
            self._record = mmap.mmap(file.fileno(), RECORD)

    def note(self, step: Step) -> None:
        """Leave one step."""
        # 200 characters escaped are 2,400 bytes at the most: what is cut could not be read.
        said = {
            "operation": step.operation,
            "call": step.short_call(),
            "judged": step.is_expected,
            "began": step.began,
        }
        self._record[:] = json.dumps(said).encode().ljust(RECORD)

    def clear(self) -> None:
        """Forget the last step: what ends the process before the next one is none of its doing."""
        self._record[:] = b" " * RECORD


def _opens(place_is_named: bool) -> Clause:
    """What must be so before any clause is tried; it is no clause of the contract."""

    async def procedure(store: Subject) -> None:
        if place_is_named:
            # A store may wait for its first use before it looks at the place.
            await expect(store.exists(store.unused_id("first-use"))).to_succeed()

    return Clause(
        id="opening",
        level=Level.MUST,
        sentence="The store opens.",
        because="",
        remedy="",
        needs=frozenset(),
        scope=Scope.ANY,
        evidence=(),
        procedure=procedure,
    )


def _where(backend: Backend) -> str:
    return backend.storage if isinstance(backend.storage, str) else backend.storage.name


class TrialProcess:
    """Answers what it is asked, one thing after the other."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._recorder = FlightRecorder(order["flight_record"])
        self._conditions = Conditions(
            order["seed"],
            EFFORTS[order["effort"]],
            on_begin=self._recorder.note,
            pictures=Path(order["pictures"]),
        )
        self._backend: Backend | None = None
        self._storage: Storage | None = None
        self._open = ExitStack()

    def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked and word what came of it."""
        match asked["do"]:
            case "find":
                return self.find()
            case "prepare":
                return self.prepare()
        return self.try_one(asked)

    def find(self) -> dict[str, Any]:
        """Find the backend and say what it claims."""
        claims = self._order["claims"]
        try:
            found = find_backend(
                self._order["target"],
                Claims(
                    claims["storage"],
                    claims["profile"],
                    tuple(claims["adding"]),
                    tuple(claims["without"]),
                ),
            )
        except BackendError as error:
            return {"refused": str(error)}
        self._backend = found
        return {
            "name": found.name,
            "storage": found.storage_name,
            "capabilities": sorted(found.capabilities),
        }

    def prepare(self) -> dict[str, Any]:
        """Get the storage ready, and open the store once."""
        backend = self._found()
        postgres = PostgresChoice(**self._order["postgres"])
        try:
            self._storage = self._open.enter_context(provided(backend, postgres))
            # An author's own, too: this process ends without another word.
            self._open.callback(self._storage.close)
            opens = _opens(isinstance(self._storage, NamedPlace))
            with self._storage.fresh() as place:
                if getattr(self._storage, "is_plain", False):
                    # Where the kit's own connection is not encrypted: that a driver gets ready for
                    # TLS was a third of the processor time of each connection.
                    os.environ.setdefault("PGSSLMODE", "disable")
                finding = try_on(opens, backend, place, self._conditions)
        except StorageUnavailableError as error:
            return {"unavailable": str(error)}
        # Inconclusive is a `close` that fails at tear-down: a defect, for the clauses to name.
        if finding.verdict in {Verdict.FAULTED, Verdict.VIOLATED}:
            what = finding.headline or finding.reason
            return {"refused": f"{self._order['target']} on {_where(backend)}: {what}"}
        # What is there now stays to the end: whoever collects garbage need not go through it. On
        # HTTP, where a platform is among it, that was a tenth of the processor time.
        gc.collect()
        gc.freeze()
        return {}

    def try_one(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Try one clause, on the backend as it is or with a defect around it."""
        if self._storage is None:
            raise RuntimeError("asked to try a clause before the storage was prepared")
        self._conditions.fuse.learn(asked["fuse"])
        self._recorder.clear()
        clause = BY_ID[asked["clause"]]
        backend = self._found()
        if asked["defect"] is not None:
            backend = wrapped(backend, names.find(asked["defect"]))
        finding = try_clause(clause, backend, self._storage, self._conditions)
        return {
            "finding": finding.packed(),
            "server": self._storage.server(),
            "drivers": in_use(self._found().open),
        }

    def close(self) -> None:
        """Close the storage, also the author's own."""
        self._open.close()

    def _found(self) -> Backend:
        if self._backend is None:
            raise RuntimeError("asked for a backend before it was found")
        return self._backend


def _asked(descriptor: int, own: Path, run: Path) -> Iterator[dict[str, Any]]:
    """Yield what is asked until `close` is; end the process when the other side is gone.

    It was killed, then, or it would have asked for that: nobody else removes the files.
    """
    lines: SimpleQueue[str] = SimpleQueue()

    def listen() -> None:
        with os.fdopen(descriptor, encoding="utf-8") as stream:
            for line in stream:
                lines.put(line)
        clear_away(own, run)
        really_exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while (asked := json.loads(lines.get()))["do"] != "close":
        yield asked


def clear_away(own: Path, run: Path) -> None:
    """Remove a folder, and those above it up to that of the run that nobody else has a part in."""
    for _ in range(CLEARINGS):
        shutil.rmtree(own, ignore_errors=True)
        if not own.exists():
            break
        time.sleep(0.05)  # somebody has made a file meanwhile
    with suppress(OSError):
        for folder in own.parents:
            if run in folder.parents:
                folder.rmdir()
        # Of a run that was killed before its server's keeper lived there is nobody else.
        RunFolder(run).clear_away()


def main() -> None:
    """Serve the descriptors on the command line, with the folders of the process and of the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    sys.path.insert(0, "")
    asked_on, answers_on, own, run = sys.argv[1:5]
    origin.open_ahead()
    answers = os.fdopen(int(answers_on), "w", encoding="utf-8")
    asking = _asked(int(asked_on), Path(own), Path(run))
    process = TrialProcess(next(asking))
    for asked in asking:
        answer = process.do(asked)
        with suppress(BrokenPipeError):  # who asked was killed: the listener ends this process
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    process.close()
    origin.close()
    answers.write("{}\n")
    answers.flush()
    # Threads that a store has left behind must not keep the process.
    sys.stdout.flush()
    sys.stderr.flush()
    really_exit(0)


if __name__ == "__main__":
    main()
