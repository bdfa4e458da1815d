"""The interface under contract: an ABC with the semantics in its docstrings, and the exceptions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, or lists and string-keyed dicts of these."""

Message: TypeAlias = dict[str, Json]
"""One message of a chat: an opaque JSON object."""


class SessionStoreError(Exception):
    """A store did not do what it was asked; nothing was changed unless the message says so."""


class SessionExistsError(SessionStoreError):
    """`create` was given the id of a session that exists; that session is as it was."""


class InvalidSessionIdError(SessionStoreError, ValueError):
    """The id can never name a session in this store; raised before any I/O."""


class UnstorableValueError(SessionStoreError, ValueError):
    """The value can't be kept exactly as it is; raised before any I/O."""


class StoreClosedError(SessionStoreError):
    """The store was closed; open another one."""


class StoreUnavailableError(SessionStoreError):
    """The storage could not be reached, or did not answer in time or in a way that can be trusted.

    `is_retry_safe` says whether trying again is safe: True when the operation had no effect, or
    when repeating it has the same effect as doing it once.
    """

    def __init__(self, message: str, *, is_retry_safe: bool) -> None:
        super().__init__(message)
        self.is_retry_safe = is_retry_safe


class SessionStore(ABC):
    """Keeps chat sessions: for each id a list of messages, and cost data beside it.

    Values are kept exactly or refused with an exception that leaves everything as it was. A
    failed read is never an empty answer, and a write that was not made never a success. Every
    operation takes effect at one instant between its call and its answer, also among several
    instances on one place.

    A store need not inherit from this class: what counts is how it behaves. An operation whose
    capability a backend does not claim raises NotImplementedError.
    """

    @abstractmethod
    async def create(self, session_id: str | None = None) -> str:
        """Make a session with no messages and no cost data; answer its id.

        Without an id a fresh one is made, which no other call, instance or process was given.

        Raises:
            SessionExistsError: a session of this id exists; it stays as it was.
            InvalidSessionIdError: this store can't keep a session of this id.
        """

    @abstractmethod
    async def load(self, session_id: str) -> list[Message] | None:
        """Answer the messages of the last `save`, [] when there was none, None when missing."""

    @abstractmethod
    async def save(self, session_id: str, messages: list[Message]) -> None:
        """Replace the whole history; make the session when it is missing; leave cost data alone.

        Counts as activity for `delete_before`.

        Raises:
            UnstorableValueError: the messages are no list, or hold a value that can't be kept
                exactly; the earlier history stands.
        """

    @abstractmethod
    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        """Merge fields into the session; answer whether it exists. A missing one is not made.

        Each top-level key of `cost_data` replaces, whole, what that key held; the other keys stay.
        None is a value like any other. An update that changes something counts as activity for
        `delete_before`; without fields, or with an empty `cost_data`, nothing is written.

        Raises:
            UnstorableValueError: `cost_data` is no JSON object, or holds a value that can't be
                kept exactly; none of its keys was stored.
        """

    @abstractmethod
    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        """Answer the merged cost data, {} when there is none or the session is missing."""

    @abstractmethod
    async def delete(self, session_id: str) -> bool:
        """Remove the session with all that belongs to it; answer whether it existed."""

    @abstractmethod
    async def exists(self, session_id: str) -> bool:
        """Answer whether the session exists."""

    @abstractmethod
    async def delete_before(self, cutoff: datetime) -> int:
        """Remove every session whose last activity is strictly before `cutoff`; answer how many.

        Activity is `create`, `save`, and an `update` that wrote something. Reads don't count. An
        aware cutoff is an instant, whatever its UTC offset; a naive one is refused, or read as
        UTC, never as local time.
        """

    @abstractmethod
    async def close(self) -> None:
        """Give back every connection, file and thread that the store opened itself.

        May be called again, and before the first use. What the caller lent stays open.
        """
