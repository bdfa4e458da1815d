"""What is shown to whoever looks at a process: log records, warnings, exceptions."""

from __future__ import annotations

import copy
import logging
import traceback
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

KIT = "sessionstore_contract"


@contextmanager
def eavesdropping() -> Iterator[list[tuple[str, str]]]:
    """Listen to every logger at its finest, and to warnings; what is heard is (who, what).

    Other handlers get what they would have got without us.
    """
    heard: list[tuple[str, str]] = []
    with _listening_to_logs(heard), _listening_to_warnings(heard):
        yield heard


@contextmanager
def overhearing() -> Iterator[list[tuple[str, str]]]:
    """Listen to what is printed unasked: warnings, and what loggers say at WARNING or above.

    Loggers are left as they are set: what one is told to keep to itself is not heard. Of a record
    its text counts, with its traceback, and what it carries for those who log in fields.
    """
    heard: list[tuple[str, str]] = []
    ear = _EarForPrint(heard)
    doors = [one for one in _loggers() if one.parent is None or not one.propagate]
    for logger in doors:
        logger.addHandler(ear)
    try:
        with _listening_to_warnings(heard):
            yield heard
    finally:
        for logger in doors:
            logger.removeHandler(ear)


class _Ear(logging.Handler):
    def __init__(self, heard: list[tuple[str, str]], level: int = logging.DEBUG) -> None:
        super().__init__(level)
        self._heard = heard
        self._form = logging.Formatter("%(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        # What the kit's own servers say is not the store's.
        if record.name.startswith(KIT) or str(record.threadName).startswith(
            "sessionstore-contract"
        ):
            return
        try:
            text = self._form.format(record)
        except Exception:  # noqa: BLE001 - a record that can't be worded shows its parts
            text = ""
        self._heard.append((f"the logger {record.name}", f"{text} {_repr(self.members(record))}"))

    def members(self, record: logging.LogRecord) -> dict[str, Any]:
        """Answer what of a record counts besides its text."""
        return vars(record)


class _EarForPrint(_Ear):
    OF_EVERY_RECORD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})

    def __init__(self, heard: list[tuple[str, str]]) -> None:
        super().__init__(heard, logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        # Another handler may have kept a traceback on it, with the variables of each frame.
        fresh = copy.copy(record)
        fresh.exc_text = None
        super().emit(fresh)

    def members(self, record: logging.LogRecord) -> dict[str, Any]:
        return {
            name: value for name, value in vars(record).items() if name not in self.OF_EVERY_RECORD
        }


def _loggers() -> list[logging.Logger]:
    root = logging.getLogger()
    known = tuple(root.manager.loggerDict.values())
    loggers = [root, *(one for one in known if isinstance(one, logging.Logger))]
    return [one for one in loggers if not one.name.startswith(KIT)]


@contextmanager
def _listening_to_logs(heard: list[tuple[str, str]]) -> Iterator[None]:
    root = logging.getLogger()
    loggers = _loggers()
    levels = [(one, one.level) for one in loggers if one.level != logging.NOTSET]
    former = {logger.name: level for logger, level in levels}
    disabled, ear = root.manager.disable, _Ear(heard)
    sieve = _Sieve(former, disabled)
    doors = [one for one in loggers if one is root or not one.propagate]
    handlers = [handler for one in loggers for handler in one.handlers]
    try:
        for handler in handlers:
            handler.addFilter(sieve)
        for logger, level in levels:
            logger.setLevel(min(level, logging.DEBUG))
        for logger in doors:
            logger.addHandler(ear)
        logging.disable(logging.NOTSET)
        yield
    finally:
        logging.disable(disabled)
        for logger in doors:
            logger.removeHandler(ear)
        for logger, level in levels:
            if logger.level == min(level, logging.DEBUG):
                logger.setLevel(level)
        for handler in handlers:
            handler.removeFilter(sieve)


class _Sieve(logging.Filter):
    """Lets through what the levels from before would have let through."""

    def __init__(self, levels: dict[str, int], disabled: int) -> None:
        super().__init__()
        self._levels = levels
        self._disabled = disabled

    def filter(self, record: logging.LogRecord) -> bool:
        name = record.name
        while name and name not in self._levels:
            name = name.rpartition(".")[0]
        level = self._levels.get(name or "root", logging.NOTSET)
        return record.levelno >= level and record.levelno > self._disabled


@contextmanager
def _listening_to_warnings(heard: list[tuple[str, str]]) -> Iterator[None]:
    # Not by catch_warnings: it changes filters that all threads share.
    show = warnings.showwarning

    def listen(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        heard.append((f"a {category.__name__}", f"{message} {_repr(message)}"))
        show(message, category, *rest)

    warnings.showwarning = listen  # type: ignore[assignment]  # the rest is passed on
    try:
        yield
    finally:
        if warnings.showwarning is listen:
            warnings.showwarning = show


def shown_by(
    error: BaseException, *, in_print_alone: tuple[type[BaseException], ...] = ()
) -> Iterator[tuple[str, str]]:
    """Answer what an exception shows, by where it does: in itself, and along its chain.

    The chain is the one that a traceback shows: what was left out by `from None` is not in it. Of
    exceptions `in_print_alone` only what a traceback prints is answered, not repr and args.
    """
    seen: set[int] = set()
    pending: list[tuple[str, BaseException]] = [("", error)]
    while pending:
        way, one = pending.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        whose = way or "its "
        yield f"{whose}text", _str(one)
        if not isinstance(one, in_print_alone):
            yield f"{whose}repr", _repr(one)
            yield f"{whose}args", _repr(one.args)
        yield f"{whose}notes", _repr(getattr(one, "__notes__", ()))
        if one.__cause__ is not None:
            pending.append((f"{whose}cause's ", one.__cause__))
        elif one.__context__ is not None and not one.__suppress_context__:
            pending.append((f"{whose}context's ", one.__context__))
        if isinstance(one, BaseExceptionGroup):
            pending += [(f"{whose}part's ", part) for part in one.exceptions]
    yield "its traceback", "".join(traceback.format_exception(error))


def shown_by_object(thing: Any) -> Iterator[tuple[str, str]]:
    """Answer what an object shows of itself when it is printed."""
    yield "repr", _repr(thing)
    yield "str", _str(thing)


def _str(thing: Any) -> str:
    try:
        return str(thing)
    except Exception:  # noqa: BLE001 - the str of a foreign object may raise anything
        return ""


def _repr(thing: Any) -> str:
    try:
        return repr(thing)
    except Exception:  # noqa: BLE001 - the repr of a foreign object may raise anything
        return ""
