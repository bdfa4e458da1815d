"""The process that others are forked from: it has imported what they need, and does nothing else.

It runs no thread and no loop, so that its forks may. Nine bytes on the descriptor that it was
started with are one request. With `F` come three sockets: on the first the fork is told what to
do, on the second it answers, the third is told the fork's number and, when it is gone, how it
ended. `K` and a number kill it. All forks are killed when the descriptor is closed.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

REQUEST = 9
FORK = b"F".ljust(REQUEST)
LENGTH = 8
"""Bytes before an order that say how long it is."""


def worded_kill(process: int) -> bytes:
    """Word the request to kill a fork."""
    return b"K%08d" % process


def worded_order(order: dict[str, Any]) -> bytes:
    """Word what a fork is to do."""
    body = json.dumps(order).encode()
    return b"%08d" % len(body) + body


class _Origin:
    def __init__(self, control: socket.socket, modules: list[str]) -> None:
        self._control = control
        self._modules = modules
        """What every fork finds imported; nothing is, before the first one is wanted."""
        self._forks: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._waking, self._woken = socket.socketpair()
        for one in (self._waking, self._woken):
            one.setblocking(False)
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._obey():
                        return
                else:
                    with suppress(BlockingIOError):
                        self._woken.recv(4096)
            self._reap()

    def end(self) -> None:
        for process in self._forks:
            os.kill(process, signal.SIGKILL)
        for process in self._forks:
            os.waitpid(process, 0)

    def _obey(self) -> bool:
        """Carry out one request; False where there will be no more."""
        request, handed, _, _ = socket.recv_fds(self._control, REQUEST, 3)
        if len(request) < REQUEST:
            return False
        if request != FORK:
            process = int(request[1:])
            if process in self._forks:
                os.kill(process, signal.SIGKILL)
            return True
        asks, answers, status = (socket.socket(fileno=one) for one in handed)
        with asks, answers:
            try:
                order = json.loads(_exactly(asks, int(_exactly(asks, LENGTH))))
            except (EOFError, OSError):  # so it may have been before it had said what for
                status.close()
                return True
            self._get_ready()
            for name in order["modules"]:
                with suppress(Exception):
                    importlib.import_module(name)
            if has_threads():
                # A lock that a thread holds would stay locked in the fork.
                status.close()
            else:
                self._fork((asks, answers), status, order)
        return True

    def _get_ready(self) -> None:
        if self._modules:
            for name in self._modules:
                importlib.import_module(name)
            self._modules = []
            gc.freeze()  # shared by the forks for as long as nobody collects it

    def _fork(
        self,
        talk: tuple[socket.socket, socket.socket],
        status: socket.socket,
        order: dict[str, Any],
    ) -> None:
        process = os.fork()
        if process == 0:
            try:
                self._leave(*talk, status)
                _do(order)
            finally:
                os._exit(0)
        self._forks[process] = status
        with suppress(OSError):  # whoever asked for it may have been cancelled since
            status.sendall(b"%d\n" % process)

    def _leave(self, asks: socket.socket, answers: socket.socket, status: socket.socket) -> None:
        """Become a process like any other, that holds nothing of the origin's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for one in (self._control, self._waking, self._woken, status, *self._forks.values()):
            one.close()
        os.dup2(asks.fileno(), 0)
        os.dup2(answers.fileno(), 1)
        asks.close()
        answers.close()

    def _reap(self) -> None:
        for process, status in tuple(self._forks.items()):
            ended, how = os.waitpid(process, os.WNOHANG)
            if ended:
                del self._forks[process]
                with status, suppress(OSError):
                    status.sendall(b"%d\n" % os.waitstatus_to_exitcode(how))


def _do(order: dict[str, Any]) -> None:
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    importlib.import_module(order["main"]).main()


def _exactly(asks: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        chunk = asks.recv(length - len(found))
        if not chunk:
            raise EOFError("the order was cut off")
        found += chunk
    return found


def has_threads() -> bool:
    """Also those that Python does not know of, where the system tells."""
    known = Path("/proc/self/task")
    return threading.active_count() > 1 or (known.is_dir() and len(list(known.iterdir())) > 1)


def main() -> None:
    """Serve the descriptor named on the command line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    os.dup2(2, 1)
    origin = _Origin(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    try:
        origin.serve()
    finally:
        origin.end()


if __name__ == "__main__":
    main()
