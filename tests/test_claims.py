"""What a backend may claim, and what it has to give for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import reference_backends
from sessionstore_contract import Accumulator, ChatServer, Lent, Platform
from sessionstore_contract.backend import Backend, BackendError, Claims, find_backend
from sessionstore_contract.capabilities import Capability

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from sessionstore_contract import OldSession


def lend(place: str) -> AbstractAsyncContextManager[Lent]:
    raise NotImplementedError


def backend(storage: str, *adding: str, **rest: Any) -> Backend:
    return Backend("mine", open=dict, storage=storage, adding=adding, **rest)


@pytest.mark.parametrize("storage", ["postgres", "platform", "http://there:80", "redis://there"])
def test_faults_are_claimed_where_there_is_a_server(storage: str) -> None:
    """The kit can stand before the servers of its own places, and of a DSN or URL."""
    assert Capability.FAULTS in backend(storage, "faults").capabilities


@pytest.mark.parametrize(
    ("storage", "claim", "reason"),
    [
        ("file", "faults", "claims faults on storage file: its places have no server"),
        ("none", "faults", "claims faults on storage none: its places have no server"),
        ("/a/path", "faults", "claims faults: the place is no URL with a host"),
        ("https://there", "faults", "claims faults: the place is https"),
        ("file", "secrets", "claims secrets on storage file: its places have no server"),
        ("platform", "secrets", "claims secrets on storage platform, whose places carry none"),
        ("file", "managed", "claims managed and gives no lend="),
    ],
)
def test_a_claim_that_can_t_be_tried_is_refused(storage: str, claim: str, reason: str) -> None:
    """In one line, when the backend is described."""
    with pytest.raises(BackendError, match=reason) as refused:
        backend(storage, claim)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"legacy": "refernce"}, "legacy='refernce' can't be called, nor is 'reference'"),
        ({"corrupt": 7}, "corrupt=7 can't be called"),
        ({"lend": 3}, "lend=3 can't be called"),
        ({"make_id": "x"}, "make_id='x' can't be called"),
        ({"adding": "files"}, r"adding='files' is a text: make it \['files'\]"),
        ({"timeout": "a"}, "timeout='a' is no number of seconds above 0"),
        ({"timeout": -1}, "timeout=-1 is no number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout=nan is no number of seconds above 0"),
        ({"storage": None}, "storage=NoneType is neither a text nor a storage: it has no name"),
        ({"storage": "fil"}, "no storage 'fil'; did you mean file?"),
        ({"storage": "Postgres"}, "no storage 'Postgres'; did you mean postgres?"),
        ({"storage": ""}, "no storage ''; there are file, "),
    ],
)
def test_what_would_be_of_no_use_is_refused_at_once(given: dict[str, Any], reason: str) -> None:
    """A mistake in a word would show after a run, or never."""
    with pytest.raises(BackendError, match=reason) as refused:
        Backend("mine", **{"open": dict, "storage": "none", **given})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("place", ["./fil", "/tmp/file", "sessions.db", "chats", ":memory:"])
def test_a_place_is_none_of_the_names(place: str) -> None:
    """It may be called whatever there is no doubt about."""
    assert Backend("mine", open=dict, storage=place).storage_name == "place"


def test_what_is_given_is_claimed() -> None:
    """Giving a way to lend, or to hand over a token, claims what it is for."""
    given = backend("platform", open_with_token=dict, lend=lend)
    assert given.capabilities >= {Capability.SECRETS, Capability.MANAGED}
    less = backend("platform", open_with_token=dict, lend=lend, without=("secrets", "managed"))
    assert not less.capabilities & {Capability.SECRETS, Capability.MANAGED}


def test_the_command_line_is_told_too() -> None:
    """A class on files can't claim what has to do with a server."""
    claims = Claims(storage="file", adding=("faults",))
    with pytest.raises(BackendError, match="claims faults on storage file"):
        find_backend("reference_backends.sqlite:SqliteSessionStore", claims)


def test_the_reference_backends_claim_what_they_can() -> None:
    """PostgreSQL and HTTP are tried with faults and secrets, HTTP with a lent client."""
    assert reference_backends.POSTGRES.capabilities >= {Capability.FAULTS, Capability.SECRETS}
    assert reference_backends.HTTP.capabilities >= {
        Capability.FAULTS,
        Capability.SECRETS,
        Capability.MANAGED,
    }


def leave_behind(place: str, sessions: Sequence[OldSession]) -> None:
    raise NotImplementedError


class Shelves:
    """A storage of an author's own."""

    name = "shelves"

    def fresh(self) -> Any:
        raise NotImplementedError

    server = close = fresh


def test_who_leaves_old_places_behind_claims_migration() -> None:
    """The reference layout is one that the kit may look into; that of a function is not."""
    reference = backend("file", legacy="reference").capabilities
    own = backend("file", legacy=leave_behind).capabilities
    assert {Capability.MIGRATION, Capability.REFERENCE_LAYOUT} <= reference
    assert Capability.MIGRATION in own
    assert Capability.REFERENCE_LAYOUT not in own
    assert Capability.REFERENCE_LAYOUT in backend("postgres", "migration").capabilities


def test_old_places_are_made_where_places_are_fresh() -> None:
    """By a function on any storage, of the reference layout on files and PostgreSQL."""
    for storage in ("platform", Shelves()):
        made = backend(storage, legacy=leave_behind)  # type: ignore[arg-type]
        assert Capability.MIGRATION in made.capabilities
        with pytest.raises(BackendError, match="claims migration on storage"):
            backend(storage, legacy="reference")  # type: ignore[arg-type]
    for storage in ("none", "http://there:80"):
        with pytest.raises(BackendError, match="claims migration on storage"):
            backend(storage, legacy=leave_behind)


@pytest.mark.parametrize("described", [Backend, Platform, ChatServer, Accumulator])
def test_a_name_that_is_no_text_is_refused_at_once(described: Any) -> None:
    """Whoever forgets it has put something else in its place."""
    given: dict[Any, dict[str, Any]] = {
        Backend: {"open": dict},
        Platform: {"url": "http://[::1]"},
        Accumulator: {"build": dict, "record": dict},
    }
    with pytest.raises(ValueError, match=r"^a name is a text, and is not <class 'dict'>$"):
        described(dict, **given.get(described, {"build": dict}))
