"""The server that a place names, and the same place at another address."""

from __future__ import annotations

import pytest

from sessionstore_contract.address import (
    NoAddressError,
    Server,
    moved,
    password_of,
    servers_of,
)

PLACES = {
    "http://there": (Server("there", 80), "http://127.0.0.1:7"),
    "http://u:p%40@[::1]:81/v1?x=1": (Server("::1", 81), "http://u:p%40@127.0.0.1:7/v1?x=1"),
    "redis://there/0": (Server("there", 6379), "redis://127.0.0.1:7/0"),
    "postgresql+asyncpg://u@there/db": (
        Server("there", 5432),
        "postgresql+asyncpg://u@127.0.0.1:7/db",
    ),
    "postgresql://u:p@there:5/db?sslmode=require": (
        Server("there", 5),
        "postgresql://u:p@127.0.0.1:7/db?sslmode=require",
    ),
    "postgres://u@[::1]/db": (Server("::1", 5432), "postgresql://u@127.0.0.1:7/db"),
    "postgresql://u@/db?host=/tmp/run&port=6": (
        Server("", socket_path="/tmp/run/.s.PGSQL.6"),
        "postgresql://u@127.0.0.1:7/db",
    ),
}

WITHOUT = {
    "/tmp/sessions.db": "no URL with a host",
    "": "no URL with a host",
    "sqlite:///sessions.db": "no URL with a host",
    "https://there": "https",
    "odd://there": "without a port",
    "http://there:many": "can't be read",
    "mongodb://one:1,two:2/db": "can't be read",
    "postgresql:///db": "names no host",
    "postgresql://a:b:c/db": "host or port can't be read",
    "postgresql://there/db?sslmode=verify-full": "verify-full",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_names_its_server_and_is_moved(place: str) -> None:
    """Whatever else is in a place stays as it was."""
    assert (servers_of(place)[0], moved(place, 7)) == PLACES[place]


def test_a_place_may_name_several_servers() -> None:
    """They are tried in that order."""
    found = servers_of("postgresql://one:1,two:2/db")
    assert found == (Server("one", 1), Server("two", 2))


@pytest.mark.parametrize("place", WITHOUT)
def test_a_place_without_a_server_is_refused_in_one_line(place: str) -> None:
    """The line says why, and does not show the place."""
    with pytest.raises(NoAddressError, match=WITHOUT[place]) as refused:
        servers_of(place)
    assert "\n" not in str(refused.value)
    assert not place or place not in str(refused.value)


@pytest.mark.parametrize(
    ("place", "password"),
    [
        ("postgresql://u:p%40q@there/db", "p@q"),
        ("postgresql://u@there/db?password=x%20y", "x y"),
        ("redis://:p%40q@there/0", "p@q"),
        ("http://there", None),
        ("postgresql://a:b:c/db", None),
        ("http://there:many", None),
        ("/a/path", None),
    ],
)
def test_the_password_of_a_place(place: str, password: str | None) -> None:
    """It is answered as it is, not as it is written."""
    assert password_of(place) == password
