"""Keeping a store from ending the process in which it is tried."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ProcessExit(BaseException):
    """A store has called os._exit or os.abort."""


@contextmanager
def exits_refused() -> Iterator[None]:
    """Turn os._exit and os.abort into an exception, in this process and not in forked children."""
    owner = os.getpid()
    really: dict[str, Callable[..., Any]] = {"_exit": os._exit, "abort": os.abort}

    def refusing(name: str) -> Any:
        def refuse(*arguments: Any) -> NoReturn:
            if os.getpid() != owner:
                really[name](*arguments)
            call = f"os.{name}({', '.join(map(repr, arguments))})"
            raise ProcessExit(f"{call} would have ended the process")

        return refuse

    for name in really:
        setattr(os, name, refusing(name))
    try:
        yield
    finally:
        for name, function in really.items():
            setattr(os, name, function)
