"""The turns that were written last, to be looked for in the totals: writes may be taken away."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reference_backends.figures import Turn

MOST_SESSIONS: Final = 1_000
LAST_WRITTEN: Final = 16
"""How many turns are looked after, of each session."""


class WrittenTurns:
    """Remembers the last turns of the last sessions.

    A write that was given up may be made after a later one, whose turns it takes away. So may a
    server that has the name of another one, and a database that is set back by an hour.
    """

    def __init__(self) -> None:
        self._of: OrderedDict[str, deque[Turn]] = OrderedDict()

    def note(self, session_id: str, turns: Iterable[Turn]) -> None:
        """Take turns that are known to be written, oldest first."""
        self._of.setdefault(session_id, deque(maxlen=LAST_WRITTEN)).extend(turns)
        self._of.move_to_end(session_id)
        while len(self._of) > MOST_SESSIONS:
            self._of.popitem(last=False)

    def lost(self, session_id: str, recent: Collection[str]) -> list[Turn]:
        """Answer the turns that were written after one that is there, and are not there.

        Where none of them is there, the session was made anew, and owes nothing.
        """
        written = list(self._of.get(session_id, ()))
        there = [place for place, turn in enumerate(written) if turn.digest in recent]
        return written[there[-1] + 1 :] if there else []
