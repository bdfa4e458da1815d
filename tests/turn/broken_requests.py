"""Chat servers with one defect each in how they tell requests apart, or leave off with one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sessionstore_contract.turn.script import Usage

from .accumulators import asked
from .broken_histories import KeepsAnswersAlone, SavesWhatItHasRead, _FalseIsWritten
from .broken_servers import StopsWhereTheAgentFails
from .broken_streams import StreamsApart
from .defect import mutant
from .servers import Conversation, Keeps, PlainServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sessionstore_contract.interface import Json

ABORTED = "aborted-turn-counts-what-is-known"


@mutant("first-turns-at-once", "a turn has the figures of one of ")
class HasOneUsageForAll(PlainServer):
    """The usage of requests at once is one attribute of the server."""

    last: Usage | None = None

    def know(self, one: Conversation, usage: Usage) -> None:
        super().know(one, usage)
        self.last = one.usage

    def end(self, one: Conversation, usage: Usage | None, model: str) -> None:
        super().end(one, usage, model)
        self.last = one.usage

    async def count(self, one: Conversation, session: str) -> None:
        one.usage = self.last
        await super().count(one, session)


@mutant("first-turns-at-once", "a turn has the model of one of ")
class HasOneModelForAll(PlainServer):
    last = ""

    def end(self, one: Conversation, usage: Usage | None, model: str) -> None:
        super().end(one, usage, model)
        self.last = model

    async def count(self, one: Conversation, session: str) -> None:
        one.model = self.last or one.model
        await super().count(one, session)


@mutant("first-turns-at-once", "of 4 first turns of one session ")
class CountsWhoMadeTheSession(PlainServer):
    """Whoever comes while it is made is taken for the same request, sent again."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.making: set[str] = set()

    async def settle(self, one: Conversation) -> None:
        if one.session is None or one.session in self.making:
            return
        if await self.guarded(lambda: self.store.exists(one.session)) is not False:
            await super().settle(one)
            return
        self.making.add(one.session)
        await super().settle(one)
        self.making.discard(one.session)


@mutant("history-has-each-turn-once", "what was said in another session is in the history")
class HasOneRequestForAll(PlainServer):
    """What is saved is what the server was asked last."""

    messages: list[Json] = []  # noqa: RUF012 - replaced, never changed

    async def speak(self, one: Conversation) -> AsyncIterator[str]:
        self.messages = one.messages
        async for text in super().speak(one):
            yield text

    async def save(self, one: Conversation, session: str) -> None:
        one.messages = self.messages
        await super().save(one, session)


@mutant("history-has-each-turn-once", "the agent is asked with what was said in another session")
class HasOneHistoryForAll(PlainServer):
    """Reads one and keeps it at hand, under a key that is the same for all sessions."""

    known: list[Json] = []  # noqa: RUF012 - replaced, never changed

    async def history(self, one: Conversation) -> list[Json]:
        found = await super().history(one)
        self.known = self.known or found
        return self.known if one.session else []


