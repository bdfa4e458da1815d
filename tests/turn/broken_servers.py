"""Chat servers with one defect each."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sessionstore_contract.turn.script import Usage

from .defect import mutant
from .servers import DONE, Conversation, InTheBackground, NoStore, PlainServer, event, reply

if TYPE_CHECKING:
    pass

STREAMS = (
    "client-that-leaves-at-done-is-counted",
    "first-turns-at-once",
    "concurrent-turns-all-count",
    "concurrent-servers-all-count",
)
"""What looks at the figures of streamed turns."""

BOTH_WAYS = (
    "usage-is-accumulated",
    "recorded-twice-counts-once",
    "bad-figures-are-not-added",
    "failed-read-never-lowers-totals",
    "failed-write-is-counted-later",
    "late-answer-costs-no-turn",
    "uncertain-write-counts-once",
    "write-only-store-gets-the-delta",
)
"""What looks at the figures of turns that are taken both ways, in turn."""

UNREAD = {"write-only-store-gets-the-delta"}


class Twice(PlainServer):
    """Counts a turn a second time; under another id, since each is counted once."""

    async def count_again(self, one: Conversation, session: str) -> None:
        one.turn_id = None
        await super().count(one, session)


@mutant(
    "streaming-counts-the-same",
    "a turn that is streamed is not counted",
    also=(*STREAMS, *BOTH_WAYS, "aborted-turn-counts-what-is-known"),
)
class CountsWholeAnswersOnly(PlainServer):
    def is_counted(self, one: Conversation) -> bool:
        return super().is_counted(one) and not one.is_stream


@mutant(
    "streaming-counts-the-same",
    "a turn that is unstreamed is not counted",
    also=(
        "usage-is-accumulated",
        "no-usage-no-write",
        "recorded-twice-counts-once",
        "bad-figures-are-not-added",
        "failed-read-never-lowers-totals",
        "failed-write-is-counted-later",
        "late-answer-costs-no-turn",
        "uncertain-write-counts-once",
        "write-only-store-gets-the-delta",
        "first-turns-at-once",
        "concurrent-turns-all-count",
        "concurrent-servers-all-count",
        "aborted-turn-counts-what-is-known",
    ),
)
class CountsStreamsOnly(PlainServer):
    def is_counted(self, one: Conversation) -> bool:
        return super().is_counted(one) and one.is_stream


@mutant(
    "streaming-counts-the-same",
    "a turn that is streamed is counted twice",
    # Where nothing can be read each turn is written alone, and the last one is seen.
    also=(*STREAMS, *(set(BOTH_WAYS) - UNREAD), "aborted-turn-counts-what-is-known"),
)
class CountsStreamsTwice(Twice):
    async def count(self, one: Conversation, session: str) -> None:
        await super().count(one, session)
        if one.is_stream:
            await self.count_again(one, session)


@mutant(
    "streaming-counts-the-same",
    "the tokens of a turn that is streamed are added twice",
    also=(*STREAMS, *BOTH_WAYS, "deleted-totals-stay-deleted"),
)
class AddsTheLastChunkTwice(PlainServer):
    """The usage is in the last chunk, and in the one after it."""

    def end(self, one: Conversation, usage: Usage | None, model: str) -> None:
        super().end(one, usage, model)
        figures = {} if usage is None else usage.fields()
        if one.is_stream and figures and all(type(value) is int for value in figures.values()):
            one.usage = Usage(*(2 * value for value in figures.values()))


@mutant(
    "streaming-counts-the-same",
    "usage on the way is added to that of the whole",
    also=("aborted-turn-counts-what-is-known",),
)
class AddsUsageOnTheWay(PlainServer):
    def end(self, one: Conversation, usage: Usage | None, model: str) -> None:
        known = one.usage
        super().end(one, usage, model)
        if known is not None and usage is not None:
            one.usage = Usage(
                *(
                    a + b
                    for a, b in zip(known.fields().values(), usage.fields().values(), strict=True)
                )
            )


@mutant(
    "streaming-counts-the-same",
    "usage on the way is counted as a turn",
    also=("aborted-turn-counts-what-is-known",),
)
class CountsUsageOnTheWay(PlainServer):
    def know(self, one: Conversation, usage: Usage) -> None:
        super().know(one, usage)
        one.on_the_way = usage  # type: ignore[attr-defined]  # of this mutant alone

    async def count(self, one: Conversation, session: str) -> None:
        known = getattr(one, "on_the_way", None)
        if known is not None and one.is_whole:
            last, one.usage = one.usage, known
            await super().count(one, session)
            one.usage, one.turn_id = last, None
        await super().count(one, session)


@mutant("usage-is-accumulated", "the model is the word of the client")
class BelievesTheClient(PlainServer):
    async def count(self, one: Conversation, session: str) -> None:
        one.model = one.asked_model
        await super().count(one, session)


@mutant("no-session-no-write", "a session is made for a request without one")
class MakesASession(PlainServer):
    async def settle(self, one: Conversation) -> None:
        if one.session is None:
            await self.guarded(self.store.create)
        await super().settle(one)


@mutant("no-session-no-write", "a history is saved without a session")
class SavesUnderADefault(PlainServer):
    async def settle(self, one: Conversation) -> None:
        if one.session is None:
            await self.save(one, "default")
        await super().settle(one)


@mutant("no-session-no-write", "usage is written without a session")
class CountsUnderADefault(PlainServer):
    async def settle(self, one: Conversation) -> None:
        if one.session is None and one.usage is not None:
            await self.count(one, "default")
            self.counting.waiting.clear()
        await super().settle(one)


@mutant("null-store-by-default", "the answer is broken without a store")
class NeedsAStore(PlainServer):
    async def speak(self, one: Conversation) -> Any:
        if isinstance(self.store, NoStore) and one.session is not None:
            raise TypeError("'NoneType' object has no attribute 'load'")
        async for text in super().speak(one):
            yield text


@mutant(
    "no-usage-no-write",
    "turns of unknown usage are counted as free",
    also=("aborted-turn-counts-what-is-known",),
)
class CountsUnknownUsageAsFree(PlainServer):
    def end(self, one: Conversation, usage: Usage | None, model: str) -> None:
        super().end(one, Usage() if usage is None else usage, model)


@mutant("no-usage-no-write", "a usage of zero is taken for none")
class TakesZeroForNone(PlainServer):
    def is_counted(self, one: Conversation) -> bool:
        return one.usage is not None and any(one.usage.fields().values())


@mutant(
    "client-that-leaves-at-done-is-counted",
    "with a quick store a turn whose client leaves at [DONE] is not saved",
)
class SettlesAfterTheEnd(PlainServer):
    """Upstream's way: [DONE] first, and what follows is cancelled with the request."""

    async def tell(self, one: Conversation, send: Any) -> None:
        try:
            async for text in self.speak(one):
                await send(event({"choices": [{"index": 0, "delta": {"content": text}}]}))
        finally:
            if not one.is_whole:
                self.settle_later(one)
        await send(DONE)
        await self.settle(one)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@mutant(
    "client-that-leaves-at-done-is-counted",
    "with a slow store a turn whose client leaves at [DONE] is not saved",
)
class NobodyWaitsForTheTask(InTheBackground):
    """Has a head start of some turns of the loop, and dies with the process."""

    async def drain(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)
        for task in self.tasks:
            task.cancel()
        await self.counting.drain()


