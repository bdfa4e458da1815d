"""Opening a store on a place, however its author hands it over."""

from __future__ import annotations

import inspect
from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .history import OPERATIONS, word_error
from .values import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class OpenerError(Exception):
    """What a store is opened with is of no use; one line that says what, and the way out."""


async def _nothing() -> None:
    return


async def open_store(
    opener: Callable[..., Any], place: str | None
) -> tuple[Any, Callable[[], Awaitable[Any]]]:
    """Open a store; answer it and what ends the surroundings that the opener made for it.

    The opener is a callable, a coroutine function or an async context manager function; it is
    called with the place, and with nothing where there is none. `close` of the store is not what
    is answered: that belongs to the contract.

    Raises:
        OpenerError: it can't be called so, or answers what is no store.
    """
    return await settled(call_opener(opener, place))


def call_opener(opener: Callable[..., Any], place: str | None) -> Any:
    """Call the opener as it is to be called, with or without an event loop."""
    given = () if place is None else (place,)
    try:
        return opener(*given)
    except TypeError as error:
        if _takes(opener, given):
            raise
        way = (
            "it is called with the place alone, and with nothing where the storage is none"
            if given
            else "on storage none it is called with nothing"
        )
        raise OpenerError(f"opening the store raised {word_error(error)}: {way}") from error


def _takes(opener: Callable[..., Any], given: tuple[str, ...]) -> bool:
    """Answer whether these are the arguments that it takes, as far as it says."""
    with suppress(ValueError):  # what is not written in Python may not say
        try:
            inspect.signature(opener).bind(*given)
        except TypeError:
            return False
    return True


async def settled(made: Any) -> tuple[Any, Callable[[], Awaitable[Any]]]:
    """Make a store of what an opener answered, and answer as `open_store` does."""
    if inspect.isawaitable(made):
        made = await made
    ending = _nothing
    is_store = any(hasattr(made, operation) for operation in OPERATIONS)
    if not is_store and hasattr(made, "__aenter__"):
        surroundings, made = made, await made.__aenter__()

        async def ending() -> None:
            await _leave(surroundings)

    if (why := _no_store(made)) is not None:
        raise OpenerError(f"opening the store answers {why}")
    return made, ending


async def _leave(surroundings: Any) -> None:
    try:
        await surroundings.__aexit__(None, None, None)
    except Exception as error:
        raise OpenerError(
            f"leaving what the store was opened with raised {word_error(error)}"
        ) from error


def _no_store(made: Any) -> str | None:
    """Say of what can't be meant to be a store what it is, and the way out; None of the rest.

    What lacks operations is for the contract to judge.
    """
    kind = type(made)
    name = printable(kind.__name__)
    if made is None:
        return "None: return the store"
    if isinstance(made, type):
        called = printable(made.__name__)
        operation = inspect.getattr_static(made, "create", None)
        is_its_instance_meant = isinstance(operation, FunctionType)
        return f"the class {called}: return {called}(...)" if is_its_instance_meant else None
    if inspect.isgenerator(made) or inspect.isasyncgen(made):
        return "a generator: put @contextlib.asynccontextmanager above an async def that yields"
    if any(hasattr(made, operation) for operation in OPERATIONS):
        return None
    if hasattr(made, "__enter__"):
        return f"a {name}, a context manager for `with`: make it one for `async with`"
    return f"a {name}, which is no store" if kind.__module__ == "builtins" else None
