"""A PostgreSQL DSN taken apart, and worded again so that asyncpg and libpq read it alike."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

SHARED = frozenset(
    {
        "application_name",
        "gsslib",
        "krbsrvname",
        "options",
        "passfile",
        "service",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "target_session_attrs",
    }
)
"""Parameters that mean the same to both drivers."""

LIBPQ_ONLY = frozenset(
    {
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "fallback_application_name",
        "gssdelegation",
        "gssencmode",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "max_protocol_version",
        "min_protocol_version",
        "replication",
        "require_auth",
        "requirepeer",
        "sslcertmode",
        "sslcompression",
        "sslcrldir",
        "sslsni",
        "tcp_user_timeout",
    }
)
"""Parameters that asyncpg would send to the server, which knows none of them: left out."""

_SHAPE = re.compile(
    r"postgres(?:ql)?://(?:(?P<login>[^/?]*)@)?(?P<hosts>[^/?@]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_ADDRESS = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>\d*))?")


class MalformedDsnError(ValueError):
    """The text is no PostgreSQL DSN; the message never quotes it, since it may hold a password."""


@dataclass(frozen=True)
class Dsn:
    """Where a server is, who asks, and for which database."""

    user: str | None
    password: str | None = field(repr=False)
    addresses: tuple[tuple[str, str], ...]
    """Host and port of each server to try; a host that begins with `/` is a socket's folder."""
    database: str | None
    parameters: tuple[tuple[str, str], ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Dsn:
        """Take a DSN apart as libpq does; parameters of one driver only are left out or reworded.

        Raises:
            MalformedDsnError: it is no `postgresql://` DSN.
        """
        shape = _SHAPE.fullmatch(text)
        if shape is None:
            raise MalformedDsnError(
                "the DSN is not of the form postgresql://user:password@host:port/dbname"
            )
        query = dict(_parameters(shape["query"] or ""))
        user, _, password = (shape["login"] or "").partition(":")
        hosts, ports = query.pop("host", ""), query.pop("port", "")
        database = query.pop("dbname", "") or query.pop("database", "")
        query.pop("database", None)
        return cls(
            user=query.pop("user", "") or unquote(user) or None,
            password=query.pop("password", "") or unquote(password) or None,
            addresses=_in_query(hosts, ports) or _in_authority(shape["hosts"], ports),
            database=database or unquote(shape["database"] or "") or None,
            parameters=_for_both_drivers(query),
        )

    @property
    def where(self) -> str:
        """The server as a person names it: `host:port`."""
        return ",".join(
            f"{host or 'localhost'}:{port or 5432}" for host, port in self.addresses
        ) or ("the default address")

    def with_database(self, name: str) -> Dsn:
        return replace(self, database=name)

    def with_address(self, host: str, port: int) -> Dsn:
        """Answer a DSN for the same database at another address."""
        return replace(self, addresses=((host, str(port)),))

    def with_login(self, user: str, password: str) -> Dsn:
        return replace(self, user=user, password=password)

    def with_search_path(self, schema: str) -> Dsn:
        """Answer a DSN whose connections see this schema and no other."""
        parameters = dict(self.parameters)
        options = f"{parameters.get('options', '')} -csearch_path={schema}"
        return replace(self, parameters=tuple({**parameters, "options": options.strip()}.items()))

    def __str__(self) -> str:
        """Word the DSN, with its password."""
        login = "" if self.user is None else quote(self.user, safe="")
        if self.password is not None:
            login += ":" + quote(self.password, safe="")
        query = list(self.parameters)
        hosts = ""
        if any(host.startswith("/") for host, _ in self.addresses):
            query.insert(0, ("host", ",".join(host for host, _ in self.addresses)))
            if any(port for _, port in self.addresses):
                query.insert(1, ("port", ",".join(port or "5432" for _, port in self.addresses)))
        else:
            hosts = ",".join(host + (f":{port}" if port else "") for host, port in self.addresses)
        database = "" if self.database is None else quote(self.database, safe="")
        worded = "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
        return (
            f"postgresql://{login}{'@' if login else ''}{hosts}/{database}"
            f"{'?' if worded else ''}{worded}"
        )


def _parameters(query: str) -> list[tuple[str, str]]:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [(unquote(name), unquote(value)) for name, _, value in pairs if value]


def _in_query(hosts: str, ports: str) -> tuple[tuple[str, str], ...]:
    if not hosts:
        return ()
    names = [f"[{host}]" if host.count(":") > 1 else host for host in hosts.split(",")]
    return tuple(zip(names, _ports(ports, len(names)), strict=True))


def _in_authority(hosts: str, ports: str) -> tuple[tuple[str, str], ...]:
    if not hosts:
        return _in_query("localhost", ports) if ports else ()
    found = [_ADDRESS.fullmatch(unquote(address)) for address in hosts.split(",")]
    addresses = [(match["host"], match["port"] or "") for match in found if match]
    if len(addresses) != len(found):
        raise MalformedDsnError(
            "the DSN's host or port can't be read; in a password write / as %2F, ? as %3F, @ as %40"
        )
    fallback = _ports(ports, len(addresses))
    return tuple(
        (host, port or other) for (host, port), other in zip(addresses, fallback, strict=True)
    )


def _ports(ports: str, count: int) -> list[str]:
    found = ports.split(",")
    if not all(port.isdigit() or not port for port in found) or len(found) not in {1, count}:
        raise MalformedDsnError("the DSN's port is no number")
    return found if len(found) == count else found * count


def _for_both_drivers(query: dict[str, str]) -> tuple[tuple[str, str], ...]:
    # asyncpg takes any other name for a setting of the server, libpq for a mistake; as an option
    # of the command line of the server process both pass it on.
    settings = [name for name in query if name not in SHARED | LIBPQ_ONLY]
    options = [query["options"]] if "options" in query else []
    options += [f"-c{name}={_escaped(query[name])}" for name in settings]
    kept = {name: value for name, value in query.items() if name in SHARED}
    return tuple((kept | ({"options": " ".join(options)} if options else {})).items())


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)
