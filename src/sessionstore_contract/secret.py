"""A password or token that only the kit knows, and the peers that a store is given it for."""

from __future__ import annotations

import base64
import secrets
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from .address import POSTGRES_SCHEMES, NoAddressError, moved, password_of, servers_of
from .echo import Echo, Manner
from .expect import NothingFound
from .port import Port
from .storage import StorageUnavailableError
from .storage.dsn import Dsn
from .storage.postgres_server import Administrator

if TYPE_CHECKING:
    import socket

SHORTEST = 8
"""Characters of a password that is not met by chance in a message."""


@dataclass(frozen=True)
class Peer:
    """Whom a store is to talk to, with the secret at hand."""

    name: str
    """Worded to follow `with`."""
    place: str = field(repr=False)
    token: str | None = field(repr=False)
    is_real: bool = False
    """Whether it is the place itself, where everything works."""


@dataclass(frozen=True)
class Secret:
    """What must not be shown, and the peers with whom it is tried."""

    kind: str
    """`password` or `token`."""
    spellings: tuple[str, ...] = field(repr=False)
    """How the secret, or a part of it that gives it away, may be spelt."""
    peers: tuple[Peer, ...] = ()

    def is_in(self, text: str) -> bool:
        return any(spelling in text for spelling in self.spellings)

    def hidden(self, text: str) -> str:
        """Answer the text without the secret, for a report."""
        for spelling in self.spellings:
            text = text.replace(spelling, f"[the {self.kind}]")
        return text


async def secret_for(
    place: str, *, takes_token: bool, may_make_roles: bool
) -> tuple[Secret, AsyncExitStack]:
    """Make a secret for a place, and the peers; what was made for it ends with the stack.

    A store that takes a token gets one of ours. A PostgreSQL database gets a role of its own, if
    the server is the kit's to work on; else the password that the place carries is used.

    Raises:
        NothingFound: the place carries no secret that would be recognised.
    """
    async with AsyncExitStack() as made:
        token = None
        if takes_token:
            core = secrets.token_hex(12)
            token = f"kit.{core}"
        else:
            own = await _role(place, made) if may_make_roles else None
            place, core = own or (place, _recognisable(place))
        peers = _peers(place, token, made)
        ending = made.pop_all()
    return Secret("token" if takes_token else "password", _spellings(core), peers), ending


def _spellings(core: str) -> tuple[str, ...]:
    """Answer the text as it is, as a URL has it, and within base64 wherever it begins there."""
    inside = []
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + core.encode()).decode()
        # The characters at either end depend on what stands before and after the secret.
        inside.append(encoded[-(-offset * 4 // 3) : len(encoded) - 4])
    return tuple(dict.fromkeys([core, quote(core, safe=""), *inside]))


def _peers(place: str, token: str | None, made: AsyncExitStack) -> tuple[Peer, ...]:
    peers = [Peer("the place itself", place, token, is_real=True)]
    try:
        servers_of(place)
    except NoAddressError:
        return tuple(peers)
    if token is None and place.partition("://")[0] in POSTGRES_SCHEMES:
        dsn = Dsn.parse(place)
        wrong = dsn.with_login(dsn.user or "", f"wrong-{dsn.password}")
        peers.append(Peer("a wrong password", str(wrong), None))
    away = Port(_nobody)
    made.callback(away.close)
    peers.append(Peer("a server that is away", moved(place, away.number), token))
    for manner in Manner:
        echo = Echo(manner)
        made.callback(echo.close)
        name = f"a {manner} server that repeats what it is told"
        if manner is Manner.RUBBISH:
            name = "a peer that answers with what it is told"
        peers.append(Peer(name, moved(place, echo.number), token))
    return tuple(peers)


async def _nobody(_client: socket.socket) -> None:
    """Never called: the port only refuses."""


def _recognisable(place: str) -> str:
    """Answer the password in a place, if no message could hold it by chance."""
    password = password_of(place)
    if not password:
        raise NothingFound("the place carries no password, and a role with one can't be made")
    others = place.replace(quote(password, safe=""), "", 1).replace(password, "", 1)
    if len(password) < SHORTEST or password.lower() in others.lower():
        raise NothingFound(
            "the password of the place is too short or too much like the rest of it to be "
            "recognised in a message, and a role with another one can't be made"
        )
    return password


async def _role(place: str, made: AsyncExitStack) -> tuple[str, str] | None:
    """Make a role with a password of its own that may do at the place what its maker may."""
    if place.partition("://")[0] not in POSTGRES_SCHEMES:
        return None
    dsn = Dsn.parse(place)
    role, core = f"contract_{secrets.token_hex(6)}", secrets.token_hex(12)
    # A character that a DSN has to escape: who looks for the password has to look for both.
    password = f"kit@{core}"
    owner, visitor = Administrator(dsn), Administrator(dsn.with_login(role, password))
    made.push_async_callback(owner.close)
    try:
        refusal = await owner.execute(
            f"CREATE ROLE {role} LOGIN PASSWORD '{password}' IN ROLE CURRENT_USER"
        )
        if refusal is not None:
            return None
        made.push_async_callback(drop_role, owner, role)
        await visitor.execute("SELECT 1")
    except StorageUnavailableError:
        return None
    finally:
        await visitor.close()
    return str(dsn.with_login(role, password)), core


async def drop_role(owner: Administrator, role: str) -> None:
    """Drop the role with all that is its own; quiet when the server is gone."""
    with suppress(StorageUnavailableError):
        await owner.execute(
            f"SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = '{role}'"  # noqa: S608 - a name of ours
        )
        await owner.execute(f"DROP OWNED BY {role} CASCADE")
        await owner.execute(f"DROP ROLE {role}")
