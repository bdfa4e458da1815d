"""What a failure of asyncpg means for whoever called the store."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote

import asyncpg

from sessionstore_contract.interface import (
    SessionStoreError,
    StoreUnavailableError,
    UnstorableValueError,
)

RETRIED_AT_ONCE = frozenset({"40001", "40P01", "57014"})
"""Serialization failure, deadlock, cancelled (by a late request that meant the statement before):
the statement had no effect, and the next attempt is likely to work."""

_UNAVAILABLE_CLASSES = frozenset({"08", "28", "40", "53", "55", "57", "58"})
_READ_ONLY = "25006"  # after a failover
_UNAVAILABLE = frozenset({"3D000", _READ_ONLY})  # the first: no such database
_ENDED_BY_SERVER = frozenset({"57P01", "57P02", "57P05"})
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has said goodbye, and nobody has listened yet
    ConnectionError,
)


def is_lost(error: Exception) -> bool:
    """Answer whether the connection was lost: the server may have executed the statement."""
    return sqlstate(error) in _ENDED_BY_SERVER or isinstance(error, _LOST)


def is_outdated(error: Exception) -> bool:
    """Answer whether a new connection may write where this one may not: its server was primary."""
    return sqlstate(error) == _READ_ONLY


def sqlstate(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or "")


class Translator:
    """Words failures for the caller in one line, without the secrets of the DSN.

    The failure of the driver is not chained to what it becomes: what a peer answers, and what a
    parser quotes, may hold the password.
    """

    def __init__(self, dsn: str) -> None:
        self._secrets = _secrets(dsn)

    def translated(self, error: Exception, *, is_repeatable: bool) -> SessionStoreError:
        """Answer what to raise instead.

        `is_repeatable` says that the operation may be repeated even if it had its effect, or that
        it was not sent.
        """
        if isinstance(error, SessionStoreError):
            return error
        state = sqlstate(error)
        reason = self._worded(error)
        if isinstance(error, asyncpg.PostgresError) and state:
            if state[:2] in {"22", "54"}:
                return UnstorableValueError(f"PostgreSQL can't keep the value: {reason}")
            if state[:2] not in _UNAVAILABLE_CLASSES and state not in _UNAVAILABLE:
                return SessionStoreError(f"PostgreSQL refused: {reason} (SQLSTATE {state})")
            # Apart from a lost connection, an error means that the statement was undone.
            is_undone = not is_lost(error)
            return StoreUnavailableError(
                f"PostgreSQL is not available: {reason} (SQLSTATE {state})",
                is_retry_safe=is_repeatable or is_undone,
            )
        return StoreUnavailableError(
            f"PostgreSQL did not answer: {reason}", is_retry_safe=is_repeatable
        )

    def _worded(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return "it took too long"
        if isinstance(error, ValueError | asyncpg.InterfaceError) and not sqlstate(error):
            # The parser of the DSN quotes parts of it, cut where only it knows.
            return f"{type(error).__name__} (is the DSN well-formed, and the peer a PostgreSQL?)"
        reason = " ".join(_said(error).split()) or type(error).__name__
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        return reason


def _said(error: Exception) -> str:
    # The text of a PostgresError has the details too, and those quote rows: what a chat says.
    return str(error.args[0]) if isinstance(error, asyncpg.PostgresError) else str(error)


def _secrets(dsn: str) -> list[str]:
    """Answer every wording of a password in the DSN, the longest first."""
    authority, _, query = dsn.partition("?")
    login = authority.partition("://")[2].rpartition("@")[0]
    found = {login.partition(":")[2]}
    found |= {value for name, value in parse_qsl(query) if "password" in name}
    return sorted(({*found, *map(unquote, found)}) - {""}, key=len, reverse=True)
