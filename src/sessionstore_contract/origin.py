"""Starts processes of the kit's own modules: forked from one that is ready, where that can be.

A new interpreter that imports the kit and a driver costs some 0.2 s of processor time, a fork a
tenth of it. What is imported before the fork is the kit, the standard library, and the drivers that
this process has: none of them knows which process it is in. The module of a store, and all else, is
imported by each fork for itself, as in a process of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from . import origin_process, starting
from .drivers import DRIVERS
from .origin_process import FORK, worded_kill, worded_order

if TYPE_CHECKING:
    from collections.abc import Mapping

LINE_LIMIT = 2**28
"""Bytes in one line: a history at the largest effort, with room."""

READY: Final = (
    *(f"{__package__}.{one}" for one in ("worker", "forks", "backend")),
    *("asyncio", "sqlite3", "ssl", "logging", "concurrent.futures", "tempfile", "urllib.parse"),
    *("uuid", "hashlib", "secrets", "decimal", "platform", "http.cookiejar", "zoneinfo"),
)
"""The kit's side of a store, and what of the standard library most stores import."""

WITH_DRIVERS: Final = frozenset(
    DRIVERS.keys()
    | {"aiohappyeyeballs", "aiosignal", "anyio", "attr", "certifi", "frozenlist", "greenlet", "h11"}
    | {"httpcore", "idna", "msgspec", "multidict", "propcache", "sniffio", "typing_extensions"}
    | {"yarl"}
)
"""What is imported before a fork: drivers, and what these import."""


class Process(Protocol):
    """A child process as asyncio has it, of which nobody reads more than this."""

    stdin: Any
    stdout: Any

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it has not."""

    def kill(self) -> None:
        """Kill it."""

    async def wait(self) -> int:
        """Wait until it is gone."""


async def start(
    main: str, environment: Mapping[str, str] | None = None, *, anew: bool = False
) -> Process:
    """Start `main()` of a module of the kit, its standard input and output on sockets or pipes.

    It is a new interpreter if it is to start `anew`, or with an environment of its own: a library
    may look there as it starts. One that starts anew has another `hash` of texts than all others.
    """
    if not (anew or environment) and hasattr(os, "fork") and hasattr(socket, "send_fds"):
        forked = await _Forked.start(main)
        if forked is not None:
            return forked
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        main,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            **({"PYTHONHASHSEED": "random"} if anew else {}),
            **(environment or {}),
            "PYTHONPATH": _path(),
        },
        limit=LINE_LIMIT,
    )


def _path() -> str:
    return os.pathsep.join(filter(None, sys.path))


class _Origin:
    """This process's side of the process that is forked."""

    _control: socket.socket | None = None
    _process: starting.Child | None = None

    def __init__(self) -> None:
        self.forget()

    def open_ahead(self) -> None:
        """Start it now if it can be forked: once this process has a thread, it can't be."""
        with self._lock:
            if starting.can_fork():
                self._opened()

    def fork(self, order: dict[str, Any]) -> tuple[socket.socket, socket.socket, socket.socket]:
        """Ask for a fork; answer what to ask it on, what it answers on, and what is told of it.

        One socket for both ways would lose what the fork has answered before it died: asyncio
        closes it for both at the next question.
        """
        pairs = [socket.socketpair() for _ in range(3)]
        (asks, _), (answers, _), (status, _) = pairs
        try:
            with self._lock:
                socket.send_fds(self._opened(), [FORK], [theirs.fileno() for _, theirs in pairs])
            # Not before: an environment of more than a socket holds would wait for its reader.
            asks.sendall(worded_order(order))
        except BaseException:
            for own, _ in pairs:
                own.close()
            raise
        finally:
            for _, theirs in pairs:
                theirs.close()
        return asks, answers, status

    def kill(self, process: int) -> None:
        with self._lock, suppress(OSError):
            if self._control is not None:
                self._control.sendall(worded_kill(process))

    def close(self) -> None:
        with self._lock:
            if self._control is not None:
                self._control.close()
            if self._process is not None:
                self._process.wait()
            self._control = self._process = None

    def forget(self) -> None:
        """Hold nothing of it in a fork of this process, which would keep it alive."""
        if self._control is not None:
            self._control.close()
        self._lock = threading.Lock()
        self._control = self._process = None

    def _opened(self) -> socket.socket:
        if self._control is None or self._process is None or self._process.poll() is not None:
            if self._control is not None:  # of one that was killed
                self._control.close()
            self._control, theirs = socket.socketpair()
            with theirs:
                self._process = starting.start(
                    origin_process.main,
                    (str(theirs.fileno()), *READY),
                    environment={**os.environ, "PYTHONPATH": _path()},
                    handed=[theirs.fileno()],
                )
        return self._control


_origin = _Origin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_origin.forget)


open_ahead = _origin.open_ahead


@atexit.register
def close() -> None:
    """End what the processes were forked from, and with it those that are left."""
    _origin.close()


class _Asking:
    """What a fork is asked on; to close it is to listen no longer, too."""

    def __init__(self, asks: asyncio.StreamWriter, answers: asyncio.StreamWriter) -> None:
        self.write, self.drain, self.abort = asks.write, asks.drain, asks.transport.abort
        self._both = asks, answers

    def close(self) -> None:
        for one in self._both:
            one.close()


class _Forked:
    """A process that was forked from the origin, in the form of asyncio's."""

    def __init__(
        self,
        pid: int,
        asks: asyncio.StreamWriter,
        answers: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        status: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = _Asking(asks, answers[1])
        self.stdout = answers[0]
        self._status = status
        # Not the number: the process is nobody's child here, and another may have that by then.
        self._handle: int | None = None
        if hasattr(os, "pidfd_open"):
            with suppress(OSError):
                self._handle = os.pidfd_open(pid)
        self._end = asyncio.ensure_future(self._ended())

    @classmethod
    async def start(cls, main: str) -> _Forked | None:
        """Fork; None where the origin can't be forked."""
        order = {
            "main": main,
            "modules": [one for one in tuple(sys.modules) if one.split(".")[0] in WITH_DRIVERS],
            "folder": str(Path.cwd()),
            "environment": {**os.environ, "PYTHONPATH": _path()},
        }
        try:
            sockets = _origin.fork(order)
        except OSError:
            return None
        held: list[socket.socket | asyncio.StreamWriter] = [*sockets]
        streams = []
        try:
            for number, one in enumerate(sockets):
                streams.append(await asyncio.open_connection(sock=one, limit=LINE_LIMIT))
                held[number] = streams[-1][1]
            (_, asks), answers, status = streams
            pid = await status[0].readline()
        except BaseException:
            # The fork ends for want of anybody to talk to.
            for stream in held:
                stream.close()
            raise
        if pid:
            return cls(int(pid), asks, answers, status)
        for stream in held:
            stream.close()
        return None

    def kill(self) -> None:
        if self.returncode is None:
            _origin.kill(self.pid)

    async def wait(self) -> int:
        return await asyncio.shield(self._end)

    async def _ended(self) -> int:
        reader, writer = self._status
        try:
            said = await reader.readline()
            if not said:
                self._kill_orphan()
            self.returncode = int(said) if said else -signal.SIGKILL
        finally:
            writer.close()
            if self._handle is not None:
                os.close(self._handle)
        return self.returncode

    def _kill_orphan(self) -> None:
        """The origin is gone: it has killed this process before, or was itself killed."""
        if self._handle is None:
            self.stdin.abort()  # it ends, unless it hangs, and nobody waits for it here
            return
        with suppress(OSError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
