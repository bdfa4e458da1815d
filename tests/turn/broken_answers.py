"""Chat servers whose answers break in one way each, most of them where a store fails."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from sessionstore_contract.interface import SessionExistsError

from .accumulators import asked, log
from .broken_histories import KnowsWhetherAllIsWell, TrustsAStoreThatHasAnswered
from .defect import mutant
from .servers import DONE, Conversation, NoStore, PlainServer, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sessionstore_contract.interface import Json

FAULT = "store-fault-never-breaks-the-answer"

ANSWERS = (
    "streaming-counts-the-same",
    "no-session-no-write",
    "null-store-by-default",
    "no-usage-no-write",
    "store-fault-never-breaks-the-answer",
    "write-only-store-gets-the-delta",
    "slow-store-holds-up-only-its-session",
    "concurrent-turns-all-count",
    "concurrent-servers-all-count",
    "first-turns-at-once",
    "deleted-totals-stay-deleted",
    "history-has-each-turn-once",
    "aborted-turn-counts-what-is-known",
)
"""What looks at the answers of turns on a store that works, or does not."""


@mutant("usage-is-accumulated", "the answer is broken with a store that works", also=ANSWERS)
class BreaksWhatIsNotAscii(PlainServer):
    def ending(self, one: Conversation, **said: Json) -> dict[str, Json]:
        ended = super().ending(one, **said)
        text = json.dumps(ended, ensure_ascii=False).encode("ascii", "replace")
        return json.loads(text)  # type: ignore[no-any-return]


@mutant(
    "usage-is-accumulated",
    "the answer is broken with a store that works",
    also=(*ANSWERS, "client-that-leaves-at-done-is-counted"),
)
class SaysNoEnd(PlainServer):
    """Its streams end with the connection."""

    async def tell(self, one: Conversation, send: Any) -> None:
        async def all_but_the_end(message: Any) -> None:
            if message is not DONE:
                await send(message)

        await super().tell(one, all_but_the_end)


class _SaysByStatus(KnowsWhetherAllIsWell):
    """Answers all that was said, under the status of a failure."""

    def status(self, one: Conversation) -> int:
        return 503 if self.has_failed else 200


@mutant(FAULT, "the answer is broken while load raises")
class SaysByTheStatusOfWholeAnswers(_SaysByStatus):
    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        async def with_status(message: Any) -> None:
            is_start = message["type"] == "http.response.start" and message["status"] == 200
            await send({**message, "status": self.status(one)} if is_start else message)

        await super().whole(one, receive, with_status)


@mutant(FAULT, "the answer is broken while load raises")
class SaysByTheStatusOfStreams(_SaysByStatus):
    """Reads the history before it begins to answer."""

    async def stream(self, one: Conversation, receive: Any, send: Any) -> None:
        if one.session is not None:
            await self.guarded(lambda: self.store.load(one.session))

        async def with_status(message: Any) -> None:
            is_start = message["type"] == "http.response.start"
            await send({**message, "status": self.status(one)} if is_start else message)

        await super().stream(one, receive, with_status)


@mutant(FAULT, "the answer is broken while load raises")
class SaysNoEndWhereAllIsNotWell(KnowsWhetherAllIsWell):
    async def tell(self, one: Conversation, send: Any) -> None:
        async def told(message: Any) -> None:
            if message is not DONE or not self.has_failed:
                await send(message)

        await super().tell(one, told)


@mutant(FAULT, "the answer ends in another way while the store does not answer")
class KeepsTheEndForWhatIsInTime(PlainServer):
    is_late = False

    async def guarded(self, call: Any, patience: float | None = None) -> Any:
        try:
            async with asyncio.timeout(patience or self.patience()) as bound:
                return await asked(call())
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.is_late = self.is_late or bound.expired()
            log.warning("the store: %s", type(error).__name__)
            return None

    def ending(self, one: Conversation, **said: Json) -> dict[str, Json]:
        return {"choices": [{"index": 0, **said}]} if self.is_late else super().ending(one, **said)


@mutant(FAULT, "the answer is broken while load raises OperationalError")
class CatchesNoErrorsOfDrivers(PlainServer):
    async def guarded(self, call: Callable[[], Any], patience: float | None = None) -> Any:
        try:
            async with asyncio.timeout(patience or self.patience()):
                return await asked(call())
        except (RuntimeError, OSError, TypeError, ValueError, LookupError) as error:
            log.warning("the store: %s", type(error).__name__)
            return None


class _ReadsTheHistory(PlainServer):
    """Makes something of what has been read, and says so of what has not."""

    async def history(self, one: Conversation) -> list[Json]:
        if one.session is None:
            return []
        try:
            async with asyncio.timeout(self.patience()):
                found = await asked(self.store.load(one.session))
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            log.warning("the store: %s", type(error).__name__)
            return await self.unread(one)
        found = await self.made_of(found, one)
        return found if isinstance(found, list) else []

    async def unread(self, one: Conversation) -> list[Json]:
        return []

    async def made_of(self, found: Any, one: Conversation) -> Any:
        return found


@mutant(FAULT, "the answer is broken while every operation raises")
class LooksWhetherASessionIsThere(_ReadsTheHistory):
    """So that it can say whether what it could not read is new."""

    async def unread(self, one: Conversation) -> list[Json]:
        try:
            async with asyncio.timeout(self.patience()):
                await self.store.exists(one.session)
        except TimeoutError as error:
            log.warning("the store: %s", type(error).__name__)
        return []


@mutant(FAULT, "the answer is broken while create raises")
class CreatesWithoutCare(_ReadsTheHistory):
    """Of all that a session is begun with, only that it is there by now is thought of."""

    async def made_of(self, found: Any, one: Conversation) -> Any:
        if found is None and not isinstance(self.store, NoStore):
            try:
                async with asyncio.timeout(self.patience()):
                    await self.store.create(one.session)
            except (SessionExistsError, TimeoutError) as error:
                log.warning("the store: %s", type(error).__name__)
        return found


@mutant(FAULT, "the answer is broken while create raises")
class CreatesWithoutCareInStreams(CreatesWithoutCare):
    async def made_of(self, found: Any, one: Conversation) -> Any:
        return await super().made_of(found, one) if one.is_stream else found


@mutant(FAULT, "the answer is broken while create raises")
class CreatesWithoutCareInWholeAnswers(CreatesWithoutCare):
    async def made_of(self, found: Any, one: Conversation) -> Any:
        return found if one.is_stream else await super().made_of(found, one)


@mutant(FAULT, "the answer is broken while exists raises")
class LooksWhereItHasReadNothing(_ReadsTheHistory):
    """Whether a session that has no history is there is asked without care."""

    async def made_of(self, found: Any, one: Conversation) -> Any:
        if not found and not isinstance(self.store, NoStore):
            try:
                async with asyncio.timeout(self.patience()):
                    await self.store.exists(one.session)
            except TimeoutError as error:
                log.warning("the store: %s", type(error).__name__)
        return found


@mutant("first-turns-at-once", "first turns at once: an answer is broken")
class LosesTheRaceToCreate(_ReadsTheHistory):
    """Between its look and its `create` another request has made the session."""

    async def made_of(self, found: Any, one: Conversation) -> Any:
        if found is None and not isinstance(self.store, NoStore):
            try:
                async with asyncio.timeout(self.patience()):
                    await asked(self.store.create(one.session))
            except SessionExistsError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever else a store raises
                log.warning("the store: %s", type(error).__name__)
        return found


@mutant(FAULT, "the answer is broken while every operation answers 42")
class TellsHowLongTheHistoryIs(_ReadsTheHistory):
    async def made_of(self, found: Any, one: Conversation) -> Any:
        log.info("%s messages", len(found or ()))
        return found


@mutant(FAULT, "the answer is broken while every operation answers 'text'")
class DecodesATextThatItIsGiven(_ReadsTheHistory):
    """Some stores keep a history as JSON."""

    async def made_of(self, found: Any, one: Conversation) -> Any:
        return json.loads(found) if isinstance(found, str) else found


@mutant(FAULT, "the answer is broken while every operation answers ['x']")
class LooksForTheRole(_ReadsTheHistory):
    async def made_of(self, found: Any, one: Conversation) -> Any:
        known = found if isinstance(found, list) else []
        return [message for message in known if message.get("role") != "system"]


@mutant(FAULT, "a turn is not over in time when the store goes", bound=1.0)
class WaitsInMidAnswer(TrustsAStoreThatHasAnswered):
    """Catches what is raised where it looks for the session, and has no bound there."""

    async def speak(self, one: Conversation) -> AsyncIterator[str]:
        number = 0
        async for text in PlainServer.speak(self, one):
            yield text
            number += 1
            if number == 4 and getattr(one, "is_trusting", False):
                try:
                    await asked(self.store.exists(one.session))
                except Exception as error:  # noqa: BLE001 - whatever a store raises
                    log.warning("the store: %s", type(error).__name__)


@mutant(FAULT, "the agent is asked again while load raises")
class TriesTheWholeTurnAgain(PlainServer):
    """The answer is the same, and is paid for twice."""

    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        if one.session is not None:
            try:
                async with asyncio.timeout(self.patience()):
                    await asked(self.store.load(one.session))
            except Exception as error:  # noqa: BLE001 - whatever a store raises
                log.warning("once more: %s", type(error).__name__)
                async for _ in self.agent(list(one.messages)):
                    pass
        await super().whole(one, receive, send)


@mutant("slow-store-holds-up-only-its-session", "the answer is broken while the store is slow for")
class GivesUpOnTheStoreAsAWhole(PlainServer):
    """A breaker for all sessions: with many calls under way nobody is served."""

    under_way = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        if self.under_way > 15:
            await receive()
            await reply(send, 503, {"error": {"message": "the store is slow"}})
            return
        self.under_way += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.under_way -= 1


class _GivenNone(PlainServer):
    """Knows whether it was given a store."""

    def __init__(self, store: Any, *given: Any) -> None:
        super().__init__(store, *given)
        self.given = store


@mutant("null-store-by-default", "the answer is broken without a store")
class NeedsAStoreForWhoNamesNoSession(_GivenNone):
    """Finds an id that is free."""

    async def speak(self, one: Conversation) -> AsyncIterator[str]:
        if one.session is None:
            self.given.exists  # noqa: B018 - of None it has no such
        async for text in super().speak(one):
            yield text


@mutant("null-store-by-default", "the answer is broken without a store")
class NeedsAStoreForStreams(_GivenNone):
    async def tell(self, one: Conversation, send: Any) -> None:
        await super().tell(one, send if self.given else None)


@mutant("null-store-by-default", "the answer is broken without a store")
class NeedsAStoreForWholeAnswers(_GivenNone):
    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        await super().whole(one, receive, send if self.given else None)


@mutant("null-store-by-default", "shut_down raised AttributeError")
class ClosesAStoreThatIsNotThere(_GivenNone):
    async def drain(self) -> None:
        await super().drain()
        await self.given.close()