@mutant("history-has-each-turn-once", "the history of a session that was deleted comes back")
class RemembersHistories(Keeps):
    """Reads each once, and has it in memory for as long as it lives."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.known: dict[str, list[Json]] = {}

    async def save(self, one: Conversation, session: str) -> None:
        async def add() -> None:
            if session not in self.known:
                self.known[session] = await asked(self.store.load(session)) or []
            self.known[session] = self.kept(self.known[session], one)
            await asked(self.store.save(session, self.known[session]))

        await self.guarded(add, 10 * self.patience())


@mutant("history-has-each-turn-once", "prompts are not in the history")
class KeepsAnswersAloneInStreams(KeepsAnswersAlone):
    def kept(self, before: list[Json], one: Conversation) -> list[Json]:
        return super().kept(before, one) if one.is_stream else Keeps.kept(self, before, one)


@mutant("history-has-each-turn-once", "prompts are not in the history")
class KeepsWholeAnswersAlone(KeepsAnswersAlone):
    def kept(self, before: list[Json], one: Conversation) -> list[Json]:
        return Keeps.kept(self, before, one) if one.is_stream else super().kept(before, one)


@mutant("unread-history-is-not-written", "a load that raises erases the history")
class SavesWhatItHasReadInStreams(SavesWhatItHasRead):
    async def save(self, one: Conversation, session: str) -> None:
        if one.is_stream:
            await super().save(one, session)
        else:
            await PlainServer.save(self, one, session)


@mutant("unread-history-is-not-written", "a load that raises erases the history")
class SavesWhatItHasReadInWholeAnswers(SavesWhatItHasRead):
    async def save(self, one: Conversation, session: str) -> None:
        if one.is_stream:
            await PlainServer.save(self, one, session)
        else:
            await super().save(one, session)


@mutant("failed-write-is-counted-later", "a first turn that could not be saved is not counted")
class TakesFalseForWrittenInStreams(StreamsApart):
    of_streams = _FalseIsWritten


@mutant("failed-write-is-counted-later", "a first turn that could not be saved is not counted")
class TakesFalseForWrittenInWholeAnswers(StreamsApart):
    accumulator = _FalseIsWritten
    of_streams = PlainServer.accumulator


@mutant("no-usage-no-write", "the model of a turn of unknown usage is written")
class NotesTheModelOfEachTurn(PlainServer):
    async def settle(self, one: Conversation) -> None:
        await super().settle(one)
        if one.session is not None and one.usage is None and one.is_whole:
            fields = {"model": one.model}
            await self.guarded(lambda: self.store.update(one.session, cost_data=fields))


@mutant("no-usage-no-write", "after others a turn of unknown usage is counted")
class CountsATurnOnTopOfOthers(PlainServer):
    """Where there are totals it adds nothing to them but the turn."""

    async def settle(self, one: Conversation) -> None:
        if one.session is not None and one.usage is None and one.is_whole:
            found = await self.guarded(lambda: self.store.get_cost_data(one.session))
            one.usage = Usage() if found else None
        await super().settle(one)


@mutant("no-usage-no-write", "the model is that of a turn that is not counted")
class NotesTheModelBesideTotals(PlainServer):
    async def settle(self, one: Conversation) -> None:
        await super().settle(one)
        if one.session is not None and one.usage is None and one.is_whole:
            found = await self.guarded(lambda: self.store.get_cost_data(one.session))
            fields = {"model": one.model} if found else {}
            await self.guarded(lambda: self.store.update(one.session, cost_data=fields))


class _BeginsWithZeros(PlainServer):
    """What an agent that fails leaves behind is a usage of nothing."""

    def leaves_zeros(self, one: Conversation) -> bool:
        return True

    async def speak(self, one: Conversation) -> AsyncIterator[str]:
        try:
            async for text in super().speak(one):
                yield text
        except RuntimeError:
            if self.leaves_zeros(one):
                one.usage = one.usage or Usage()
            raise


@mutant("no-usage-no-write", "a turn whose agent failed is counted as free")
class BeginsStreamsWithZeros(_BeginsWithZeros):
    def leaves_zeros(self, one: Conversation) -> bool:
        return one.is_stream


@mutant("no-usage-no-write", "a turn whose agent failed is counted as free")
class BeginsWholeAnswersWithZeros(_BeginsWithZeros):
    def leaves_zeros(self, one: Conversation) -> bool:
        return not one.is_stream


class OneTurnOfASessionAtATime(PlainServer):
    """Has a lock for each session, and gives it back at the end of the agent's answer."""

    gives_back: tuple[type[BaseException], ...] = (GeneratorExit, asyncio.CancelledError)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.turns: dict[str | None, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def speak(self, one: Conversation) -> AsyncIterator[str]:
        lock = self.turns[one.session] if one.session else asyncio.Lock()
        await lock.acquire()
        try:
            async for text in super().speak(one):
                yield text
        except self.gives_back:
            lock.release()
            raise
        lock.release()


@mutant(
    "no-usage-no-write",
    "a turn is not over in time after one whose agent failed",
    also=(ABORTED,),
    bound=1.0,
)
class KeepsTheLockOfWhatFailed(OneTurnOfASessionAtATime):
    pass


@mutant(ABORTED, "a turn is not over in time after one whose client left", bound=1.0)
class KeepsTheLockOfWhoLeft(OneTurnOfASessionAtATime):
    gives_back = (RuntimeError,)


@mutant(ABORTED, "usage on the way is added up")
class AddsUpUsageOnTheWay(PlainServer):
    """Takes what is said of the turn up to here for what was used since."""

    def know(self, one: Conversation, usage: Usage) -> None:
        before = Usage() if one.usage is None else one.usage
        figures = zip(before.fields().values(), usage.fields().values(), strict=True)
        one.usage = Usage(*(a + b for a, b in figures))


@mutant(ABORTED, "of usage on the way the first is counted")
class KeepsTheFirstUsageOnTheWay(PlainServer):
    def know(self, one: Conversation, usage: Usage) -> None:
        one.usage = one.usage or usage


@mutant(ABORTED, "a turn that ends without usage is not counted")
class ForgetsWhatWasKnownAtTheEnd(PlainServer):
    def end(self, one: Conversation, usage: Usage | None, model: str) -> None:
        one.usage, one.model = usage, model


@mutant(ABORTED, "a turn that ends without usage is not counted")
class ForgetsWhatWasKnownAtTheEndOfStreams(PlainServer):
    def end(self, one: Conversation, usage: Usage | None, model: str) -> None:
        super().end(one, usage, model)
        one.usage = usage if one.is_stream else one.usage


@mutant(ABORTED, "a turn whose agent failed is not counted")
class ForgetsStreamsThatFailed(PlainServer):
    async def speak(self, one: Conversation) -> AsyncIterator[str]:
        try:
            async for text in super().speak(one):
                yield text
        except RuntimeError:
            one.usage = None if one.is_stream else one.usage
            raise


@mutant("failed-agent-is-seen", "a turn whose agent failed is answered as if it were complete")
class StopsWhereTheAgentFailsInWholeAnswers(StopsWhereTheAgentFails):
    async def speak(self, one: Conversation) -> AsyncIterator[str]:
        if one.is_stream:
            async for text in PlainServer.speak(self, one):
                yield text
        else:
            async for text in super().speak(one):
                yield text
