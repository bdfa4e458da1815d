"""Chat servers with one defect each in what they make of a request, or of a store that fails."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .accumulators import Plain, asked, log
from .broken_carriers import DropsTheTurnWhenReadingFails
from .defect import mutant
from .servers import Conversation, InTheBackground, Keeps, NoStore, PlainServer, reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstore_contract.interface import Json


@mutant(
    "streaming-counts-the-same",
    "a turn that is streamed-without-include_usage is not counted",
)
class CountsWhoWantsToBeTold(PlainServer):
    def is_counted(self, one: Conversation) -> bool:
        options: Any = one.asked.get("stream_options") or {}
        return super().is_counted(one) and (not one.is_stream or options.get("include_usage"))


@mutant("usage-is-accumulated", "a prompt that is asked again is not counted")
class TakesTheSamePromptForARetry(PlainServer):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.seen: set[str] = set()

    def is_counted(self, one: Conversation) -> bool:
        words = json.dumps([one.session, one.messages])
        is_new = words not in self.seen
        self.seen.add(words)
        return super().is_counted(one) and is_new


@mutant("no-session-no-write", "null is taken for a session")
class TakesNullForASession(PlainServer):
    async def settle(self, one: Conversation) -> None:
        if "session_id" in one.asked:
            one.session = str(one.session)
        await super().settle(one)


@mutant(
    "store-fault-never-breaks-the-answer",
    "the answer is broken while load raises",
)
class NeedsTheHistory(PlainServer):
    async def history(self, one: Conversation) -> list[Json]:
        if one.session is None:
            return []
        async with asyncio.timeout(5 * self.patience()):
            found = await self.store.load(one.session)
        return found if isinstance(found, list) else []


@mutant(
    "store-fault-never-breaks-the-answer",
    "the answer is broken while save raises",
)
class SavesBeforeItAnswers(PlainServer):
    async def speak(self, one: Conversation) -> Any:
        async for text in super().speak(one):
            yield text
        if one.session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(5 * self.patience()):
                    await self.store.save(one.session, one.messages)


class KnowsWhetherAllIsWell(PlainServer):
    """Remembers whether the store has failed."""

    has_failed = False

    async def guarded(self, call: Any, patience: float | None = None) -> Any:
        async def noted() -> Any:
            try:
                return await call()
            except Exception:
                self.has_failed = True
                raise

        return await super().guarded(noted, patience)


@mutant(
    "store-fault-never-breaks-the-answer",
    "the answer ends in another way while load raises",
)
class KeepsTheEndForWhatIsStored(KnowsWhetherAllIsWell):
    """Says why the answer ended, and what it took, when all was well."""

    def ending(self, one: Conversation, **said: Json) -> dict[str, Json]:
        ended = super().ending(one, **said)
        return {"choices": [{"index": 0, **said}]} if self.has_failed else ended


@mutant("store-fault-never-breaks-the-answer", "the answer is broken while load raises")
class TellsTheClientOfTheStore(KnowsWhetherAllIsWell):
    """OpenAI's clients raise where there is an error, and give out nothing of what was said."""

    def ending(self, one: Conversation, **said: Json) -> dict[str, Json]:
        ended = super().ending(one, **said)
        return {**ended, "error": {"message": "not saved"}} if self.has_failed else ended


@mutant("store-fault-never-breaks-the-answer", "the answer is broken while load raises")
class TellsTheClientOfTheStoreInStreams(TellsTheClientOfTheStore):
    def ending(self, one: Conversation, **said: Json) -> dict[str, Json]:
        is_told = "delta" in said
        return super().ending(one, **said) if is_told else PlainServer.ending(self, one, **said)


@mutant("store-fault-never-breaks-the-answer", "the answer is broken when the store goes")
class TrustsAStoreThatHasAnswered(PlainServer):
    """Having read the history, it looks in mid-answer whether the session is still there."""

    async def history(self, one: Conversation) -> list[Json]:
        # Longer than elsewhere: a store that works is to have answered on a busy machine, too.
        found = one.session and await self.guarded(lambda: self.store.load(one.session), 0.3)
        one.is_trusting = isinstance(found, list)  # type: ignore[attr-defined]  # of this mutant
        return found if isinstance(found, list) else []

    async def speak(self, one: Conversation) -> Any:
        number = 0
        async for text in super().speak(one):
            yield text
            number += 1
            if number == 4 and getattr(one, "is_trusting", False):
                await self.store.exists(one.session)


