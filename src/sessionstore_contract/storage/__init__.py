"""Fresh, isolated places for a store to be opened on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class StorageUnavailableError(Exception):
    """The storage can't provide places; the message is one line that says why and the way out."""


@dataclass(frozen=True)
class OwnServer:
    """A server that was started for one place alone."""

    place: str
    crash: Callable[[], None]
    """Stops it without warning and starts it again; returns when it serves the place.

    Raises StorageUnavailableError when it does not come back."""


class Storage(Protocol):
    """Provides fresh places. An author's own is any object with these members.

    It may have two more, called as `fresh` is. `connections(place) -> int | None`: how many
    connections to the place are open, as whatever serves it counts them; None where they can't be
    told from others'. It belongs to the capability `census`. `own_server()`: a context manager
    that gives an `OwnServer`, or None where none can be had; it belongs to `faults`.
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
        """Stop what was started to serve places; may be called again.

        Called at the end of a process in which the kit used it, by pytest and by the command.
        """
