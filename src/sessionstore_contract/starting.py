"""Starts processes of the kit's own modules: forks of this one where that can be.

A new interpreter that imports the kit costs as much as a tenth of a run on a fast store, a fork
next to nothing. A store must not be able to tell the difference: forked is only what has imported
the standard library, the kit and what its command line is made of, and what runs no thread.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, TextIO

from .origin_process import has_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OURS: Final = frozenset(
    {"__main__", "sessionstore_contract", "click", "rich", "pygments", "markdown_it", "mdurl"}
    | {"sitecustomize", "usercustomize", "_distutils_hack", "_virtualenv", "_missing_stdlib_info"}
)
"""What a process may have imported that is forked; the last ones are every interpreter's."""


class Child(Protocol):
    """A child process, as much of it as its parent needs."""

    def poll(self) -> int | None:
        """Answer its exit code, or minus the signal that ended it; None while it runs."""

    def kill(self) -> None:
        """Kill it, unless it has ended."""

    def wait(self) -> int:
        """Wait until it has ended, and answer how."""


def start(
    main: Callable[[], None],
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    handed: Sequence[int],
    output: int = 2,
) -> Child:
    """Start the `main` of a module with these arguments, in a session of its own.

    What it prints goes to the descriptor `output`; besides, it has those that are `handed`.
    """
    if can_fork():
        return _Fork(lambda: _become(main, arguments, environment, output, handed))
    return subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
        [sys.executable, "-m", main.__module__, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=tuple(handed),
        start_new_session=True,  # Ctrl-C reaches us, and we decide
        env=dict(environment),
    )


def can_fork() -> bool:
    """Answer whether a fork of this process is as good as a new one."""
    if sys.platform != "linux" or has_threads():  # elsewhere threads may be nobody's we know of
        return False
    packages = {name.partition(".")[0] for name in tuple(sys.modules)}
    foreign = packages - OURS - sys.stdlib_module_names
    return all(name.startswith("__editable__") for name in foreign)


class _Fork:
    """A fork of this process, in the form of a `subprocess.Popen`."""

    def __init__(self, become: Callable[[], NoReturn]) -> None:
        self._waiting = threading.Lock()
        self._code: int | None = None
        for stream in (sys.stdout, sys.stderr):
            _flush(stream)
        gc.freeze()  # what both have is not to be copied by whoever collects garbage
        self._number = os.fork()
        if self._number == 0:
            become()

    def poll(self) -> int | None:
        if self._waiting.acquire(blocking=False):
            try:
                self._look(os.WNOHANG)
            finally:
                self._waiting.release()
        return self._code

    def kill(self) -> None:
        # Another thread may wait for it, and is told then.
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._number, signal.SIGKILL)

    def wait(self) -> int:
        with self._waiting:
            self._look(0)
        return self._code or 0

    def _look(self, how: int) -> None:
        if self._code is None:
            ended, status = os.waitpid(self._number, how)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)


def _flush(stream: TextIO | None) -> None:
    with suppress(OSError, ValueError):
        if stream is not None:  # a process may have been started without
            stream.flush()


def _become(
    main: Callable[[], None],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: int,
    handed: Sequence[int],
) -> NoReturn:
    """Become a process like any other, that holds nothing of its parent's, and run `main`."""
    code = 1
    try:
        os.setsid()
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):  # a handler of the parent's
                is_interrupt = number == signal.SIGINT
                signal.signal(
                    number, signal.default_int_handler if is_interrupt else signal.SIG_DFL
                )
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _keep_open({0, 1, 2, *handed})
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        tempfile.tempdir = None
        _find_modules_as_a_module_does()
        sys.argv[1:] = arguments
        main()
        code = 0
    except BaseException:  # noqa: BLE001 - told as an interpreter tells it
        traceback.print_exc()
    finally:
        _flush(sys.stdout)
        os._exit(code)


def _keep_open(kept: set[int]) -> None:
    """Close all other descriptors; their objects stay where they are, below on the stack."""
    for one in tuple(Path("/proc/self/fd").iterdir()):
        if int(one.name) not in kept:
            with suppress(OSError):  # what the folder was read with is closed by now
                os.close(int(one.name))


def _find_modules_as_a_module_does() -> None:
    """Look in the folder of the process first, and not in that of the script that was started."""
    script = Path(sys.argv[0]).resolve().parent
    if not sys.flags.safe_path and sys.path and Path(sys.path[0]).resolve() == script:
        sys.path[0] = str(Path.cwd())
