"""The accumulator: adds up the turns of each session in cost data, over any store.

One task for each session reads, adds and writes; turns that come meanwhile are written together
with the next write. A turn waits in memory until it is known to be written, and its id is written
with the sums, in the same update: so a write of which nobody knows whether it was made is neither
lost nor made twice. No call is made for a session while an earlier one is under way: what arrives
late must not overwrite what was written since. A session whose write has failed is tried again with
its next turn, and whenever a write of another session shows that the store is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reference_backends.asking import ask, in_short
from reference_backends.figures import (
    FIGURES,
    Tokens,
    Totals,
    Turn,
    UnreadableTotalsError,
    believable,
    read_totals,
    read_writers,
    worded,
)
from reference_backends.written_turns import WrittenTurns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from sessionstore_contract.interface import SessionStore

T = TypeVar("T")

MOST_WAITING: Final = 10_000
"""Turns that wait in memory while a store is away; further ones are logged and not counted."""

MOST_REMEMBERED: Final = 10_000
"""Ids of counted turns that the process remembers, beside those in cost data."""

AT_ONCE: Final = 64
"""Sessions that `drain` writes at the same time."""

LONGEST_NAME: Final = 200
"""Characters of the name of a model, or of a writer."""

_ENDS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)

_log = logging.getLogger(__name__)


class StoreAnswerError(Exception):
    """The store answered what the operation does not answer."""


@dataclass(frozen=True)
class Usage:
    """What one turn used, as its provider reports it; figures that can't be are not added."""

    input_tokens: Any = 0
    output_tokens: Any = 0
    cached_tokens: Any = 0


@dataclass
class _Book:
    """The turns of one session that are not known to be written, oldest first."""

    waiting: dict[str, Turn] = field(default_factory=dict)
    may_be_missing: bool = False
    writing: asyncio.Task[None] | None = None
    failure: BaseException | None = None

    @property
    def is_idle(self) -> bool:
        return self.writing is None or self.writing.done()

    @property
    def may_be_written_soon(self) -> bool:
        """Whether it is the store that failed, which may work again in a moment."""
        return not isinstance(self.failure, (StoreAnswerError, UnreadableTotalsError))


