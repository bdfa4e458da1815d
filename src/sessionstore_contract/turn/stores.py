"""Stores for trials of what stands on a store: one that is right, and the ways in which it fails.

A behaviour stands in for an operation. It is given what would do the operation, and decides whether
that is done, before or after what goes wrong, and what is answered.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from ..history import OPERATIONS
from ..interface import Json, Message, SessionExistsError, SessionStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

Behaviour: TypeAlias = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]

WRITES = frozenset({"create", "save", "update", "delete", "delete_before"})

QUIET = 20
"""Turns of the loop without a call after which nothing more is expected of an answer."""

QUIET_AT_LAST = 1_000

STORED = tuple(one for one in OPERATIONS if one != "close")
"""The operations on sessions."""


FAILURES: tuple[BaseException, ...] = (
    RuntimeError("the store is broken"),
    ConnectionResetError("the connection was lost"),
    TimeoutError("the database took too long"),
    KeyError("rows"),
    # As from a driver: of a kind of its own.
    sqlite3.OperationalError("database is locked"),
    # As from a driver whose own task was cancelled: whoever asked was not.
    asyncio.CancelledError("the connection was closed"),
)
"""What stores raise when they fail; none of it is a word of the interface."""


def raising(error: BaseException) -> Behaviour:
    """Raise, and do nothing."""

    async def behave(do: Callable[[], Awaitable[Any]]) -> Any:
        await asyncio.sleep(0)
        raise error

    return behave


def failures() -> Iterator[tuple[str, Behaviour]]:
    """Answer each way to raise, with its words: the first one in short."""
    yield "raises", raising(FAILURES[0])
    for error in FAILURES[1:]:
        yield f"raises {type(error).__name__}", raising(error)


def raising_afterwards(error: BaseException) -> Behaviour:
    """Do it, and raise: the answer was lost on the way."""

    async def behave(do: Callable[[], Awaitable[Any]]) -> Any:
        await do()
        raise error

    return behave


def answering(answer: Any) -> Behaviour:
    """Do nothing, and answer what the operation does not answer."""

    async def behave(do: Callable[[], Awaitable[Any]]) -> Any:
        await asyncio.sleep(0)
        return answer

    return behave


def hanging(until: asyncio.Event, arrived: asyncio.Event | None = None) -> Behaviour:
    """Do it when the event comes, not before; say that the call has arrived."""

    async def behave(do: Callable[[], Awaitable[Any]]) -> Any:
        if arrived is not None:
            arrived.set()
        await until.wait()
        return await do()

    return behave


def slow(seconds: float) -> Behaviour:
    """Take a while on the way there and on the way back."""

    async def behave(do: Callable[[], Awaitable[Any]]) -> Any:
        await asyncio.sleep(seconds)
        answer = await do()
        await asyncio.sleep(seconds)
        return answer

    return behave


def overtaking(*, is_answered_late: bool) -> Behaviour:
    """Let calls that are under way at once overtake each other: the last one is through first.

    Each is made then, or has been made when it came and is answered then. One that comes alone
    meets nothing but a store that takes a while, whatever the clock says.
    """
    under_way: list[object] = []

    async def wait_for_later_ones(call: object) -> None:
        quiet_turns = 0
        while quiet_turns < QUIET:
            await asyncio.sleep(0)
            quiet_turns = quiet_turns + 1 if under_way[-1] is call else 0

    async def behave(do: Callable[[], Awaitable[Any]]) -> Any:
        call = object()
        under_way.append(call)
        try:
            if is_answered_late:
                answer = await do()
                await wait_for_later_ones(call)
                return answer
            await wait_for_later_ones(call)
            return await do()
        finally:
            under_way.remove(call)

    return behave


@dataclass
class _Session:
    messages: str = "[]"
    cost_data: dict[str, str] = field(default_factory=dict)


class KitStore(SessionStore):
    """Keeps sessions in memory as JSON, and behaves in each operation as it is told to.

    Without a word it holds the contract. Every operation lets others go first, before and after
    what it does, as one over a network does.
    """

    def __init__(self) -> None:
        self.behaviours: dict[str, Behaviour] = {}
        self.of_session: dict[str, Behaviour] = {}
        """How operations on one session behave, whichever."""
        self.calls: list[str] = []
        """The operations that were called, in order."""
        self.failures: list[str] = []
        """The operations that have raised, in order."""
        self.updates: list[dict[str, Json]] = []
        """The cost data of each update that was called."""
        self._sessions: dict[str, _Session] = {}
        self._under_way = 0

    async def quiet(self) -> None:
        """Wait until nothing is asked any more: what follows an answer may come after it.

        Not for ever: a store may hang, and a system ask again and again.
        """
        quiet_turns = 0
        for _ in range(QUIET_AT_LAST):
            asked = len(self.calls)
            await asyncio.sleep(0)
            quiet_turns += 1
            if self._under_way or len(self.calls) > asked:
                quiet_turns = 0
            if quiet_turns == QUIET:
                return

    def behave(self, behaviour: Behaviour, operations: Iterable[str] = STORED) -> None:
        """Let these operations behave so from now on."""
        self.behaviours.update(dict.fromkeys(operations, behaviour))

    def recover(self) -> None:
        """Hold the contract from now on."""
        self.behaviours.clear()
        self.of_session.clear()

    def sessions(self) -> tuple[str, ...]:
        """Answer the ids of what is kept, not through any operation."""
        return tuple(self._sessions)

    def peek(self, session_id: str) -> dict[str, Json] | None:
        """Answer what is kept as cost data, not through any operation."""
        session = self._sessions.get(session_id)
        if session is None:
            return None
        return {key: json.loads(text) for key, text in session.cost_data.items()}

    def peek_messages(self, session_id: str) -> list[Message] | None:
        """Answer what is kept as messages, not through any operation."""
        session = self._sessions.get(session_id)
        return None if session is None else json.loads(session.messages)

    def put(self, session_id: str, cost_data: dict[str, Json] | None = None) -> None:
        """Make a session, or change its cost data, not through any operation."""
        session = self._sessions.setdefault(session_id, _Session())
        session.cost_data.update(_encoded(cost_data or {}))

    def renew(self, session_id: str) -> None:
        """Delete a session, and make it anew, not through any operation."""
        self._sessions[session_id] = _Session()

    def put_messages(self, session_id: str, messages: list[Message]) -> None:
        """Make a session, or change its messages, not through any operation."""
        self._sessions.setdefault(session_id, _Session()).messages = json.dumps(messages)

    async def _perform(self, operation: str, session_id: str | None, do: Callable[[], Any]) -> Any:
        self.calls.append(operation)

        async def really() -> Any:
            await asyncio.sleep(0)
            answer = do()
            await asyncio.sleep(0)
            return answer

        behaviour = self.behaviours.get(operation)
        if session_id in self.of_session:
            behaviour = self.of_session[session_id]
        self._under_way += 1
        try:
            return await (really() if behaviour is None else behaviour(really))
        except SessionExistsError:
            # It is an answer: whoever makes sure that a session is there may well not mind.
            raise
        except Exception:
            self.failures.append(operation)
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                self.failures.append(operation)
            raise
        finally:
            self._under_way -= 1

    async def create(self, session_id: str | None = None) -> str:
        def do() -> str:
            name = secrets.token_hex(16) if session_id is None else session_id
            if name in self._sessions:
                raise SessionExistsError(f"session {name!r} exists")
            self._sessions[name] = _Session()
            return name

        return await self._perform("create", session_id, do)  # type: ignore[no-any-return]

    async def load(self, session_id: str) -> list[Message] | None:
        return await self._perform(  # type: ignore[no-any-return]
            "load", session_id, lambda: self.peek_messages(session_id)
        )

    async def save(self, session_id: str, messages: list[Message]) -> None:
        def do() -> None:
            text = json.dumps(messages, allow_nan=False)
            self._sessions.setdefault(session_id, _Session()).messages = text

        await self._perform("save", session_id, do)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        def do() -> bool:
            changes = _encoded(cost_data or {})
            session = self._sessions.get(session_id)
            if session is not None:
                session.cost_data.update(changes)
            return session is not None

        self.updates.append(dict(cost_data or {}))
        return await self._perform("update", session_id, do)  # type: ignore[no-any-return]

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        return await self._perform(  # type: ignore[no-any-return]
            "get_cost_data", session_id, lambda: self.peek(session_id) or {}
        )

    async def delete(self, session_id: str) -> bool:
        return await self._perform(  # type: ignore[no-any-return]
            "delete", session_id, lambda: self._sessions.pop(session_id, None) is not None
        )

    async def exists(self, session_id: str) -> bool:
        return await self._perform(  # type: ignore[no-any-return]
            "exists", session_id, lambda: session_id in self._sessions
        )

    async def delete_before(self, cutoff: datetime) -> int:
        # Of no use to a turn; no session here is old.
        return await self._perform("delete_before", None, lambda: 0)  # type: ignore[no-any-return]

    async def close(self) -> None:
        self.calls.append("close")


def write_only() -> KitStore:
    """Make a store whose cost data can be written and not read."""
    store = KitStore()
    store.behave(raising(NotImplementedError("cost data can't be read")), ["get_cost_data"])
    return store


def _encoded(cost_data: dict[str, Json]) -> dict[str, str]:
    return {key: json.dumps(value, allow_nan=False) for key, value in cost_data.items()}
