"""The seed of a run: by it the same values are tried again."""

from __future__ import annotations

import random


def new_seed() -> int:
    """Draw a seed; it is printed, and the same one tries the same values again."""
    return random.SystemRandom().randrange(2**32)
