"""Which drivers a store talks through: those that code outside the kit refers to, once imported."""

from __future__ import annotations

import sys
from importlib import metadata
from types import ModuleType
from typing import Any

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


def in_use(module: str) -> list[str]:
    """Name the drivers, with versions, that the loaded modules of a package refer to.

    `module` is any of its modules. Asked for in a process that has opened one store, it is what
    that store talks through, or may. A driver that is imported inside a function is not seen.
    """
    top = module.partition(".")[0]
    own = [one for name, one in tuple(sys.modules.items()) if name.partition(".")[0] == top]
    found = {
        home.partition(".")[0]
        for one in own
        for home in map(_home, tuple(vars(one).values()))
        if home.partition(".")[0] in DRIVERS
    }
    return [f"{one} {version}" for one in sorted(found) if (version := _version(one))]


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
