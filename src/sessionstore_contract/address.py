"""The server that a place names, a DSN or a URL, and the same place at another address."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from .port import HOST
from .storage.dsn import Dsn, MalformedDsnError

POSTGRES_SCHEMES = ("postgresql", "postgres")

DEFAULT_PORTS = {
    "http": 80,
    "mongodb": 27017,
    "mysql": 3306,
    "postgresql": 5432,
    "redis": 6379,
}
"""By scheme, without a driver that is named after a plus."""


class NoAddressError(ValueError):
    """The place names no server that the kit can stand in front of; one line, never the place."""


@dataclass(frozen=True)
class Server:
    """Where to connect: host and port, or the path of a Unix socket."""

    host: str
    port: int = 0
    socket_path: str | None = None


def servers_of(place: str) -> tuple[Server, ...]:
    """Answer the servers that a place names, in the order in which they are to be tried.

    Raises:
        NoAddressError: there is none, or none that can be reached by way of another address.
    """
    scheme = place.partition("://")[0]
    if scheme in POSTGRES_SCHEMES:
        return _of_dsn(place)
    parts = _parts(place)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme.partition("+")[0])
    if not parts.hostname:
        raise NoAddressError("the place is no URL with a host: there is no server to stand before")
    if parts.scheme == "https":
        raise NoAddressError("the place is https: the kit has no certificate for its host")
    if port is None:
        raise NoAddressError("the place is a URL without a port: name it")
    return (Server(parts.hostname, port),)


def moved(place: str, port: int) -> str:
    """Answer the place with 127.0.0.1 and this port for its server, and all else as it was."""
    if place.partition("://")[0] in POSTGRES_SCHEMES:
        return str(Dsn.parse(place).with_address(HOST, port))
    parts = _parts(place)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}{HOST}:{port}").geturl()


def password_of(place: str) -> str | None:
    """Answer the password that a place carries."""
    try:
        if place.partition("://")[0] in POSTGRES_SCHEMES:
            return Dsn.parse(place).password
        password = _parts(place).password
    except (MalformedDsnError, NoAddressError):
        return None
    return unquote(password) if password else None


def _of_dsn(place: str) -> tuple[Server, ...]:
    try:
        dsn = Dsn.parse(place)
    except MalformedDsnError as error:
        raise NoAddressError(str(error)) from None
    if dict(dsn.parameters).get("sslmode") == "verify-full":
        raise NoAddressError("sslmode is verify-full: the kit has no certificate for the host")
    if not dsn.addresses:
        raise NoAddressError("the DSN names no host: name it")
    return tuple(
        Server("", socket_path=f"{host}/.s.PGSQL.{port or 5432}")
        if host.startswith("/")
        else Server(host.strip("[]") or "localhost", int(port or 5432))
        for host, port in dsn.addresses
    )


def _parts(place: str) -> SplitResult:
    try:
        parts = urlsplit(place)
        _ = parts.port
    except ValueError:
        raise NoAddressError("the place is a URL that can't be read") from None
    return parts
