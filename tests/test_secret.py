"""A secret that only the kit knows, on a real PostgreSQL, and what a store shows of it there."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest

import reference_backends
from reference_backends.postgres import PostgresSessionStore
from sessionstore_contract import catalogue
from sessionstore_contract.backend import Backend
from sessionstore_contract.expect import NothingFound
from sessionstore_contract.harness import Conditions, try_on
from sessionstore_contract.secret import Secret, secret_for
from sessionstore_contract.storage.dsn import Dsn
from sessionstore_contract.verdict import Finding, Verdict

if TYPE_CHECKING:
    pass


def roles(dsn: str) -> int:
    """Answer how many roles of ours are on the server."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'contract_%'"
        ).fetchone()
        return 0 if row is None else int(row[0])


async def test_a_database_gets_a_role_of_its_own(place: str) -> None:
    """It may do what the owner may, with what the owner made too; it is dropped with its own."""
    with psycopg.connect(place, autocommit=True) as owner:
        owner.execute("CREATE TABLE of_the_owner (n INTEGER)")
    secret, made = await secret_for(place, takes_token=False, may_make_roles=True)
    visited = secret.peers[0].place
    assert secret.kind == "password"
    assert secret.is_in(str(Dsn.parse(visited).password))
    assert secret.is_in(visited)
    assert roles(place) == 1
    with psycopg.connect(visited, autocommit=True) as visitor:
        visitor.execute("ALTER TABLE of_the_owner ADD COLUMN more TEXT")
        visitor.execute("INSERT INTO of_the_owner VALUES (1, 'x')")
        visitor.execute("CREATE TABLE of_the_role (n INTEGER)")
        await made.aclose()
    assert roles(place) == 0


async def test_a_role_that_may_make_none_keeps_its_password(place: str, server: str) -> None:
    """Where the server is somebody else's, the password in the DSN is the secret."""
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute("CREATE ROLE limited LOGIN")
    dsn = str(Dsn.parse(place).with_login("limited", "a-long-password"))
    try:
        secret, made = await secret_for(dsn, takes_token=False, may_make_roles=True)
        await made.aclose()
    finally:
        with psycopg.connect(server, autocommit=True) as owner:
            owner.execute("DROP ROLE limited")
    assert secret.peers[0].place == dsn
    assert secret.is_in("refused: a-long-password")


@pytest.mark.parametrize(
    "place",
    [
        "postgresql://postgres@there/db",
        "postgresql://postgres:short@there/db",
        "postgresql://postgres:postgres@there/db",
        "http://there:80",
        "/a/path",
    ],
)
async def test_a_password_that_is_met_by_chance_is_no_secret(place: str) -> None:
    """Nobody is accused for the name of the database."""
    with pytest.raises(NothingFound, match=r"the place carries no|too short|too much"):
        await secret_for(place, takes_token=False, may_make_roles=False)


async def test_a_secret_is_known_in_every_spelling() -> None:
    """As it is, as in a URL, and within base64 wherever it begins; a report does without."""
    secret, made = await secret_for("http://there:80", takes_token=True, may_make_roles=False)
    await made.aclose()
    token = secret.peers[0].token
    assert token is not None
    for before in ("", "u", "us", "user:"):
        encoded = base64.b64encode(f"{before}{token}".encode()).decode()
        assert secret.is_in(f"authorization: Basic {encoded}")
    assert not secret.is_in("authorization: Basic dXNlcjpzb21ldGhpbmcgZWxzZQ==")
    assert token not in repr(secret)
    assert secret.hidden(f"said {token}") == "said kit.[the token]"


def test_a_password_with_odd_characters_is_known_in_a_url() -> None:
    """Percent-encoded too."""
    secret = Secret("password", ("p@ss word", "p%40ss%20word"))
    assert secret.is_in("postgresql://u:p%40ss%20word@there")


# The clause on PostgreSQL ------------------------------------------------------------------------


class ShowsItsDsn(PostgresSessionStore):
    """Has the repr of a dataclass."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.dsn = dsn

    def __repr__(self) -> str:
        return f"ShowsItsDsn(dsn={self.dsn!r})"


class QuotesItsDsn(ShowsItsDsn):
    """Says where it could not connect to."""

    def __repr__(self) -> str:
        return "QuotesItsDsn()"

    async def create(self, session_id: str | None = None) -> str:
        try:
            return await super().create(session_id)
        except Exception as error:
            raise RuntimeError(f"no PostgreSQL at {self.dsn}") from error


class QuotesItEverywhere(QuotesItsDsn):
    """Does so in more than one operation."""

    async def exists(self, session_id: str) -> bool:
        try:
            return await super().exists(session_id)
        except Exception as error:
            raise RuntimeError(f"no PostgreSQL at {self.dsn}") from error

    async def delete(self, session_id: str) -> bool:
        return await self.exists(session_id)


class LetsTheServerSpeak(QuotesItsDsn):
    """Lets out what the driver raises, with the server's words."""

    async def create(self, session_id: str | None = None) -> str:
        connection = await asyncpg.connect(self.dsn)
        await connection.close()
        return await super().create(session_id)


def tried(opener: Any, place: str, **rest: Any) -> Finding:
    (clause,) = catalogue.select(["security.secrets-stay-secret"])
    backend = Backend("postgres", open=opener, storage="postgres", adding=("secrets",))
    return try_on(clause, replace(backend, **rest), place, Conditions(seed=1))


@pytest.mark.parametrize(
    ("store", "headline", "peer"),
    [
        (ShowsItsDsn, "the repr of the store shows the password", "the place itself"),
        (
            QuotesItsDsn,
            "create raises an exception that shows the password",
            "a wrong password",
        ),
        (
            QuotesItEverywhere,
            "create raises an exception that shows the password",
            "a wrong password",
        ),
        (
            LetsTheServerSpeak,
            "create raises an exception that shows the password",
            "a refusing server that repeats what it is told",
        ),
    ],
)
def test_a_store_that_shows_its_password_is_told_where(
    place: str, store: Any, headline: str, peer: str
) -> None:
    """The report says with which peer, and does not show the password either."""
    finding = tried(store, place)
    assert (finding.verdict, finding.headline) == (Verdict.VIOLATED, headline)
    report = f"{finding.answered} {finding.witness} {finding.reason}"
    assert f"with {peer}:" in report
    assert "[the password]" in report
    assert re.search(r"kit(@|%40)[0-9a-f]", report) is None
    assert roles(place) == 0


def test_a_store_that_shows_nothing_holds(place: str) -> None:
    """The reference store, on a place whose password is known to the server."""
    finding = tried(reference_backends.open_postgres, place)
    assert (finding.verdict, finding.headline) == (Verdict.HELD, None)
    assert roles(place) == 0


def test_without_a_secret_nothing_is_found_out(place: str) -> None:
    """A place that somebody named, without a password: never green."""
    named = str(Dsn.parse(place).with_login("postgres", ""))
    finding = tried(reference_backends.open_postgres, named, storage=named)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.reason == "the place carries no password, and a role with one can't be made"
