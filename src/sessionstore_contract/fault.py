"""What the kit can do to a conversation between a store and its server, and the proof that it did.

A fault is armed at a place in the conversation, never at a time: after so many bytes of the n-th
answer. The clauses say which; `faults` does it.
"""

from __future__ import annotations

import concurrent.futures
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


MOST_OVERHEARD = 2**20
"""Bytes that are kept of what is said on a connection that was struck."""


class Deed(StrEnum):
    """What is done, as the proof words it; all but the last two to an answer of the server."""

    LISTEN = "passed on"
    """Nothing: it is found out where the answers are."""
    HOLD = "held back"
    """The rest of it waits until it is released, and what the server says after it."""
    RESET = "cut off by a reset"
    END = "cut off by an end"
    """The server's half is closed; what the store says goes on being taken."""
    RUBBISH = "replaced by rubbish"
    TRICKLE = "sent in pieces of one byte"
    DROP = "lost on its way, and its connection reset"
    """A request does not reach the server."""
    FORGE = "answered by the kit"
    """A request of HTTP is answered in place of the server."""


@dataclass(frozen=True)
class Request:
    """A request of HTTP as the store sent it."""

    method: str
    target: str
    raw: bytes


@dataclass(frozen=True)
class Answer:
    """An answer of HTTP: what the server gave, or what is given in its place."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    declared: int | None = None
    """The length that it claims to have, where that is not its own."""


@dataclass(frozen=True)
class Fault:
    """What is done, and where in the conversation, counted from when it was armed."""

    deed: Deed
    about: bytes | None = None
    """Only what follows these bytes of the store on the same connection is meant, a session's id
    as a rule; with None, whatever is said."""
    answer: int = 1
    """Which answer of the server; all that it says between two questions is one."""
    after: int = 0
    """So many bytes of that answer pass."""
    times: int | None = 1
    """How often it is done; None is always."""
    forge: Callable[[Request], Answer | None] | None = None
    """Makes the answer without asking the server; None has it asked, and nothing has happened."""
    spoil: Callable[[Request, Answer], Answer | None] | None = None
    """Makes another answer of the server's; None leaves that as it is, and nothing has happened."""
    repeats: bool = False
    """The server is asked twice, and its second answer is the one that counts."""


class Armed:
    """A fault that lies in wait, and what became of it. May be asked from any thread."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.happened = 0
        """How often it was done."""
        self.told: list[str] = []
        """What was done, a line for each time."""
        self.lengths: dict[int, int] = {}
        """How long each answer was of which it was only listened to, by number."""
        self.said_after = b""
        """What the store said on connections after they were struck, the last of it."""
        self._first: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._released: list[Callable[[], None]] = []
        self._is_released = False

    @property
    def is_live(self) -> bool:
        """Answer whether it may be done once more."""
        return self.fault.times is None or self.happened < self.fault.times

    def overhear(self, said: bytes) -> None:
        """Keep what the store says on a connection that was struck."""
        self.said_after = (self.said_after + said)[-MOST_OVERHEARD:]

    def strike(self, what: str) -> None:
        """Note that it was done."""
        self.happened += 1
        self.told.append(f"{what} was {self.fault.deed}")
        if not self._first.done():
            self._first.set_result(None)

    @property
    def first(self) -> concurrent.futures.Future[None]:
        """Done as soon as the fault has happened."""
        return self._first

    def when_released(self, go: Callable[[], None]) -> None:
        """Have this called when what is held is released; it is called by the one who releases."""
        self._released.append(go)
        if self._is_released:
            go()

    def release(self) -> None:
        """Let go what is held."""
        self._is_released = True
        for go in self._released:
            go()