@mutant(
    "store-fault-never-breaks-the-answer",
    "a turn is not over in time while the store does not answer",
    bound=1.0,
)
class WaitsForTheHistory(PlainServer):
    async def history(self, one: Conversation) -> list[Json]:
        if one.session is None:
            return []
        try:
            found = await asked(self.store.load(one.session))
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            log.warning("the store: %s", type(error).__name__)
            return []
        return found if isinstance(found, list) else []


@mutant("failed-read-never-lowers-totals", "a read that raises costs the turn")
class DropsTheTurnInTheBackground(InTheBackground):
    """What is done after the answer meets the store as it was then, not as it is made next."""

    accumulator = DropsTheTurnWhenReadingFails


@mutant(
    "store-fault-never-breaks-the-answer",
    "the answer is broken while load raises ConnectionResetError",
)
class CatchesFewErrorsOfTheStore(PlainServer):
    async def guarded(self, call: Callable[[], Any], patience: float | None = None) -> Any:
        try:
            async with asyncio.timeout(patience or self.patience()):
                return await asked(call())
        except (RuntimeError, TimeoutError, TypeError, ValueError, LookupError) as error:
            log.warning("the store: %s", type(error).__name__)
            return None


@mutant(
    "store-fault-never-breaks-the-answer",
    "the answer is broken while load raises CancelledError",
)
class EndsWithTheCallOfTheStore(PlainServer):
    async def guarded(self, call: Callable[[], Any], patience: float | None = None) -> Any:
        try:
            async with asyncio.timeout(patience or self.patience()):
                return await call()
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            log.warning("the store: %s", type(error).__name__)
            return None


@mutant(
    "store-fault-never-breaks-the-answer",
    "the answer is broken while load answers messages without content",
)
class WantsTextInEachMessage(PlainServer):
    async def history(self, one: Conversation) -> list[Json]:
        found: list[Any] = await super().history(one)
        return [
            {"role": message.get("role"), "content": message["content"].strip()}
            for message in found
            if isinstance(message, dict)
        ]


@mutant(
    "store-fault-never-breaks-the-answer",
    "a turn is not over in time while save does not answer",
    bound=1.0,
)
class WaitsForASaveAlone(PlainServer):
    """Waits without a bound for whole answers to be saved, if the history could be read."""

    async def history(self, one: Conversation) -> list[Json]:
        found = one.session and await self.guarded(lambda: self.store.load(one.session))
        one.is_read = isinstance(found, list)  # type: ignore[attr-defined]  # of this mutant alone
        return found if isinstance(found, list) else []

    async def settle(self, one: Conversation) -> None:
        if one.session is not None and not one.is_stream and getattr(one, "is_read", False):
            try:
                await asked(self.store.save(one.session, one.messages))
            except Exception as error:  # noqa: BLE001 - whatever a store raises
                log.warning("the store: %s", type(error).__name__)
        await super().settle(one)

    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        try:
            async for _ in self.speak(one):
                pass
        except RuntimeError:
            self.settle_later(one)
            await reply(send, 502, {"error": {"message": "the agent failed"}})
            return
        bound = None if getattr(one, "is_read", False) else 2 * self.patience()
        await asyncio.wait({self.settle_later(one)}, timeout=bound)
        await reply(send, 200, self.ending(one, message={"role": "assistant", "content": one.text}))


@mutant("failed-write-is-counted-later", "after a load that raises nothing is counted")
class GoesOnWithoutAStore(PlainServer):
    """Having failed once, the store is off until the server is started anew."""

    async def history(self, one: Conversation) -> list[Json]:
        if one.session is None:
            return []
        try:
            async with asyncio.timeout(self.patience()):
                found = await asked(self.store.load(one.session))
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            log.warning("running without a store: %s", type(error).__name__)
            self.store = self.counting.store = NoStore()
            return []
        return found if isinstance(found, list) else []


