"""What an agent says while it answers: pieces of text, what is known of the usage, the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias

from reference_backends.accounting import Usage
from sessionstore_contract.interface import Message


@dataclass(frozen=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class UsageSoFar:
    """What has been used up to here, of the whole turn: what a turn that is cut off is billed."""

    usage: Usage
    model: str | None = None


@dataclass(frozen=True)
class Completion:
    """The end of the answer. Without usage that of the last `UsageSoFar` is counted, if any."""

    usage: Usage | None = None
    model: str | None = None
    """The model that answered, where it is not the server's."""
    finish_reason: str = "stop"


StreamEvent: TypeAlias = TextDelta | UsageSoFar | Completion

Agent: TypeAlias = Callable[[list[Message]], AsyncIterator[StreamEvent]]
"""An async generator function: given the whole history, says the answer, ending in a Completion.

It runs in one task from its beginning to its end, and is cancelled when the client has left.
"""
