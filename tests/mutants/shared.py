"""A store of one instance, made one that many instances share: its defect stays the only one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionstore_contract import Backend
from sessionstore_contract.interface import StoreClosedError

from .correct import DictStore
from .defect import defect_of

if TYPE_CHECKING:
    from collections.abc import Callable

ADDING = frozenset({"shared", "durable"})


class Door:
    """One of several ways to the one store of a place, which outlives them all."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._is_closed = False

    def __getattr__(self, name: str) -> Any:
        if self._is_closed:
            raise StoreClosedError("the store is closed")
        return getattr(self._store, name)

    async def close(self) -> None:
        self._is_closed = True


def can_be_shared(store: Any) -> bool:
    """Answer whether a store keeps in memory what doors can be put before."""
    return issubclass(store, DictStore)


def shared(store: Any) -> Backend:
    """Make the backend of a store behind doors."""
    defect = defect_of(store)
    claims = store.claims | (defect.adding if defect else set())
    return Backend(
        f"{store.__name__}-shared",
        open=opener(store),
        storage="file",
        profile="ephemeral",
        adding=(claims | ADDING) - (defect.without if defect else set()) - {"multi-process"},
        timeout=defect.timeout if defect else 10.0,
    )


def opener(store: Any) -> Callable[[str], Door]:
    """Answer a function that opens one more door to the store of a place."""
    stores: dict[str, Any] = {}

    def open_door(place: str) -> Door:
        if place not in stores:
            stores[place] = store(place)
        return Door(stores[place])

    return open_door
