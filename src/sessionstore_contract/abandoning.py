"""Ends the thread of a trial that does not come back by itself."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 1.0
"""Seconds that are waited for a thread to end; one that waits outside of Python is left behind."""


class Abandoned(BaseException):
    """Raised in a thread that is given up, at its next Python instruction."""


def abandon(thread: threading.Thread, done: threading.Event) -> None:
    """Raise `Abandoned` in a thread, and wait a moment until it says that it is done."""
    if thread.ident is None or done.is_set():
        return
    until = time.monotonic() + PATIENCE
    with _unheard() as unheard:
        _raise_in(thread.ident)
        while not done.wait(0.02) and time.monotonic() < until:
            if unheard.is_set():
                unheard.clear()
                _raise_in(thread.ident)


def _raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Abandoned))


@contextmanager
def _unheard() -> Iterator[threading.Event]:
    """Learn of what was raised where Python lets nothing through, as where an object ends.

    Such an exception goes to a hook: nobody is to hear of it there, and it is to be raised again.
    """
    unheard, told = threading.Event(), sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is Abandoned:
            unheard.set()
        else:
            told(unraisable)

    sys.unraisablehook = hook
    try:
        yield unheard
    finally:
        sys.unraisablehook = told
