"""Fresh, isolated places for a store to be opened on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class StorageUnavailableError(Exception):
    """The storage can't provide places; the message is one line that says why and the way out."""


class Storage(Protocol):
    """Provides fresh places. An author's own is any object with these members.

    It may have one more, `connections(place) -> int | None`: how many connections to the place
    are open, as whatever serves it counts them; None where they can't be told from others'. It is
    called as `fresh` is, and belongs to the capability `census`.
    """

    name: str

    def fresh(self) -> AbstractContextManager[str]:
        """Make a place that nobody has used, and remove it at the end, whatever is left in it.

        Called from a thread without a running event loop; places may be open side by side.

        Raises:
            StorageUnavailableError: no place can be made.
        """

    def server(self) -> str | None:
        """Answer the name and version of what serves the places, if that is known by now."""

    def close(self) -> None:
        """Stop what was started to serve places; may be called again."""
