"""The parent's side of one worker process: started, asked one thing after the other, killed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from . import trial_process
from .harness import picture_folder
from .starting import start
from .stopping import INTERVAL, StoppedError, StopRequest
from .storage.in_memory import with_own_folder
from .trial_process import RECORD

if TYPE_CHECKING:
    from pathlib import Path

    from .backend import Claims
    from .effort import Effort
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
    stop: StopRequest

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
            # The worker's own folder for temporary files goes with it.
            "pictures": str(picture_folder()),
        }


@dataclass
class Silence:
    """How long nothing has been seen of a worker: with a slow store a clause may take long."""

    most: float
    _seen: bytes | None = None
    _since: float = 0.0

    def is_too_long(self, seen: bytes, now: float) -> bool:
        """Answer whether what is on record has been the same for longer than so many seconds."""
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since > self.most


class Worker:
    """One worker process."""

    def __init__(self, order: Order, number: int) -> None:
        self._stop = order.stop
        self._folder = order.run_folder / f"worker-{number}"
        self._folder.mkdir(parents=True)
        self._record = self._folder / "flight-record"
        asked, asking = os.pipe()
        answers, answering = os.pipe()
        # Objects, not numbers: closed twice, a number could be somebody else's by then.
        self._asking = os.fdopen(asking, "wb", buffering=0)
        self._answers = os.fdopen(answers, "rb", buffering=0)
        self._rest = b""
        self._begun = ""
        with (self._folder / "output").open("wb") as output:
            self._process = start(
                trial_process.main,
                (str(asked), str(answering), str(self._folder), order.postgres.run_folder),
                environment={
                    **os.environ,
                    **with_own_folder(str(self._folder)),
                    "HYPOTHESIS_STORAGE_DIRECTORY": str(self._folder / "hypothesis"),
                },
                output=output.fileno(),
                handed=(asked, answering),
            )
        os.close(asked)
        os.close(answering)
        self._say(order.words(self._record))

    def begin(self, do: str) -> None:
        """Ask for what is asked for next, whose answer nobody waits for yet."""
        self._say({"do": do})
        self._begun = do

    def ask(self, do: str, timeout: float, **rest: Any) -> dict[str, Any]:
        """Ask for one thing and answer the answer.

        Raises:
            WorkerDiedError: the process has ended, or for `timeout` seconds it has neither said
                anything nor called the store.
            StoppedError: the run was asked to stop.
        """
        if do != self._begun:
            self._say({"do": do, **rest})
        self._begun = ""
        silence = Silence(timeout)
        while b"\n" not in self._rest:
            self._stop.check()
            if silence.is_too_long(self._seen(), time.monotonic()):
                self.kill()
                raise WorkerDiedError(f"said nothing for {timeout:.0f} s and was killed")
            if not select.select([self._answers], [], [], INTERVAL)[0]:
                continue
            read = self._answers.read(2**20)
            if not read:
                raise WorkerDiedError(self._epitaph())
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _seen(self) -> bytes:
        """Answer what is on record: it is another with each call that is made."""
        with contextlib.suppress(OSError):
            return self._record.read_bytes()
        return b""

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
        with contextlib.suppress(WorkerDiedError, StoppedError):
            self.ask("close", START)
        self.close()

    def kill(self) -> None:
        """End the process; whoever waits for its answer is told. May be called again."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process and give back the pipes, which nobody may be waiting on any more."""
        self.kill()
        self._asking.close()
        self._answers.close()

    def _say(self, words: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._asking.write(json.dumps(words).encode() + b"\n")

    def _epitaph(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"
