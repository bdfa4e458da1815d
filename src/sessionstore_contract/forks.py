"""Processes that open a store for one operation each, and may be killed at a call of theirs.

One process finds the opener and imports what it needs; each operation is made in a fork of it, as
the first one of a store that was opened there. Where it is asked to, a fork counts the calls by
which it reaches beyond itself: statements of a database library, bytes for a socket or file,
changes to folders. Before one of them it can be made to kill itself. To count takes longer than
most operations do.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import itertools
import json
import os
import select
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
"""Seconds that forks wait for each other: the last one may never be asked for."""

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
        """How many processes wait for each other, before each of them opens its store."""
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
                "is_counted": self._is_counted or self.kill_at is not None,
            }
        )
        if said.get("killed"):
            if self.kill_at is None:
                raise RuntimeError("the process that held the store has ended")
            raise KilledError(f"the process was killed before its call {self.kill_at}")
        self.calls = said["calls"]
        return told(said)


class _Counter:
    """Counts the calls of this process that reach beyond it, on every thread."""

    def __init__(self, kill_at: int | None) -> None:
        self._kill_at = kill_at
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


def _use(order: dict[str, Any], opener: Callable[..., Any], answers: int) -> None:
    """Carry out one order in a fork, and end it."""
    counter = _Counter(order["kill_at"])
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
    with os.fdopen(answers, "wb") as line:
        line.write(json.dumps(said).encode() + b"\n")


class _Gate:
    """Where so many forks wait for each other."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self._until = time.monotonic() + GATHERING
        self._waiting, self._letting = os.pipe()

    @property
    def is_open(self) -> bool:
        return not self._missing or time.monotonic() > self._until

    def wait(self) -> None:
        """Wait, in a fork, until the gate is open."""
        select.select([self._waiting], [], [], max(0.0, self._until - time.monotonic()))
        self.close()

    def count(self) -> None:
        """Count one more fork, and let all of them go if it was the last one."""
        self._missing -= 1
        if not self._missing:
            os.write(self._letting, b".")  # all of them see it, and nobody reads it

    def close(self) -> None:
        os.close(self._waiting)
        os.close(self._letting)


class _Origin:
    """The process that is forked: it runs no loop and no thread, so that its forks may."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._opener: Any = None
        self._selector = selectors.DefaultSelector()
        self._forks: dict[int, tuple[int, int]] = {}
        """By what is read from it: the number of the order, and the process."""
        self._buffers: dict[int, bytes] = {}
        self._gate: _Gate | None = None

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
        gate = self._gate_of(order["together"])
        process = os.fork()
        if process == 0:
            try:
                os.close(reading)
                if gate is not None:
                    gate.wait()
                os.close(0)
                os.open(os.devnull, os.O_RDONLY)
                _use(order, self._opener, writing)
            finally:
                os._exit(0)
        os.close(writing)
        if gate is not None:
            gate.count()
        self._forks[reading] = (order["number"], process)
        self._selector.register(reading, selectors.EVENT_READ)
        self._buffers[reading] = b""

    def _gate_of(self, together: int) -> _Gate | None:
        if together == 1:
            return None
        if self._gate is not None and self._gate.is_open:
            self._gate.close()
            self._gate = None
        if self._gate is None:
            self._gate = _Gate(together)
        return self._gate

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
