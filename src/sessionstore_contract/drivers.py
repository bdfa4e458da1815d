"""Which drivers a store talks through: those that what opens it refers to, once imported."""

from __future__ import annotations

import dis
import inspect
import sys
from functools import cache, partial
from importlib import metadata
from importlib.util import resolve_name
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


def in_use(opener: Any) -> list[str]:
    """Name the drivers, with versions, that a store's opener refers to, once they are imported.

    From a function it goes by the names in its code, so that what else is in its module counts
    for nothing; from the class of a store, or a function that it calls, by their modules and the
    modules of their package that these refer to. Nothing is imported for it.
    """
    beginning = set(_referred_by(opener))
    packages = {_top(home) for home in beginning if _is_an_authors(home)}
    seen: set[str] = set()
    left = list(beginning)
    while left:
        home = left.pop()
        if home not in seen:
            seen.add(home)
            if _top(home) in packages:
                left += _referred_in(home)
    found = sorted({_top(home) for home in seen} & DRIVERS.keys())
    return [f"{one} {version}" for one in found if (version := _version(one))]


def _referred_by(opener: Any) -> Iterator[str]:
    """Yield the modules that an opener refers to, without the rest of its own module."""
    while isinstance(opener, partial | MethodType):
        opener = opener.func if isinstance(opener, partial) else opener.__func__
    opener = inspect.unwrap(opener) if isinstance(opener, FunctionType) else opener
    if not isinstance(opener, FunctionType):
        yield _home(opener if isinstance(opener, type) else type(opener))
        return
    done, left = set(), [opener]
    while left:
        function = left.pop()
        done.add(function)
        for value in _named_in(function):
            home = _home(value)
            if isinstance(value, FunctionType) and home == opener.__module__:
                left += [value] if value not in done else []
            else:
                yield home
        yield from _imported_by(function)


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


def _referred_in(module: str) -> Iterable[str]:
    """Answer the modules that a loaded one refers to, also where one of its functions imports."""
    values = tuple(vars(sys.modules[module]).values()) if module in sys.modules else ()
    own = [
        one for one in values if issubclass(type(one), FunctionType | type) and _home(one) == module
    ]
    functions = [
        function
        for one in own
        for function in (vars(one).values() if isinstance(one, type) else (one,))
        if isinstance(function, FunctionType)
    ]
    imported = {home for one in functions for home in _imported_by(one)}
    return {*map(_home, values), *imported}


def _imported_by(function: FunctionType) -> frozenset[str]:
    return _imported_in(function.__code__, function.__globals__.get("__package__") or "")


@cache
def _imported_in(code: CodeType, package: str) -> frozenset[str]:
    """Name what code of a package imports where it runs, as far as it is loaded."""
    found: set[str] = set()
    for one in _nested(code):
        for level, names, module in _imports(list(dis.get_instructions(one))):
            home = _absolute(module, level, package)
            inside = {f"{home}.{name}" for name in names or ()} & sys.modules.keys()
            found |= inside or {home} & sys.modules.keys()
    return frozenset(found)


def _imports(steps: list[dis.Instruction]) -> Iterator[tuple[int, tuple[str, ...] | None, str]]:
    """Yield what each import of some code says: its dots, the names after `import`, the module."""
    for level, names, step in zip(steps, steps[1:], steps[2:], strict=False):
        if step.opname == "IMPORT_NAME":
            yield level.argval, names.argval, step.argval


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


def _is_an_authors(module: str) -> bool:
    """Answer whether modules of that package are looked into: not a driver's, nor our own."""
    return _top(module) not in {*DRIVERS, *sys.stdlib_module_names, _top(__name__), ""}


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