class Accounting:
    """Counts turns on sessions of a store, in the event loop of its first use.

    A `writer` has a name that no other running process has: it keeps its sums under a key of its
    own, `usage:NAME`, so that several processes count on one store. Without one the sums are
    top-level keys, for one process at a time. Both are read together.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        writer: str | None = None,
        patience: float = 2.0,
        limit: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the store, which stays open.

        `patience` is the most seconds that `record` takes; `limit` is after how many a call of the
        store is cancelled.

        Raises:
            ValueError: `writer` is no name that every store takes as a key.
        """
        if writer is not None and not _is_name(writer):
            raise ValueError(
                f"{in_short(writer)} is no name of a writer: 1 to {LONGEST_NAME} printable "
                "characters, as web-0"
            )
        self._store = store
        self._writer = writer
        self._patience = patience
        self._limit = limit
        self._clock = clock
        self._books: dict[str, _Book] = {}
        self._counted: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._written = WrittenTurns()

    async def record(
        self,
        session_id: str,
        usage: Usage,
        *,
        model: str,
        turn_id: str | None = None,
        may_be_missing: bool = False,
    ) -> bool:
        """Count a turn; answer whether it is known to be counted by now. Raises nothing.

        One that is not waits, and is counted with the next turn of the session, or after one of
        another session that could be written, or by `drain`. An id that was counted before counts
        no more. A session that does not exist is owed nothing, unless it `may_be_missing`, since it
        could not be saved: then the turn waits for it.
        """
        # All that must not be lost is done before the first await: whoever waits may be cancelled.
        turn = self._checked(session_id, usage, model, turn_id)
        if turn is None:
            return False
        if (session_id, turn.id) in self._counted:
            return True
        book = self._books.setdefault(session_id, _Book())
        book.waiting.setdefault(turn.id, turn)
        book.may_be_missing = book.may_be_missing or may_be_missing
        writing = self._write_out(session_id, book)
        await asyncio.wait({writing}, timeout=self._patience)
        if not writing.done():
            _log.warning(
                "session %a: the store is slow, %d turns wait", session_id, len(book.waiting)
            )
        return (session_id, turn.id) in self._counted

    async def totals(self, session_id: str) -> Totals:
        """Answer the sums over all writers, as they are stored.

        Raises:
            UnreadableTotalsError: what is stored is no totals.
            TimeoutError: the store took longer than `patience`.
        """
        return read_totals(await ask(self._store.get_cost_data(session_id), self._patience))

    async def drain(self, patience: float = 30.0) -> bool:
        """Write what waits, within `patience` seconds; answer whether nothing waits any more.

        A store that is away is asked again meanwhile. What could not be written is logged with its
        figures.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._write_all()
        left = [
            (name, turn) for name, book in self._books.items() for turn in book.waiting.values()
        ]
        for name, turn in left:
            _log.error("not counted, and the process may end: %s", _worded(name, turn))
        return not left

    def _checked(
        self, session_id: str, usage: Usage, model: str, turn_id: str | None
    ) -> Turn | None:
        given = {name: getattr(usage, name, None) for name in FIGURES}
        figures = {name: believable(value) for name, value in given.items()}
        refused = [name for name, number in figures.items() if number is None]
        if refused:
            words = ", ".join(f"{name} {in_short(given[name])}" for name in refused)
            _log.warning("session %a: figures of a turn are not added: %s", session_id, words)
        if len(refused) == len(FIGURES):
            return None
        return Turn(
            # Of what is no text the words: one turn that can't be kept would hold up all others.
            id=str(turn_id) if turn_id else uuid.uuid4().hex,
            model=_storable(model),
            tokens=Tokens(**{name: number or 0 for name, number in figures.items()}),
            at=self._clock(),
        )

    def _write_out(self, session_id: str, book: _Book) -> asyncio.Task[None]:
        """Answer the task that writes the book; there is one at a time."""
        if book.writing is None or book.writing.done():
            book.writing = asyncio.create_task(self._write(session_id, book))
        return book.writing

    async def _write_all(self) -> None:
        """Write what waits until nothing does that could be written soon."""
        if not self._books:
            return
        slots = asyncio.Semaphore(AT_ONCE)

        async def write(session_id: str, book: _Book) -> None:
            async with slots:
                if book.waiting:
                    await asyncio.wait({self._write_out(session_id, book)})

        pause = 0.05
        async with asyncio.TaskGroup() as group:
            begun = {group.create_task(write(*one)) for one in self._books.items()}
            await asyncio.wait(begun, timeout=pause)
            while any(one.may_be_written_soon for one in self._books.values()):
                self._write_next()
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)

    def _write_next(self) -> None:
        """Try a session that nobody may speak in any more, now that the store works."""
        for session_id, book in self._books.items():
            if book.waiting and book.is_idle and book.may_be_written_soon:
                self._write_out(session_id, book)
                return

    async def _write(self, session_id: str, book: _Book) -> None:
        try:
            while book.waiting:
                await self._write_batch(session_id, book)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, _ENDS) or (task is not None and task.cancelling()):
                raise  # it is this task that ends, not the store's call
            self._put_off(session_id, book, error)
        else:
            self._write_next()
        finally:
            if not book.waiting and self._books.get(session_id) is book:
                del self._books[session_id]

    def _put_off(self, session_id: str, book: _Book, error: BaseException) -> None:
        """Say what failed, and let other sessions be tried before this one."""
        book.failure = error
        self._books[session_id] = self._books.pop(session_id)
        _log.warning(
            "session %a: %d turns wait to be counted: %s: %s",
            session_id,
            len(book.waiting),
            type(error).__name__,
            in_short(error),
        )
        waiting = sum(len(one.waiting) for one in self._books.values())
        for _ in range(min(waiting - MOST_WAITING, len(book.waiting))):
            _, turn = book.waiting.popitem()
            _log.error("not counted, too many turns wait: %s", _worded(session_id, turn))

    async def _write_batch(self, session_id: str, book: _Book) -> None:
        batch = tuple(book.waiting.values())
        try:
            writers = read_writers(await self._ask(self._store.get_cost_data, session_id))
        except NotImplementedError:
            for turn in batch:
                await self._update(session_id, book, Totals().plus([turn]), [turn])
            return
        known = {digest for totals in writers.values() for digest in totals.recent}
        new = [turn for turn in batch if turn.digest not in known]
        self._settle(session_id, book, (turn for turn in batch if turn.digest in known))
        own = writers.get(self._writer, Totals())
        self._written.note(session_id, (turn for turn in batch if turn.digest in own.recent))
        if new:
            lost = self._written.lost(session_id, own.recent)
            if lost:
                _log.warning("session %a: %d turns were gone, and are added", session_id, len(lost))
            await self._update(session_id, book, own.plus([*lost, *new]), new)

    async def _update(
        self, session_id: str, book: _Book, totals: Totals, turns: Iterable[Turn]
    ) -> None:
        fields = worded(totals, self._writer)
        found = await self._ask(self._store.update, session_id, cost_data=fields)
        if found is True:
            self._settle(session_id, book, turns)
            self._written.note(session_id, turns)
        elif found is not False:
            raise StoreAnswerError(f"update answered {type(found).__name__}")
        elif book.may_be_missing:
            raise StoreAnswerError("the session does not exist yet")
        else:
            for turn in turns:
                _log.info("not counted, there is no such session: %s", _worded(session_id, turn))
                book.waiting.pop(turn.id, None)

    def _settle(self, session_id: str, book: _Book, turns: Iterable[Turn]) -> None:
        for turn in turns:
            book.waiting.pop(turn.id, None)
            self._counted[session_id, turn.id] = None
        while len(self._counted) > MOST_REMEMBERED:
            self._counted.popitem(last=False)

    async def _ask(self, operation: Callable[..., Awaitable[T]], *given: Any, **named: Any) -> T:
        async with asyncio.timeout(self._limit):
            return await operation(*given, **named)


def _is_name(value: object) -> bool:
    """Answer whether every store takes it as a key, or as part of one."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_NAME


def _storable(model: object) -> str:
    """Answer a name that can be kept: a turn with one that can't be would wait for ever."""
    if isinstance(model, str) and _is_name(model):
        return model
    _log.warning("the name of a model can't be kept: %s", in_short(model))
    return "unknown"


def _worded(session_id: str, turn: Turn) -> str:
    figures = " ".join(f"{name}={getattr(turn.tokens, name)}" for name in FIGURES)
    return f"session {session_id!a} turn {turn.id!a} model {turn.model!a} {figures}"
