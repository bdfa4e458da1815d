"""Opening a store on a place, however its author hands it over."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from .history import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def _nothing() -> None:
    return


async def open_store(
    opener: Callable[..., Any], place: str | None
) -> tuple[Any, Callable[[], Awaitable[Any]]]:
    """Open a store; answer it and what ends the surroundings that the opener made for it.

    The opener is a callable, a coroutine function or an async context manager function; it is
    called with the place, and with nothing where there is none. `close` of the store is not what
    is answered: that belongs to the contract.
    """
    return await settled(call_opener(opener, place))


def call_opener(opener: Callable[..., Any], place: str | None) -> Any:
    """Call the opener as it is to be called, with or without an event loop."""
    return opener() if place is None else opener(place)


async def settled(made: Any) -> tuple[Any, Callable[[], Awaitable[Any]]]:
    """Make a store of what an opener answered, and answer as `open_store` does."""
    if inspect.isawaitable(made):
        made = await made
    is_store = any(hasattr(made, operation) for operation in OPERATIONS)
    if not is_store and hasattr(made, "__aenter__"):
        store = await made.__aenter__()
        return store, lambda: made.__aexit__(None, None, None)
    return made, _nothing
