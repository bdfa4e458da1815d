"""A child process that opens a store by its name, does what it is told, and can be killed.

Both sides talk in lines of JSON over the child's standard input and output. What the store prints
goes to standard error. The child ends when its input does, so that it never outlives its parent.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import names, origin
from .history import OPERATIONS, word_error
from .opening import open_store
from .power.marking import mark_of, marker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

DYING = 1.0
"""Seconds for a process that kills itself to be gone."""


class UnnamedOpenerError(Exception):
    """The way to open the backend has no name by which another process finds it."""


class RemoteStore:
    """A store in a process of its own."""

    def __init__(self, process: origin.Process) -> None:
        self._process = process
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count()
        self._is_dying = False
        self._listener = asyncio.ensure_future(self._listen())

    @classmethod
    async def open(
        cls,
        opener: Callable[..., Any],
        place: str | None,
        environment: Mapping[str, str] | None = None,
        *,
        anew: bool = False,
    ) -> RemoteStore:
        """Start the process and open the store in it.

        Raises:
            UnnamedOpenerError: the opener is found in no module, as a closure is.
            RuntimeError: the store could not be opened there; the message says why.
        """
        name = names.name_of(opener)
        if name is None:
            raise UnnamedOpenerError(
                f"{opener!r} can't be found by another process: open the store with what has a "
                "name at the top of a module, such as a class, or do not claim multi-process"
            )
        store = cls(await origin.start(__name__, environment, anew=anew))
        try:
            source = names.source_of(name)
            await store._ask("open", name=name, source=source, place=place, path=sys.path)
        except BaseException:
            await store.end()
            raise
        return store

    def __getattr__(self, operation: str) -> Any:
        if operation not in OPERATIONS:
            raise AttributeError(operation)

        def call(*arguments: Any, **keywords: Any) -> Awaitable[Any]:
            return self._ask(operation, arguments=worded(arguments), keywords=keywords)

        return call

    @property
    def pid(self) -> int:
        """The process that holds the store."""
        return self._process.pid

    async def limit_files(self, size: int | None) -> None:
        """Let no file of the process grow past so many bytes; None lifts the limit again."""
        await self._ask("limit", size=size)

    async def die_after(self, answers: int) -> None:
        """Have the process kill itself right after it has given so many more answers."""
        await self._ask("die", after=answers)
        self._is_dying = True

    async def killed(self) -> None:
        """Kill the process, unless it has ended; return when all that it said has been heard."""
        if self._is_dying:
            # To signal a process that is dead by now would take its end from asyncio.
            await asyncio.wait({asyncio.ensure_future(self._process.wait())}, timeout=DYING)
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.wait({self._listener})

    async def end(self) -> None:
        """Kill the process and wait until it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        self._process.stdin.close()
        self._listener.cancel()

    async def _ask(self, operation: str, **rest: Any) -> Any:
        number = next(self._numbers)
        line = json.dumps({"number": number, "operation": operation, **rest})
        if self._listener.done():
            raise RuntimeError("the process that held the store has ended")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._process.stdin.write(line.encode() + b"\n")
        try:
            with suppress(ConnectionError):  # Whether it had answered, the listener knows.
                await self._process.stdin.drain()
            return await answer
        finally:
            # Who gave up while it was being said waits for no answer: what it would raise is
            # looked at here, else asyncio logs that nobody did.
            if not answer.cancel() and not answer.cancelled():
                answer.exception()

    async def _listen(self) -> None:
        stdout = self._process.stdout
        try:
            while line := await stdout.readline():
                said = json.loads(line)
                answer = self._answers.pop(said["number"])
                if answer.done():
                    continue
                try:
                    answer.set_result(told(said))
                except Exception as error:  # noqa: BLE001 - as it was raised there
                    answer.set_exception(error)
        finally:
            # Also when `end` cancels this before the end of the output was read.
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(RuntimeError("the process that held the store has ended"))


def told(said: dict[str, Any]) -> Any:
    """Answer what a store has answered in another process, or raise what it has raised."""
    if "error" in said:
        raise _error(said["error"], said["bases"], said["text"])
    return said["answer"]


def _error(name: str, bases: list[str], text: str) -> Exception:
    """Make an exception that is told like the one in the other process."""
    known = (NotImplementedError, TypeError, ValueError)
    alike = tuple(kind for kind in known if kind.__name__ in bases)
    kind: type[Exception] = type(name, alike or (RuntimeError,), {})
    return kind(text)


def worded(arguments: tuple[Any, ...]) -> list[Any]:
    """Word arguments so that JSON holds them."""
    return [
        {"datetime": one.isoformat()} if isinstance(one, datetime) else {"json": one}
        for one in arguments
    ]


def unpacked(arguments: list[Any]) -> list[Any]:
    """Answer the arguments that were worded so."""
    return [
        datetime.fromisoformat(one["datetime"]) if "datetime" in one else one["json"]
        for one in arguments
    ]


def _limit_files(size: int | None) -> None:
    import resource  # noqa: PLC0415 - only where there is one

    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal of this limit, so that writing fails as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if size is None else size, most))


class _Servant:
    """The child's side."""

    def __init__(self, answers: Any) -> None:
        self._answers = answers
        self._store: Any = None
        self._ending: Any = None
        self._answers_left = 0
        self._mark: Callable[[bytes], object] | None = None

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()

        def begin(line: bytes) -> None:
            task = loop.create_task(self._do(json.loads(line)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        def listen() -> None:
            # A thread, so that the process ends with its parent whatever the store does.
            for line in sys.stdin.buffer:
                loop.call_soon_threadsafe(begin, line)
            os._exit(0)

        threading.Thread(target=listen, daemon=True).start()
        await asyncio.Event().wait()

    async def _do(self, request: dict[str, Any]) -> None:
        said: dict[str, Any] = {"number": request["number"]}
        try:
            if request["operation"] == "open":
                sys.path[:] = request["path"]
                opener = names.find_elsewhere(request["name"], request["source"])
                # Both are kept: a generator that nobody holds ends, and with it what it opened.
                self._store, self._ending = await open_store(opener, request["place"])
                self._mark = marker()
                said["answer"] = None
            elif request["operation"] == "limit":
                _limit_files(request["size"])
                said["answer"] = None
            elif request["operation"] == "die":
                # One more: that this was understood is an answer, too.
                self._answers_left = request["after"] + 1
                said["answer"] = None
            else:
                method = getattr(self._store, request["operation"])
                arguments = unpacked(request["arguments"])
                answer = await method(*arguments, **request["keywords"])
                if self._mark is not None:
                    self._mark(mark_of(*arguments[:1]))
                said["answer"] = json.loads(json.dumps(answer))
        except BaseException as error:  # noqa: BLE001 - what a store raises is data
            text = word_error(error).partition(": ")[2]
            bases = [kind.__name__ for kind in type(error).__mro__]
            said = {**said, "error": type(error).__name__, "bases": bases, "text": text}
        self._answers.write(json.dumps(said).encode() + b"\n")
        self._answers.flush()
        self._die_when_due(said)

    def _die_when_due(self, said: dict[str, Any]) -> None:
        """Kill this process, before anything else runs in it, when it has answered enough."""
        if self._answers_left and "answer" in said:
            self._answers_left -= 1
            if not self._answers_left:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asyncio.run(_Servant(answers).serve())


if __name__ == "__main__":
    main()
