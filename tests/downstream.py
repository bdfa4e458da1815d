"""The stores of fipsagents, as backends to be measured: `make bench-downstream`.

They are opened only where fipsagents is installed, which is an environment of its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sessionstore_contract.backend import Backend


def open_sqlite(path: str) -> Any:
    """Open their store in an SQLite file."""
    return import_module("fipsagents.server.sessions").SqliteSessionStore(path)


def open_postgres(dsn: str) -> Any:
    """Open their store in a PostgreSQL database."""
    return import_module("fipsagents.server.sessions").PostgresSessionStore(dsn)


def open_http(url: str) -> Any:
    """Open their store on a platform service: the same one as ours, so their client is measured."""
    return import_module("fipsagents.server.http").HttpSessionStore(url)


SQLITE = Backend("fipsagents sqlite", open=open_sqlite, storage="file")
POSTGRES = Backend("fipsagents postgres", open=open_postgres, storage="postgres")
HTTP = Backend("fipsagents http", open=open_http, storage="platform")
