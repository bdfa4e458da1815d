"""Processes that open a store for one operation each, and may be killed at a call of theirs.

One process finds the opener and imports what it needs; each operation is made in a fork of it, as
the first one of a store that was opened there. Where it is asked to, a fork counts the calls by
which it reaches beyond itself: statements of a database library, bytes for a socket or file,
changes to folders. Before one of them it can be made to kill itself, or to wait for other forks
that have not come as far. To count takes longer than most operations do.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import itertools
import json
import mmap
import os
import selectors
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from . import names, origin
from .history import OPERATIONS, word_error
from .opening import open_store
from .worker import UnnamedOpenerError, told, unpacked, worded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STATEMENTS = frozenset({"execute", "executemany", "executescript", "commit"})
SENDING = frozenset({"send", "sendall", "sendto", "sendmsg"})
FOLDERS = frozenset({"fsync", "mkdir", "rename", "replace", "truncate", "unlink", "write"})
STDERR = 2
GATHERING = 0.25
"""Seconds that forks wait for each other to begin: the last one may never be asked for."""
MISSING = 0.05
"""Seconds that one waits for the others at a call, once: they may wait for what it holds."""
DONE = 255
"""The number of a call that no fork waits for."""

WAKING = "_write_to_self"
"""Where asyncio wakes its own loop, through a socket."""


class KilledError(Exception):
    """The process was killed at a call, as it was told to be."""


class Forks:
    """The process that the others are forked from."""

    _imported: ClassVar[dict[tuple[str, ...], set[str]]] = {}
    """By opener, what its first operations have imported: the next time it is there before."""

    def __init__(self, process: origin.Process, imported: set[str]) -> None:
        self._process = process
        self._modules = imported
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count()
        self._listener = asyncio.ensure_future(self._listen())

    @classmethod
    async def start(cls, opener: Callable[..., Any]) -> Forks:
        """Start the process.

        Raises:
            UnnamedOpenerError: the opener is found in no module, as a closure is.
            RuntimeError: the opener was not found there, or processes can't be forked here.
        """
        if not hasattr(os, "fork"):
            raise RuntimeError("processes can't be forked on this operating system")
        name = names.name_of(opener)
        if name is None:
            raise UnnamedOpenerError(f"{opener!r} can't be found by another process")
        source = names.source_of(name)
        imported = cls._imported.setdefault((str(name), str(source)), set())
        forks = cls(await origin.start(__name__), imported)
        try:
            known = {"name": name, "source": source, "path": sys.path, "modules": sorted(imported)}
            await forks.ask(known)
        except BaseException:
            await forks.end()
            raise
        return forks

    async def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Have one order carried out, and answer what was said of it."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if self._listener.done():
            raise RuntimeError("the process that is forked has ended")
        self._answers[number] = answer
        self._process.stdin.write(json.dumps({"number": number, **order}).encode() + b"\n")
        try:
            said = await answer
        except asyncio.CancelledError:
            self._process.stdin.write(json.dumps({"number": number, "stop": True}).encode() + b"\n")
            raise
        if "failed" in said:
            raise RuntimeError(said["failed"])
        return said

    async def end(self) -> None:
        """Kill the process and its forks, and wait until it is gone."""
        self._process.stdin.close()
        await self._process.wait()
        self._listener.cancel()

    async def _listen(self) -> None:
        stdout = self._process.stdout
        try:
            while line := await stdout.readline():
                said = json.loads(line)
                self._modules.update(said.pop("modules", ()))
                answer = self._answers.pop(said["number"])
                if not answer.done():
                    answer.set_result(said)
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_result({"failed": "the process that is forked has ended"})


class FirstUser:
    """A store of which each operation is the first one, in a process that ends after it."""

    def __init__(self, forks: Forks, place: str | None, *, is_counted: bool = False) -> None:
        self._forks = forks
        self._place = place
        self._is_counted = is_counted
        self.kill_at: int | None = None
        """The call, counted from 1, before which the process kills itself."""
        self.together = 1
        """How many processes keep in step with each other, from before they open their stores."""
        self.calls = 0
        """How many calls the last process made that was not killed, if they are counted."""

    def __getattr__(self, operation: str) -> Any:
        if operation not in OPERATIONS:
            raise AttributeError(operation)

        def call(*arguments: Any, **keywords: Any) -> Awaitable[Any]:
            return self._use(operation, worded(arguments), keywords)

        return call

    async def _use(self, operation: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        said = await self._forks.ask(
            {
                "operation": operation,
                "arguments": arguments,
                "keywords": keywords,
                "place": self._place,
                "kill_at": self.kill_at,
                "together": self.together,
                "is_counted": self._is_counted or self.kill_at is not None or self.together > 1,
            }
        )
        if said.get("killed"):
            if self.kill_at is None:
                raise RuntimeError("the process that held the store has ended")
            raise KilledError(f"the process was killed before its call {self.kill_at}")
        self.calls = said["calls"]
        return told(said)


class _Lockstep:
    """Keeps forks in step: none makes its next call before the others have come to theirs.

    What one process looks at another changes by its next call, so that two that look first and lock
    afterwards, or not at all, meet. Whoever holds what the others wait for misses them for a
    moment, and goes on alone from there.
    """

    def __init__(self, count: int) -> None:
        self._count = self._missing = count
        self._until = time.monotonic() + GATHERING
        self._places = mmap.mmap(-1, count)
        """A byte for each: the number of its call, which is the same memory in all of them."""
        self._own: int | None = None
        self._is_over = False

    @property
    def is_stale(self) -> bool:
        """Whether no more forks are to come."""
        return not self._missing or time.monotonic() > self._until

    def count(self) -> None:
        """Count one more fork, before it is made."""
        self._missing -= 1

    def begin(self) -> None:
        """Wait, in the fork that was counted last, until all are there, or one never comes."""
        self._own = self._count - self._missing - 1
        self._step(self._until - time.monotonic())

    def step(self) -> None:
        """Wait until the others have come as far, or until that takes too long."""
        self._step(MISSING)

    def end(self) -> None:
        """Keep nobody waiting any more, and wait for nobody."""
        self._is_over = True
        if self._own is not None:
            self._places[self._own] = DONE

    def _step(self, patience: float) -> None:
        if self._own is None or self._is_over:
            return
        reached = min(self._places[self._own] + 1, DONE)
        self._places[self._own] = reached
        until = time.monotonic() + patience
        while min(self._places[:]) < reached < DONE and time.monotonic() < until:
            time.sleep(0.0005)
        if min(self._places[:]) < reached or reached == DONE:
            self.end()


class _Counter:
    """Counts the calls of this process that reach beyond it, on every thread."""

    def __init__(self, kill_at: int | None, lockstep: _Lockstep | None) -> None:
        self._kill_at = kill_at
        self._lockstep = lockstep
        self._numbers = itertools.count(1)
        self.count = 0

    def begin(self) -> None:
        threading.setprofile(self._see)
        sys.setprofile(self._see)

    def _see(self, frame: Any, event: str, called: Any) -> None:
        if event == "c_call" and _reaches_out(called, frame):
            self.count = next(self._numbers)
            if self.count == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if self._lockstep is not None:
                self._lockstep.step()


def _reaches_out(called: Any, frame: Any) -> bool:
    name = getattr(called, "__name__", "")
    if name in STATEMENTS:
        return True
    if name in SENDING:
        return isinstance(called.__self__, socket.socket) and frame.f_code.co_name != WAKING
    if name == "write" and isinstance(called.__self__, io.IOBase):
        return _is_of_a_file(called.__self__)
    return name in FOLDERS and getattr(called, "__module__", None) == "posix"


def _is_of_a_file(opened: io.IOBase) -> bool:
    """Answer whether it is neither kept in memory nor where a program prints to."""
    try:
        return opened.fileno() > STDERR
    except (OSError, ValueError):
        return False


def _use(
    order: dict[str, Any],
    opener: Callable[..., Any],
    answers: int,
    lockstep: _Lockstep | None = None,
) -> None:
    """Carry out one order in a fork, and end it."""
    counter = _Counter(order["kill_at"], lockstep)
    if lockstep is not None:
        lockstep.begin()
    if order["is_counted"]:
        counter.begin()
    said: dict[str, Any] = {"number": order["number"]}

    async def use() -> None:
        known = len(sys.modules)
        try:
            store, ending = await open_store(opener, order["place"])
            method = getattr(store, order["operation"])
            answer = await method(*unpacked(order["arguments"]), **order["keywords"])
            said["answer"] = json.loads(json.dumps(answer))
            said["calls"] = counter.count
            await store.close()
            await ending()
        except BaseException as error:  # noqa: BLE001 - what a store raises is data
            said.setdefault("calls", counter.count)
            if "answer" not in said:
                text = word_error(error).partition(": ")[2]
                bases = [kind.__name__ for kind in type(error).__mro__]
                said.update(error=type(error).__name__, bases=bases, text=text)
        said["modules"] = sorted(itertools.islice(reversed(sys.modules), len(sys.modules) - known))

    asyncio.run(use())
    sys.setprofile(None)
    if lockstep is not None:
        lockstep.end()
    with os.fdopen(answers, "wb") as line:
        line.write(json.dumps(said).encode() + b"\n")


class _Origin:
    """The process that is forked: it runs no loop and no thread, so that its forks may."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._opener: Any = None
        self._selector = selectors.DefaultSelector()
        self._forks: dict[int, tuple[int, int]] = {}
        """By what is read from it: the number of the order, and the process."""
        self._buffers: dict[int, bytes] = {}
        self._lockstep: _Lockstep | None = None

    def serve(self) -> None:
        buffer = b""
        self._selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fd != 0:
                    self._hear(key.fd)
                    continue
                chunk = os.read(0, 2**16)
                if not chunk:
                    return
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))

    def end(self) -> None:
        for _, process in self._forks.values():
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)

    def _obey(self, order: dict[str, Any]) -> None:
        if "path" in order:
            sys.path[:] = order["path"]
            try:
                self._opener = names.find_elsewhere(order["name"], order["source"])
            except Exception as error:  # noqa: BLE001 - importing runs foreign code
                self._say({"number": order["number"], "failed": word_error(error)})
            else:
                _import_all(order["modules"])
                self._say({"number": order["number"]})
        elif "stop" in order:
            for number, process in self._forks.values():
                if number == order["number"]:
                    os.kill(process, signal.SIGKILL)
        else:
            self._fork(order)

    def _fork(self, order: dict[str, Any]) -> None:
        reading, writing = os.pipe()
        lockstep = self._lockstep_of(order["together"])
        process = os.fork()
        if process == 0:
            try:
                os.close(reading)
                os.close(0)
                os.open(os.devnull, os.O_RDONLY)
                _use(order, self._opener, writing, lockstep)
            finally:
                os._exit(0)
        os.close(writing)
        self._forks[reading] = (order["number"], process)
        self._selector.register(reading, selectors.EVENT_READ)
        self._buffers[reading] = b""

    def _lockstep_of(self, together: int) -> _Lockstep | None:
        if together == 1:
            return None
        if self._lockstep is None or self._lockstep.is_stale:
            self._lockstep = _Lockstep(together)
        self._lockstep.count()
        return self._lockstep

    def _hear(self, reading: int) -> None:
        chunk = os.read(reading, 2**16)
        self._buffers[reading] += chunk
        if chunk:
            return
        self._selector.unregister(reading)
        os.close(reading)
        number, process = self._forks.pop(reading)
        os.waitpid(process, 0)
        line = self._buffers.pop(reading)
        said: dict[str, Any] = {"number": number, "killed": True}
        if line:
            said = json.loads(line)
        # What one fork has imported, the next ones find imported.
        _import_all(said.get("modules", []))
        self._say(said)

    def _say(self, said: dict[str, Any]) -> None:
        os.write(self._answers, json.dumps(said).encode() + b"\n")


def _import_all(modules: list[str]) -> None:
    for name in modules:
        with suppress(Exception):
            importlib.import_module(name)


def main() -> None:
    answers = os.dup(1)
    os.dup2(2, 1)
    origin = _Origin(answers)
    try:
        origin.serve()
    finally:
        origin.end()


if __name__ == "__main__":
    main()
