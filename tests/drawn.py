"""Which clauses are tried in `make test` on stores that they have nothing to say of.

On each commit some are drawn for each, always the same; in `make soak` all are tried. A mutant's
own clauses take a third of the time, and the others have most to say together. Of the correct
stores each clause is tried on about half.
"""

from __future__ import annotations

import zlib
from typing import Final

ONE_IN: Final = 6


def is_drawn(clause: str, store: str, one_in: int = ONE_IN) -> bool:
    """Answer the same at each call, in each process."""
    return zlib.crc32(f"{clause} {store}".encode()) % one_in == 0
