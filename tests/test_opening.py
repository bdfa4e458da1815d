"""Opening a store on a place, however its author hands it over."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self

import pytest

from sessionstore_contract.opening import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

events: list[str] = []


class Store:
    """Remembers its place."""

    def __init__(self, place: str = "nowhere") -> None:
        self.place = place

    async def load(self, session_id: str) -> None:
        raise NotImplementedError


class SelfManaging(Store):
    """A store that can be used in `async with`, which is nobody's business here."""

    async def __aenter__(self) -> Self:
        raise AssertionError("entered")

    async def __aexit__(self, *_: object) -> None:
        raise AssertionError("left")


class Awaited:
    """Becomes a store when it is awaited, as drivers' connections do."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __await__(self) -> Generator[Any, None, Store]:
        async def connect() -> Store:
            return Store(self.place)

        return connect().__await__()


def make(place: str) -> Store:
    return Store(place)


async def make_slowly(place: str) -> Store:
    return Store(place)


@asynccontextmanager
async def lend(place: str) -> AsyncIterator[Store]:
    events.append(f"open {place}")
    yield Store(place)
    events.append(f"end {place}")


async def lend_slowly(place: str) -> Any:
    return lend(place)


def fail(place: str) -> NoReturn:
    raise ConnectionError(f"nobody at {place}")


async def fail_slowly(place: str) -> NoReturn:
    fail(place)


async def fail_lending(place: str) -> AsyncIterator[Store]:
    if place:
        fail(place)
    yield Store(place)


@pytest.mark.parametrize(
    "opener",
    [Store, SelfManaging, Awaited, make, make_slowly, partial(Store), lend, lend_slowly],
    ids=lambda opener: getattr(opener, "__name__", "partial"),
)
async def test_a_store_is_opened_on_its_place(opener: Any) -> None:
    """A class, a function, a coroutine function, a context manager function: all answer a store."""
    store, end = await open_store(opener, "here")
    assert isinstance(store, Store)
    assert store.place == "here"
    await end()


async def test_without_a_place_the_opener_is_called_with_nothing() -> None:
    """A store that keeps what it keeps in itself takes no place."""
    store, end = await open_store(Store, None)
    assert store.place == "nowhere"
    await end()


async def test_what_the_opener_made_around_the_store_is_ended() -> None:
    """The context is left at the end, and not before."""
    events.clear()
    _, end = await open_store(lend, "here")
    assert events == ["open here"]
    await end()
    assert events == ["open here", "end here"]


async def test_what_an_opener_raises_is_raised() -> None:
    """Blame is the harness's: here nothing is caught."""
    for opener in (fail, fail_slowly, asynccontextmanager(fail_lending)):
        with pytest.raises(ConnectionError, match="nobody at here"):
            await open_store(opener, "here")
