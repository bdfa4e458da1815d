"""Finding a Python object by its name, and the nearest names to one that was mistyped."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType


MOST_NAMES = 14
"""Names that are listed when none is near: all capabilities, but not all clauses."""


_OF_BACKENDS = f"{__package__}.backend"

EXTRAS = {
    "aiosqlite": "sqlite",
    "asyncpg": "postgres",
    "fastapi": "platform",
    "starlette": "platform",
    "uvicorn": "platform",
}
"""Modules that may be missing, and the extra that brings them."""


class NotFoundError(Exception):
    """Nothing of that name can be had; the message is one line that says why."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Word the names nearest to one that was mistyped, or all when none is near."""
    names = [str(one) for one in known]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    more = f", ... ({len(names)} in all)" if len(names) > MOST_NAMES else ""
    return f"; there are {', '.join(names[:MOST_NAMES])}{more}" if names else ""


def refuse_name(name: Any, error: type[Exception]) -> None:
    """Raise this error where what is tried was given a name that is no text.

    Tables and reports would stumble over it, long after its author has a line to look at.
    """
    if not isinstance(name, str):
        raise error(f"a name is a text, and is not {printable(repr(name), limit=80)}")


def find(name: str) -> Any:
    """Find `module:attribute`; the attribute may be dotted.

    Raises:
        NotFoundError: the module can't be imported (with the cause), or has no such attribute.
    """
    module_name, _, attribute = name.partition(":")
    path = Path(module_name)
    is_path = path.name != module_name or path.suffix == ".py"
    if is_path or module_name[:1] in ("", ".") or not attribute:
        names_one = is_path and path.name and attribute
        there = f"; in the folder of {path.name} it is {path.stem}:{attribute}" if names_one else ""
        raise NotFoundError(f"{name!r} is not of the form module:attribute{there}")
    try:
        module = importlib.import_module(module_name)
    except BaseException as error:  # importing runs foreign code, which may raise anything
        if isinstance(error, KeyboardInterrupt):
            raise
        raise NotFoundError(
            f"module {module_name!r} can't be imported: {_worded(error)}{_raised_at(error)}"
            f"{_where_it_is(module_name, error)}{extra_for(error)}"
        ) from None
    return attribute_of(module, attribute)


def _where_it_is(module_name: str, error: BaseException) -> str:
    """Say what to do about a module that is nowhere, or in a folder that projects have."""
    package = module_name.partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or error.name != package:
        return ""
    is_below = any(Path("src", f"{package}{ending}").exists() for ending in ("", ".py"))
    way = "set PYTHONPATH=src" if is_below else "name its folder in PYTHONPATH"
    return f": install its project (pip install -e .), or {way}"


def _raised_at(error: BaseException) -> str:
    """Name the last line that is neither the kit's nor of the machinery of imports."""
    if isinstance(error, SyntaxError):
        return ""  # says it itself
    others = (f"{Path(__file__).parent}{os.sep}", str(importlib.__file__), "<frozen ")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(others) and Path(frame.filename).is_file():
            path = Path(frame.filename)
            here = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            return f" ({printable(str(here))}, line {frame.lineno})"
    return ""


def extra_for(error: BaseException) -> str:
    """Say how to install what is missing, where an extra of the kit brings it."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    extra = EXTRAS.get((missing or "").partition(".")[0])
    return f": pip install 'sessionstore-contract[{extra}]'" if extra else ""


def attribute_of(module: ModuleType, attribute: str) -> Any:
    """Find an attribute, dotted perhaps, of a module."""
    try:
        return attrgetter(attribute)(module)
    except AttributeError:
        public = [one for one in vars(module) if not one.startswith("_")]
        raise NotFoundError(
            f"module {module.__name__!r} has no attribute {attribute!r}{nearest(attribute, public)}"
        ) from None
    except Exception as error:  # noqa: BLE001 - an attribute on the way may run foreign code
        raise NotFoundError(
            f"{module.__name__}:{attribute} can't be read: {_worded(error)}"
        ) from None


def _worded(error: BaseException) -> str:
    return f"{type(error).__name__}: {printable(' '.join(str(error).split()))}"


def name_of(thing: Any) -> str | None:
    """Name an object so that another process finds it: `module:attribute`, or None."""
    module, attribute = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if isinstance(module, str) and isinstance(attribute, str):
        with suppress(NotFoundError, KeyError):
            found = attribute_of(sys.modules[module], attribute)
            # A class method is bound anew each time it is looked up, and found again all the same.
            if found is thing or (inspect.ismethod(found) and bool(found == thing)):
                return f"{module}:{attribute}"
    return _name_in_a_module(thing) if callable(thing) else None


def _name_in_a_module(thing: Any) -> str | None:
    """Find what does not know its name, such as a partial, a lambda, or an object to be called.

    It may be that of a module, or what a backend of a module is opened with.
    """
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] in sys.stdlib_module_names:
            continue
        for attribute, value in tuple(getattr(module, "__dict__", {}).items()):
            if value is thing:
                return f"{name}:{attribute}"
            if type(value).__module__ == _OF_BACKENDS and vars(value).get("open") is thing:
                return f"{name}:{attribute}.open"
    return None


def source_of(name: str) -> str | None:
    """Answer the file of the module in a name, for a process in which it can't be imported."""
    module = sys.modules.get(name.partition(":")[0])
    return getattr(module, "__file__", None)


def find_elsewhere(name: str, source: str | None) -> Any:
    """Find what another process named: by import, or else out of its source file.

    Raises:
        NotFoundError: neither way leads to it.
    """
    module_name, _, attribute = name.partition(":")
    if module_name != "__main__":
        try:
            return find(name)
        except NotFoundError:
            if source is None or importlib.util.find_spec(module_name.partition(".")[0]):
                raise
    if source is None or not Path(source).is_file():
        raise NotFoundError(f"{name!r} can't be found from another process")
    spec = importlib.util.spec_from_file_location("_contract_source", source)
    if spec is None or spec.loader is None:
        raise NotFoundError(f"{source!r} can't be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return attribute_of(module, attribute)
