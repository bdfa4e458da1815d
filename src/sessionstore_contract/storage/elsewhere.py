"""Places that the kit does not make: none at all, or one that was named."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoStorage:
    """For stores that keep what they keep in themselves; they are opened with no argument."""

    name = "none"

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Lend the empty place, which no opener is called with."""
        yield ""

    def server(self) -> str | None:
        """There is none."""
        return None

    def close(self) -> None:
        """Nothing is held."""


class NamedPlace:
    """One place, as the caller named it, for every clause: it is shared and emptied by them."""

    name = "place"

    def __init__(self, place: str) -> None:
        self._place = place

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Lend the place as it is."""
        yield self._place

    def server(self) -> str | None:
        """Nothing is known of it."""
        return None

    def close(self) -> None:
        """Nothing is held."""