@mutant(
    "client-that-leaves-at-done-is-counted",
    "with a quick store a turn whose client leaves at [DONE] is not counted",
)
class CountsAfterTheEnd(PlainServer):
    async def tell(self, one: Conversation, send: Any) -> None:
        try:
            async for text in self.speak(one):
                await send(event({"choices": [{"index": 0, "delta": {"content": text}}]}))
        finally:
            if not one.is_whole:
                self.settle_later(one)
        if one.session is not None:
            await self.save(one, one.session)
        await send(DONE)
        for _ in range(20):
            await asyncio.sleep(0)
        if one.session is not None and self.is_counted(one):
            await self.count(one, one.session)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@mutant(
    "client-that-leaves-at-done-is-counted",
    "with a slow store a turn whose client leaves at [DONE] is not counted",
    also=(
        "failed-read-never-lowers-totals",
        "failed-write-is-counted-later",
        "late-answer-costs-no-turn",
    ),
)
class CountsWhatIsQuick(PlainServer):
    """Gives counting up with the request, after some turns of the loop."""

    async def tell(self, one: Conversation, send: Any) -> None:
        try:
            async for text in self.speak(one):
                await send(event({"choices": [{"index": 0, "delta": {"content": text}}]}))
        finally:
            if not one.is_whole:
                self.settle_later(one)
        if one.session is not None:
            await self.save(one, one.session)
            if self.is_counted(one):
                counting = asyncio.ensure_future(self.count(one, one.session))
                for _ in range(40):
                    await asyncio.sleep(0)
                counting.cancel()
                self.counting.waiting.clear()
        await send(DONE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@mutant("aborted-turn-counts-what-is-known", "a turn whose client left is not counted")
class ForgetsWhoLeaves(PlainServer):
    async def stream(self, one: Conversation, receive: Any, send: Any) -> None:
        one.has_left = False  # type: ignore[attr-defined]  # of this mutant alone

        async def listening() -> Any:
            message = await receive()
            one.has_left = not one.is_whole  # type: ignore[attr-defined]  # as above
            return message

        await super().stream(one, listening, send)

    def is_counted(self, one: Conversation) -> bool:
        return super().is_counted(one) and not getattr(one, "has_left", False)


@mutant("aborted-turn-counts-what-is-known", "a turn whose client left is counted twice")
class CountsWhoLeavesTwice(Twice):
    async def count(self, one: Conversation, session: str) -> None:
        await super().count(one, session)
        if one.is_stream and not one.is_whole:
            one.usage = Usage(100, 20, 30)
            await self.count_again(one, session)


@mutant("aborted-turn-counts-what-is-known", "a turn whose agent failed is not counted")
class ForgetsWhatFailed(PlainServer):
    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        try:
            async for _ in self.speak(one):
                pass
        except RuntimeError:
            await reply(send, 502, {"error": {"message": "the agent failed"}})
            return
        await asyncio.wait({self.settle_later(one)}, timeout=2 * self.patience())
        message = {"role": "assistant", "content": one.text}
        await reply(send, 200, {"choices": [{"index": 0, "message": message}]})


@mutant("failed-agent-is-seen", "a turn whose agent failed is answered as if it were complete")
class CoversUpForTheAgent(PlainServer):
    async def speak(self, one: Conversation) -> Any:
        said = super().speak(one)
        with suppress(RuntimeError):
            async for text in said:
                yield text
            return
        rest = 'Hello, wörld "quoted"\n\U0001f600 end.'[len(one.text) :]
        one.text += rest
        yield rest


@mutant("failed-agent-is-seen", "a turn whose agent failed is answered as if it were complete")
class StopsWhereTheAgentFails(PlainServer):
    """Half of an answer ends as a whole one does."""

    async def speak(self, one: Conversation) -> Any:
        with suppress(RuntimeError):
            async for text in super().speak(one):
                yield text


@mutant("failed-agent-is-seen", "a turn whose agent failed is answered as if it were complete")
class StopsWhereTheAgentFailsInStreams(StopsWhereTheAgentFails):
    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        said = PlainServer.speak(self, one)
        try:
            async for _ in said:
                pass
        except RuntimeError:
            self.settle_later(one)
            await reply(send, 502, {"error": {"message": "the agent failed"}})
            return
        await asyncio.wait({self.settle_later(one)}, timeout=2 * self.patience())
        await reply(send, 200, self.ending(one, message={"role": "assistant", "content": one.text}))


@mutant("first-turns-at-once", "first turns at once: an answer is broken")
class RefusesASecondFirstRequest(PlainServer):
    is_begun = False
    is_ready = False

    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        if self.is_begun and not self.is_ready:
            await reply(send, 500, {"error": {"message": "database is locked"}})
            return
        self.is_begun = True
        await asyncio.sleep(0)
        self.is_ready = True
        await super().whole(one, receive, send)


@mutant("slow-store-holds-up-only-its-session", "chats of other sessions wait for the store of one")
class OneTurnAtATime(PlainServer):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.one = asyncio.Lock()

    def patience(self) -> float:
        return 0.3  # the other session waits as long, and longer

    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        async with self.one:
            await super().whole(one, receive, send)
