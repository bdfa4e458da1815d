"""Which of the clauses that a mutant does not break are tried on it in `make test`.

A mutant's own clauses take a third of the time, and the others have most to say together: one in
four, always the same, is tried on each commit, and every one in `make soak`.
"""

from __future__ import annotations

import zlib
from typing import Final

ONE_IN: Final = 4


def is_drawn(clause: str, mutant: str) -> bool:
    """Answer the same at each call, in each process."""
    return zlib.crc32(f"{clause} {mutant}".encode()) % ONE_IN == 0
