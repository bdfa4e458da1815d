"""One turn of a chat: the agent's answer, then the history saved and the usage counted.

The agent runs in a task of its own, and what follows its end in another: neither ends with the
request. The request waits for them within bounds, and the server until they are done.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakValueDictionary

from reference_backends.asking import ask, in_short
from reference_backends.chat_events import Completion, TextDelta, UsageSoFar
from sessionstore_contract.interface import InvalidSessionIdError, Json, Message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from reference_backends.accounting import Accounting, Usage
    from reference_backends.chat_events import Agent, StreamEvent
    from sessionstore_contract.interface import SessionStore

SLOWEST: Final = 30.0
"""Seconds after which a call of the store is given up when nobody waits for it any more."""

_log = logging.getLogger(__name__)


class UnusableHistoryError(Exception):
    """The store answered a history that is none."""


class AgentError(Exception):
    """The agent raised, or ended without saying that it was complete."""


@dataclass
class Turn:
    """One turn under way, and what is known of it."""

    id: str
    session_id: str | None
    asked: list[Message]
    model: str
    """The server's model, then the one that the agent says."""
    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    error: Exception | None = None
    speaking: asyncio.Task[None] | None = None
    settling: asyncio.Task[None] | None = None
    _events: asyncio.Queue[StreamEvent | None] = field(default_factory=asyncio.Queue)

    async def events(self) -> AsyncIterator[StreamEvent]:
        """Answer what the agent says, as it says it.

        Raises:
            AgentError: the agent failed; what it said before has been answered.
        """
        # Without bound: a client that reads slowly holds up neither the agent nor the counting.
        while (event := await self._events.get()) is not None:
            yield event
        if self.finish_reason is None:
            raise AgentError("the agent did not complete its answer") from self.error

    async def speak(self, agent: Agent, history: list[Message]) -> None:
        """Have the agent answer."""
        try:
            said = cast("AsyncGenerator[StreamEvent]", agent([*history, *self.asked]))
            async with aclosing(said):
                async for event in said:
                    self._take(event)
                    self._events.put_nowait(event)
        except Exception as error:  # noqa: BLE001 - told to the client by `events`
            _log.error("turn %a: the agent failed", self.id, exc_info=error)
            self.error = error
        finally:
            self._events.put_nowait(None)

    def _take(self, event: StreamEvent) -> None:
        match event:
            case TextDelta(text):
                self.text += text
            case UsageSoFar(usage, model):
                self.usage = usage
                self.model = model or self.model
            case Completion(usage, model, finish_reason):
                self.usage = self.usage if usage is None else usage
                self.model = model or self.model
                self.finish_reason = finish_reason

    def cut(self) -> None:
        """Stop the agent if it still speaks: nobody listens any more."""
        if self.speaking is not None:
            self.speaking.cancel()

    async def settled(self, patience: float) -> None:
        """Wait until the turn is saved and counted, `patience` seconds at most."""
        if self.settling is not None:
            await asyncio.wait({self.settling}, timeout=patience)

    @property
    def has_begun(self) -> bool:
        """Whether anything is known of the answer."""
        return bool(self.text or self.usage or self.finish_reason)

    @property
    def history(self) -> list[Message]:
        """What the turn adds to the history."""
        text = _in_whole_characters(self.text)
        return [*self.asked, *([{"role": "assistant", "content": text}] if text else [])]


class Turns:
    """Begins turns on a store, and sees that each is saved and counted."""

    def __init__(
        self, store: SessionStore, agent: Agent, accounting: Accounting, *, patience: float
    ) -> None:
        self._store = store
        self._agent = agent
        self._accounting = accounting
        self._patience = patience
        self._settling: set[asyncio.Task[None]] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def begin(self, turn: Turn) -> None:
        """Load the history and let the agent speak. A store that fails gives no history.

        Raises:
            InvalidSessionIdError: the store says that no session can have the id.
        """
        history: list[Message] | None = None
        if turn.session_id is not None:
            try:
                history = await ask(self._load(turn.session_id), self._patience)
            except InvalidSessionIdError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever the store does, there is an answer
                _warn(turn, "answered without its history", error)
        turn.speaking = asyncio.create_task(turn.speak(self._agent, history or []))
        turn.settling = asyncio.create_task(self._settle(turn, turn.speaking))
        self._settling.add(turn.settling)
        turn.settling.add_done_callback(self._settling.discard)

    async def drain(self, patience: float) -> None:
        """Wait for the turns that are not settled yet, `patience` seconds for answer and save.

        What can't be saved by then is given up, and counted: of a history that is not kept its user
        sees something, of a turn that is not counted nobody does.
        """
        if self._settling:
            await asyncio.wait(self._settling, timeout=patience)
        given_up = tuple(self._settling)
        for task in given_up:
            task.cancel()
        if given_up:
            await asyncio.wait(given_up)

    async def _settle(self, turn: Turn, speaking: asyncio.Task[None]) -> None:
        is_saved = False
        try:
            await asyncio.wait({speaking})
            if turn.session_id is not None and turn.has_begun:
                is_saved = await self._save(turn, turn.session_id)
        except asyncio.CancelledError as error:
            turn.cut()
            _warn(turn, "not saved, the server ends", error)
        if turn.session_id is not None and turn.usage is not None:
            await self._accounting.record(
                turn.session_id,
                turn.usage,
                model=turn.model,
                turn_id=turn.id,
                may_be_missing=not is_saved,
            )

    async def _save(self, turn: Turn, session_id: str) -> bool:
        """Add the turn to the history as it is now; without that, nothing is overwritten."""
        # Turns of one session at once: each adds to what the one before has saved.
        lock = self._locks.setdefault(session_id, asyncio.Lock())
        try:
            async with asyncio.timeout(SLOWEST), lock:
                history = await ask(self._load(session_id), SLOWEST)
                messages = [*(history or []), *turn.history]
                try:
                    await ask(self._store.save(session_id, messages), SLOWEST)
                except Exception:
                    if history is None:
                        await self._make(session_id)
                    raise
        except Exception as error:  # noqa: BLE001 - whatever the store does, there is an answer
            _warn(turn, "not saved", error)
            return False
        return True

    async def _make(self, session_id: str) -> None:
        """Make a session whose first history the store refuses, so that it can be billed."""
        with suppress(Exception):
            await ask(self._store.create(session_id), SLOWEST)

    async def _load(self, session_id: str) -> list[Message] | None:
        history: Json = await self._store.load(session_id)
        if history is not None and not _is_history(history):
            raise UnusableHistoryError(f"load answered {type(history).__name__}")
        return cast("list[Message] | None", history)


def _is_history(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(message, dict) for message in value)


def _in_whole_characters(text: str) -> str:
    """Join the halves of characters that came in two pieces; half of one alone is U+FFFD.

    No store takes half a character, and with it the whole history would be refused.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _warn(turn: Turn, what: str, error: BaseException) -> None:
    _log.warning(
        "session %a turn %a: %s: %s: %s",
        turn.session_id,
        turn.id,
        what,
        type(error).__name__,
        in_short(error),
    )
