"""Keeping a store from ending the process in which it is tried."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ProcessExit(BaseException):
    """A store has called os._exit or os.abort."""


_really: dict[str, Callable[..., Any]] = {}
_lock = threading.Lock()
_trials = 0


@contextmanager
def exits_refused() -> Iterator[None]:
    """Turn os._exit and os.abort into an exception, in this process and not in forked children."""
    global _trials  # noqa: PLW0603 - the process is one, however many trials run in its threads
    with _lock:
        _trials += 1
        if _trials == 1:
            _refuse()
    try:
        yield
    finally:
        with _lock:
            _trials -= 1
            if _trials == 0:
                _allow()


def _refuse() -> None:
    owner = os.getpid()
    _really.update({"_exit": os._exit, "abort": os.abort})

    def refusing(name: str) -> Any:
        def refuse(*arguments: Any) -> NoReturn:
            if os.getpid() != owner:
                _really[name](*arguments)
            call = f"os.{name}({', '.join(map(repr, arguments))})"
            raise ProcessExit(f"{call} would have ended the process")

        return refuse

    for name in _really:
        setattr(os, name, refusing(name))


def _allow() -> None:
    for name, function in _really.items():
        setattr(os, name, function)
