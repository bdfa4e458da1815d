"""Stores that keep messages as JSON text, and take and give that text as it is.

A service over such a store has the text at hand. To read it, to check it and to word it again,
there and here, is most of what a request with a long history takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from sessionstore_contract.interface import SessionStore


class SavesText(Protocol):
    """A store that saves messages as the JSON text that they have been worded as."""

    async def save_text(self, session_id: str, text: bytes) -> None:
        """Do what `save` does with the messages that `json_text.encode` has made this text of.

        They were checked: nothing is, here, but the id.
        """


class LoadsText(Protocol):
    """A store that has messages at hand as JSON text."""

    async def load_text(self, session_id: str) -> bytes | None:
        """Answer what `load` answers, as `json_text.encode` words it."""


def saving_text(store: SessionStore) -> SavesText | None:
    """Answer the store if it saves texts, in the way that it saves messages."""
    return cast("SavesText", store) if _are_of_one_class(store, "save", "save_text") else None


def loading_text(store: SessionStore) -> LoadsText | None:
    """Answer the store if it loads texts, in the way that it loads messages."""
    return cast("LoadsText", store) if _are_of_one_class(store, "load", "load_text") else None


def _are_of_one_class(store: SessionStore, name: str, name_with_text: str) -> bool:
    # What a subclass has of its own, or somebody has put in the place of it, must be called.
    return _origin(store, name) is _origin(store, name_with_text) is not None


def _origin(store: SessionStore, name: str) -> object:
    places = (store, *type(store).__mro__)
    return next((place for place in places if name in getattr(place, "__dict__", ())), None)
