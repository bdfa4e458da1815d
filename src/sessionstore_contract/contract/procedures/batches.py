"""Histories of more messages than a store writes at a time, where it does not write all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...interface import Json

FEWER, MORE = 1_100, 2_100
"""Messages of a history: more than one batch of 1,000, and more than two; the last is not whole."""


def history_in_batches(count: int, of: str) -> list[Json]:
    """Answer so many short messages, none of which is in the history of another."""
    return [{"role": "user", "content": f"{number} of {of}"} for number in range(count)]