@mutant("failed-write-is-counted-later", "a save that raises costs the turn")
class CountsWhatIsSaved(PlainServer):
    def is_counted(self, one: Conversation) -> bool:
        return super().is_counted(one) and not getattr(one, "is_lost", False)

    async def save(self, one: Conversation, session: str) -> None:
        answer = {"role": "assistant", "content": one.text}

        async def add() -> None:
            before = await asked(self.store.load(session))
            try:
                await asked(self.store.save(session, [*(before or []), *one.messages, answer]))
            except RuntimeError:
                one.is_lost = True  # type: ignore[attr-defined]  # of this mutant alone
                raise

        await self.guarded(add, 10 * self.patience())


class _FalseIsWritten(Plain):
    async def write(self, session: str, totals: dict[str, Json]) -> None:
        fields = totals if self.name is None else {self.name: totals}
        await asked(self.store.update(session, cost_data=fields))


@mutant("failed-write-is-counted-later", "a first turn that could not be saved is not counted")
class TakesFalseForWritten(PlainServer):
    """A write to a session that is not there yet is none."""

    accumulator = _FalseIsWritten


@mutant("aborted-turn-counts-what-is-known", "a turn whose client left is not counted")
class StopsWithTheConnection(PlainServer):
    """A whole answer is given up when its client has gone, and what is known of it too."""

    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        answering = asyncio.ensure_future(super().whole(one, receive, send))
        leaving = asyncio.ensure_future(receive())
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not answering.done():
            answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering


@mutant("unread-history-is-not-written", "a load that raises erases the history")
class SavesWhatItHasRead(PlainServer):
    """A load that fails is an empty history to it, and the save that follows makes it one."""

    async def history(self, one: Conversation) -> list[Json]:
        found = await super().history(one)
        one.before = found  # type: ignore[attr-defined]  # of this mutant alone
        return found

    async def save(self, one: Conversation, session: str) -> None:
        before: list[Json] = getattr(one, "before", [])
        answer = {"role": "assistant", "content": one.text}
        await self.guarded(lambda: self.store.save(session, [*before, *one.messages, answer]))


@mutant("unread-history-is-not-written", "a load that does not answer erases the history")
class SavesWhatItCouldNotWaitFor(SavesWhatItHasRead):
    async def history(self, one: Conversation) -> list[Json]:
        if one.session is None:
            return []
        one.before = []  # type: ignore[attr-defined]  # of this mutant alone
        try:
            async with asyncio.timeout(self.patience()) as bound:
                found = await asked(self.store.load(one.session))
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            log.warning("the store: %s", type(error).__name__)
            one.is_unread = not bound.expired()  # type: ignore[attr-defined]  # as above
            return []
        one.before = found if isinstance(found, list) else []  # type: ignore[attr-defined]
        return found if isinstance(found, list) else []

    async def save(self, one: Conversation, session: str) -> None:
        if not getattr(one, "is_unread", False):
            await super().save(one, session)


@mutant("history-has-each-turn-once", "prompts are not in the history")
class KeepsAnswersAlone(Keeps):
    """Has asked with the messages of the request, and forgets them."""

    def kept(self, before: list[Json], one: Conversation) -> list[Json]:
        return [*before, {"role": "assistant", "content": one.text}]


@mutant("history-has-each-turn-once", "a turn is in the history again with the next one")
class AddsAllThatItAsked(Keeps):
    """What the agent was asked with has the history in it."""

    def kept(self, before: list[Json], one: Conversation) -> list[Json]:
        return [*before, *super().kept(before, one)]


@mutant("history-has-each-turn-once", "history answers ['an answer', 'prompt 1'")
class KeepsTheAnswerFirst(Keeps):
    """Saves when the answer has been given, and the request last."""

    def kept(self, before: list[Json], one: Conversation) -> list[Json]:
        return [*before, {"role": "assistant", "content": one.text}, *one.messages]
