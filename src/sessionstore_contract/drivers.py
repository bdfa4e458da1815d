"""Which drivers a store talks through: those that what opens it refers to, once imported."""

from __future__ import annotations

import dis
import inspect
import sys
from functools import cache, cached_property, partial
from importlib import metadata
from importlib.util import resolve_name
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIVERS = {
    "aiohttp": "aiohttp",
    "aiomysql": "aiomysql",
    "aiosqlite": "aiosqlite",
    "apsw": "apsw",
    "asyncpg": "asyncpg",
    "httpx": "httpx",
    "motor": "motor",
    "psycopg": "psycopg",
    "pymongo": "pymongo",
    "redis": "redis",
    "sqlalchemy": "SQLAlchemy",
    "valkey": "valkey",
}
"""Top-level modules, and the distributions that they come from."""


_FOUND: dict[int, tuple[Any, int, list[str]]] = {}
"""What was found, by the opener's number: the opener, and how many modules were loaded then."""


def in_use(opener: Any) -> list[str]:
    """Name the drivers, with versions, that a store's opener refers to, once they are imported.

    It goes from a function to what its code names, and from a class to its methods and bases, as
    far as they are of the opener's package or of one that it refers to. So what else is in a module
    counts for nothing: many hold several stores. Nothing is imported for it.
    """
    loaded = len(sys.modules)
    known = _FOUND.get(id(opener))
    if known is None or known[1] != loaded:
        try:
            found = _found(opener)
        except Exception:  # noqa: BLE001 - objects of an author's may do anything; no run ends of it
            found = []
        known = _FOUND[id(opener)] = (opener, loaded, found)
    return known[2]


def _found(opener: Any) -> list[str]:
    packages = {_top(_home(one)) for one in (opener, *_reached_from(opener))}
    packages -= {*DRIVERS, *sys.stdlib_module_names, _top(__name__), ""}
    found: set[str] = set()
    seen: dict[int, Any] = {}
    left = [opener]
    while left:
        value = left.pop()
        top = _top(_home(value))
        if top in DRIVERS:
            found.add(top)
        elif id(value) not in seen and (value is opener or top in packages):
            seen[id(value)] = value  # kept, so that no other has its number
            left += _reached_from(value)
    return [f"{one} {version}" for one in sorted(found) if (version := _version(one))]


def _reached_from(value: Any) -> list[Any]:
    """Answer what a value refers to: what else has to be there for it to work."""
    kind = type(value)  # isinstance would ask the object, which may say anything or raise
    if issubclass(kind, partial):
        return [value.func]
    if issubclass(kind, MethodType | classmethod | staticmethod):
        return [value.__func__]
    if issubclass(kind, FunctionType):
        function = inspect.unwrap(value)
        return [*_named_in(function), *_imported_by(function)]
    if issubclass(kind, type):
        members = vars(value).values()
        return [*members, *map(_read_by, members), *value.__bases__]
    if issubclass(kind, ModuleType):
        return list(vars(value).values())
    return [kind]


def _read_by(member: Any) -> Any:
    """Answer the function behind an attribute that is made when it is read."""
    if issubclass(type(member), property):
        return member.fget
    return member.func if issubclass(type(member), cached_property) else None


def _named_in(function: FunctionType) -> Iterator[Any]:
    """Yield what a function's code may mean by its names, and what it has closed over."""
    names = {name for one in _nested(function.__code__) for name in one.co_names}
    for name in names & function.__globals__.keys():
        yield from _meant(function.__globals__[name], names)
    for cell in function.__closure__ or ():
        try:
            yield from _meant(cell.cell_contents, names)
        except ValueError:  # Nothing was put into it yet.
            continue


def _meant(value: Any, names: set[str]) -> Iterator[Any]:
    """Yield what code takes out of a module by such names, or the value itself."""
    inside = names & vars(value).keys() if issubclass(type(value), ModuleType) else set()
    for name in inside:
        yield from _meant(vars(value)[name], names - {name})
    if not inside:
        yield value


def _imported_by(function: FunctionType) -> Iterator[Any]:
    """Yield what a function imports where it runs, as far as it is loaded."""
    package = function.__globals__.get("__package__") or ""
    for level, names, module in _imports_in(function.__code__):
        home = sys.modules.get(_absolute(module, level, package))
        if home is not None and not names:
            yield home
        for name in names:
            yield vars(home).get(name) if home is not None else None


@cache
def _imports_in(code: CodeType) -> tuple[tuple[int, tuple[str, ...], str], ...]:
    """Say of each import in some code: its dots, the names after `import`, the module."""
    return tuple(
        (level.argval, names.argval or (), step.argval)
        for steps in map(_steps, _nested(code))
        for level, names, step in zip(steps, steps[1:], steps[2:], strict=False)
        if step.opname == "IMPORT_NAME"
    )


def _steps(code: CodeType) -> list[dis.Instruction]:
    # What only makes the number in the next one longer is none.
    return [one for one in dis.get_instructions(code) if one.opname != "EXTENDED_ARG"]


def _absolute(module: str, level: int, package: str) -> str:
    try:
        return resolve_name("." * level + module, package).rstrip(".")
    except ImportError:  # A module that belongs to no package.
        return ""


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _top(module: str) -> str:
    return module.partition(".")[0]


def _home(value: Any) -> str:
    """Answer the module that a value is, or comes from."""
    # isinstance would ask the object, which may say anything or raise.
    is_module = issubclass(type(value), ModuleType)
    home = value.__name__ if is_module else _module_of(value)
    return home if isinstance(home, str) else ""


def _module_of(value: Any) -> Any:
    try:
        return getattr(value, "__module__", "")
    except Exception:  # noqa: BLE001 - an object of an author's may do anything when it is asked
        return ""


def _version(module: str) -> str | None:
    try:
        return metadata.version(DRIVERS[module])
    except metadata.PackageNotFoundError:
        return None
