"""How fast a store is: what a call takes that is alone, and so what many at once may take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

MARGIN = 3
"""How often the time of all calls at once, made one after the other, each of them may take: who
waits for a lock may be passed by others, and machines are slow at times."""


@dataclass
class Pace:
    """Measured on the calls that were answered while no other one was under way.

    A correct store may have one connection, and serve whoever asks at once one after the other: a
    time-out for one call says nothing of the last of many. With a store that is quick the last of
    them is back long before it.
    """

    crowd: int = 0
    """The most calls that were under way at a time since none was."""
    _alone: dict[str, tuple[float, int]] = field(default_factory=dict)
    """By operation, the seconds of those that were alone together, and how many they are."""
    _first: float = 0.0
    """Of the first of all, which may have had to connect."""
    _under_way: int = 0
    _began: float | None = None
    """When the call began that is alone so far."""

    def begin(self) -> None:
        """Note that a call is made."""
        self._began = None if self._under_way else time.monotonic()
        self._under_way += 1
        self.crowd = max(self.crowd, self._under_way)

    def end(self, answered: str | None) -> None:
        """Note that one has come back, or is given up; of one that was answered the operation."""
        self._under_way -= 1
        if self._began is not None and answered is not None:
            self.note(answered, time.monotonic() - self._began)
        self._began = None
        if not self._under_way:
            self.crowd = 0

    def note(self, operation: str, seconds: float) -> None:
        """Note how long an operation took that was alone."""
        if not self._first:
            self._first = seconds
            return
        before, count = self._alone.get(operation, (0.0, 0))
        self._alone[operation] = before + seconds, count + 1

    def of_one(self) -> float:
        """Answer the seconds that a call of the slowest operation takes; 0 while none is known."""
        means = [seconds / count for seconds, count in self._alone.values()]
        return max(means, default=self._first)

    def patience(self, crowd: int) -> float:
        """Answer the seconds that each of so many calls at once may take, as far as is known."""
        return MARGIN * crowd * self.of_one()
