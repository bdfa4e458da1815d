"""Opening a store on a place, however its author hands it over."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self

import pytest

from sessionstore_contract.opening import OpenerError, open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

events: list[str] = []


class Store:
    """Remembers its place."""

    def __init__(self, place: str = "nowhere") -> None:
        self.place = place

    async def load(self, session_id: str) -> None:
        raise NotImplementedError


class Stored(Store):
    async def create(self, session_id: str | None = None) -> str:
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


def nowhere() -> Store:
    return Store()


def call_wrongly(place: str) -> Store:
    return Store(place, "too much")  # type: ignore[call-arg]


@contextmanager
def lend_at_once(place: str) -> Iterator[Store]:
    yield Store(place)


@asynccontextmanager
async def lend_and_raise(place: str) -> AsyncIterator[Store]:
    yield Store(place)
    raise ConnectionError("nobody to say goodbye to")


@pytest.mark.parametrize(
    ("opener", "said"),
    [
        (lambda _: None, "None: return the store"),
        (lambda _: Stored, "the class Stored: return Stored(...)"),
        (lambda place: (Store(place), "engine"), "a tuple, which is no store"),
        (fail_lending, "a generator: put @contextlib.asynccontextmanager above"),
        (lend_at_once, "a _GeneratorContextManager, a context manager for `with`: make it one"),
    ],
    ids=["None", "class", "tuple", "generator", "with"],
)
async def test_what_is_no_store_is_told_as_what_it_is(opener: Any, said: str) -> None:
    """Of nine missing operations none is the mistake."""
    with pytest.raises(OpenerError) as caught:
        await open_store(opener, "here")
    assert str(caught.value).startswith(f"opening the store answers {said}")


class Bare:
    """Has no operation yet."""


@pytest.mark.parametrize("answer", [Bare(), Store], ids=["no operation", "those of a class"])
async def test_what_may_be_meant_to_be_a_store_is_left_to_the_contract(answer: Any) -> None:
    """Operations may be those of a class, and may all be missing."""
    store, _ = await open_store(lambda _: answer, "here")
    assert store is answer


@pytest.mark.parametrize(
    ("opener", "place", "way"),
    [
        (nowhere, "here", "it is called with the place alone, and with nothing where the storage"),
        (make, None, "on storage none it is called with nothing"),
    ],
    ids=["no place is taken", "a place is wanted"],
)
async def test_how_an_opener_is_called_is_told_to_one_that_takes_something_else(
    opener: Any, place: str | None, way: str
) -> None:
    """A count of arguments does not say which there are."""
    with pytest.raises(OpenerError, match=f"opening the store raised TypeError: .*: {way}"):
        await open_store(opener, place)


async def test_a_mistake_inside_an_opener_is_its_own() -> None:
    """It is called as it wants to be, and calls something else wrongly."""
    with pytest.raises(TypeError, match=r"takes from 1 to 2 positional arguments"):
        await open_store(call_wrongly, "here")


async def test_a_context_that_can_not_be_left_is_told_as_that() -> None:
    """It is the author's, and no failure of the kit."""
    _, end = await open_store(lend_and_raise, "here")
    told = "leaving what the store was opened with raised ConnectionError: nobody to say goodbye to"
    with pytest.raises(OpenerError, match=told):
        await end()
