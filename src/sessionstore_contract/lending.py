"""What a trial can have of its storage: fresh places, and the counting of connections to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ONE_FOR_ALL = "the storage has one place for all: what a fresh one would show was not seen"
"""The remark beside a verdict that was found without fresh places."""


@dataclass(frozen=True)
class Lending:
    """The places of one trial, all made before it began."""

    places: tuple[str | None, ...]
    """The first is the one that the store is opened on; None is no place."""
    crash: Callable[[], None] | None = None
    """Stops the server of the first place without warning and starts it again; None where the kit
    has not started one for this place alone."""
    connections: Callable[[str], int | None] | None = None
    """Counts the connections to a place; None where the storage can't tell."""

    def place(self, number: int) -> str | None:
        """Answer one of the places, counted from 0."""
        if number >= len(self.places):
            raise RuntimeError(f"the clause asks for more than its {len(self.places)} places")
        return self.places[number]

    def is_fresh(self, number: int) -> bool:
        """Answer whether nobody has used that place: to open again without one is fresh."""
        place = self.places[number]
        return place is None or place not in self.places[:number]
