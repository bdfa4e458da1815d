"""Where an answer is cut off or a request lost, and how that is worded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...effort import NORMAL
from ...fault import Deed, Fault

if TYPE_CHECKING:
    from ...effort import Effort


def cuts(about: bytes | None, lengths: dict[int, int], effort: Effort) -> list[Fault]:
    """Answer the faults that spoil an answer: at its beginning, in its middle, at its end."""
    faults = []
    for answer, length in lengths.items():
        places = {0, length // 2}
        if effort.rounds >= NORMAL.rounds:
            places |= {1, max(length - 1, 0)}
        for deed in (Deed.END, Deed.RESET):
            faults += [Fault(deed, about, answer, place) for place in sorted(places)]
        faults.append(Fault(Deed.RUBBISH, about, answer))
        faults.append(Fault(Deed.RUBBISH, about, answer, length // 2))
    return faults


def worded(fault: Fault) -> str:
    """Word the situation in which a fault puts an operation."""
    if fault.deed is Deed.TRICKLE:
        return "when its answer comes in pieces"
    if fault.deed is Deed.RUBBISH:
        return "when its answer turns into rubbish" if fault.after else "when its answer is rubbish"
    how = "an end" if fault.deed is Deed.END else "a reset"
    return f"when {how} comes in mid-answer" if fault.after else f"when {how} comes for an answer"


def losses(about: bytes | None, lengths: dict[int, int]) -> list[Fault]:
    """Answer the faults by which a request is lost, or its answer when it was made."""
    found = [Fault(Deed.DROP, about)]
    for answer, length in lengths.items():
        found.append(Fault(Deed.RESET, about, answer))
        found.append(Fault(Deed.END, about, answer, length // 2))
    return found
