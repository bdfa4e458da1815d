"""Stopping a run when it is asked to: at places where it can be, never in the middle of tidying."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

INTERVAL = 0.1
"""Seconds that whoever waits may go without a look at the request."""

INTERRUPTED = 130
"""Exit code of what Ctrl-C ended before there was anything to report, as shells have it."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(Exception):
    """The run was asked to stop, and this is a place where it can."""


class StopRequest:
    """Whether somebody has asked the run to stop.

    A signal only sets it: an exception out of a handler could hit while folders are removed and
    workers replaced, and leave them behind.
    """

    def __init__(self) -> None:
        self._is_made = threading.Event()

    def make(self) -> None:
        """Ask the run to stop."""
        self._is_made.set()

    def check(self) -> None:
        """Raise StoppedError if the run was asked to stop."""
        if self._is_made.is_set():
            raise StoppedError

    def listen(self) -> None:
        """Take signals for requests; SIGINT too where a shell has it ignored, in the background."""
        for number in SIGNALS:
            is_nohup = number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
            if not is_nohup:
                signal.signal(number, self._take)

    def stop_listening(self) -> None:
        """Let nothing disturb the end of the process any more."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _take(self, _: int, __: FrameType | None) -> None:
        self.make()
