"""Stores on a platform that are right as long as the network is."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from reference_backends.http_connection import Connection, Reply
from sessionstore_contract.interface import SessionStoreError, StoreUnavailableError

from .defect import mutant
from .platform_stores import PlatformStore
from .raw_connection import FAILURES, RawConnection, RawStore, Streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from sessionstore_contract.interface import Json

# Connections that are dropped ---------------------------------------------------------------------


class KeepsTheOthers(RawConnection):
    """Throws away the connection that was dead, and no other."""

    def after_failure(self) -> None:
        if self._is_closed:
            super().after_failure()


@mutant(
    "faults.dropped-connections-recover",
    "load fails twice after idle connections were ended",
)
class FindsOneDeadConnectionAfterTheOther(RawStore):
    """Has a pool that knows nothing of what has happened to the others."""

    connection_kind: ClassVar[type[Connection]] = KeepsTheOthers


# A server that was away ---------------------------------------------------------------------------


class RemembersFailures(Connection):
    """Takes the third failure for the end."""

    failures = 0

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        if self.failures:
            raise SessionStoreError("the connection was lost")
        try:
            return await super().ask(method, path, body, **rest)
        except StoreUnavailableError as error:
            # Only what could not be connected: an answer that was cut is forgiven.
            self.failures += "ConnectError" in str(error)
            raise


@mutant(
    "faults.restart-is-survived",
    "after the server was away and is back load raised SessionStoreError: the connection was lost",
    also={
        "opening.failed-first-use-can-be-retried": "after a failed first exists the store stays "
        "broken: save raised SessionStoreError: the connection was lost"
    },
    timeout=1.0,
)
class RemembersThatTheServerWasAway(PlatformStore):
    """Has to be made anew."""

    connection_kind: ClassVar[type[Connection]] = RemembersFailures


# Reads --------------------------------------------------------------------------------------------


@mutant(
    "faults.restart-is-survived",
    "after the server was away and is back save raised SessionStoreError: the writer has ended",
    timeout=1.0,
)
class WritesInATaskThatEnds(PlatformStore):
    """Saves in a task that takes one after the other, until one of them fails."""

    has_begun = False
    has_ended = False

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if self.has_ended:
            raise SessionStoreError("the writer has ended")
        try:
            await super().save(session_id, messages)
        except StoreUnavailableError as error:
            self.has_ended = self.has_begun and "ConnectError" in str(error)
            raise
        self.has_begun = True


class HalfAnAnswer(RawConnection):
    """Takes what has come of an answer for the answer."""

    async def read(self, asked: str, reader: asyncio.StreamReader) -> tuple[Reply, bool]:
        try:
            return await super().read(asked, reader)
        except asyncio.IncompleteReadError as error:
            if asked.startswith("GET") and error.partial:
                missing = b'{"error": {"code": "session_missing", "message": ""}}'
                return Reply(asked, 404, missing), False
            raise


@mutant(
    "faults.a-failed-read-raises",
    "load answers None when an end comes in mid-answer",
    also={
        "faults.stay-with-their-session": "load answers None when an end comes in mid-answer",
        "faults.answers-are-checked": "load answers None to a body that is too short",
    },
)
class TakesHalfAnAnswerForNone(RawStore):
    """Reports a session whose answer was cut as missing."""

    connection_kind: ClassVar[type[Connection]] = HalfAnAnswer


@mutant(
    "faults.a-failed-read-raises",
    "get_cost_data answers {} when an end comes for an answer",
    also={"faults.answers-are-checked": "get_cost_data answers {} to a body that is too short"},
)
class CostDataIsAnExtra(PlatformStore):
    """Thinks that cost data is not worth an error."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        try:
            return await super().get_cost_data(session_id)
        except StoreUnavailableError as error:
            if "RemoteProtocolError" in str(error):
                return {}
            raise


# Writes -------------------------------------------------------------------------------------------


@mutant("faults.a-failed-read-raises", "exists answers False while the server is away")
class WhatCanNotBeAskedForIsMissing(PlatformStore):
    """Says of a session that it is not there when it has reached nobody to ask."""

    has_answered = False

    async def exists(self, session_id: str) -> bool:
        try:
            found = await super().exists(session_id)
        except StoreUnavailableError as error:
            if self.has_answered and "ConnectError" in str(error):
                return False
            raise
        self.has_answered = True
        return found


@mutant(
    "faults.a-failed-write-raises",
    "save answers None when its request is lost, and nothing is written",
    also={"faults.answers-are-checked": "save answers None to a body that is too short"},
)
class SavesAtBest(PlatformStore):
    """Logs that a save has failed."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except StoreUnavailableError as error:
            if "ReadError" not in str(error) and "RemoteProtocolError" not in str(error):
                raise


@mutant(
    "faults.a-failed-write-raises",
    "update answers False when its request is lost, and the session is there",
    also={
        "faults.lost-answer-is-not-applied-twice": "update answers False after its answer was",
        "faults.answers-are-checked": "update answers False to a body that is too short",
    },
)
class UpdateAnswersFalseForAFailure(PlatformStore):
    """Answers False when it has not worked."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        try:
            return await super().update(session_id, cost_data=cost_data)
        except StoreUnavailableError as error:
            if "ReadError" in str(error) or "RemoteProtocolError" in str(error):
                return False
            raise


@mutant(
    "faults.a-failed-write-raises",
    "save answers None while the server is away",
)
class QueuesWhatCanNotBeSaved(PlatformStore):
    """Keeps in memory what could not be saved, answers, and saves it with the next read."""

    has_saved = False

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.unsaved: dict[str, list[Json]] = {}

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except StoreUnavailableError as error:
            if not self.has_saved or "ConnectError" not in str(error):
                raise
            self.unsaved[session_id] = messages
        self.has_saved = True

    async def exists(self, session_id: str) -> bool:
        found = await super().exists(session_id)
        while self.unsaved:
            await super().save(*self.unsaved.popitem())
        return found


@mutant(
    "faults.a-failed-write-raises",
    "save raised while the server was away, and is made when it is back",
)
class SavesWhenItIsBack(PlatformStore):
    """Keeps what could not be saved, and saves it with the next read."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.unsaved: dict[str, list[Json]] = {}

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except StoreUnavailableError as error:
            if "ConnectError" in str(error):
                self.unsaved[session_id] = messages
            raise

    async def exists(self, session_id: str) -> bool:
        found = await super().exists(session_id)
        while self.unsaved:
            await super().save(*self.unsaved.popitem())
        return found


# A server that says nothing -----------------------------------------------------------------------


class Unbounded(Connection):
    """Waits for an answer as long as it takes."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **{**settings, "timeout": 3600.0})


@mutant(
    "faults.operations-are-bounded",
    "load does not come back from a server that says nothing",
    timeout=1.0,
)
class WaitsForEver(PlatformStore):
    """Has no time-out."""

    connection_kind: ClassVar[type[Connection]] = Unbounded


class UnboundedAtFirst(Connection):
    """Waits for the first answer as long as it takes: it says that there is a server."""

    is_known = False

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        later = asyncio.get_running_loop().time() + 3600.0
        reply = await super().ask(
            method, path, body, **(rest if self.is_known else {**rest, "by": later})
        )
        self.is_known = True
        return reply


@mutant(
    "faults.operations-are-bounded",
    "exists does not come back from a server that says nothing",
    timeout=1.0,
)
class ConnectsForEver(PlatformStore):
    """Has a time-out for all but its first operation, with which it connects."""

    connection_kind: ClassVar[type[Connection]] = UnboundedAtFirst


class LosesItsPlaces(Connection):
    """Lets three ask at once, and does not count those back who were out of time."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.places = 1

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        if not self.places:
            raise StoreUnavailableError("the pool is exhausted", is_retry_safe=True)
        try:
            return await super().ask(method, path, body, **rest)
        except StoreUnavailableError as error:
            if "no answer within" in str(error):
                self.places = 0
            raise


@mutant(
    "faults.operations-are-bounded",
    "after the server said nothing and speaks again load raised StoreUnavailableError: the pool",
    timeout=2.0,
)
class LosesAPlaceWithEachTimeOut(PlatformStore):
    """Has a pool that is empty after a while of silence."""

    connection_kind: ClassVar[type[Connection]] = LosesItsPlaces


class FourForEach(Connection):
    """Has four connections for each session, and waits for one as long as it takes."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.slots: dict[str, asyncio.Semaphore] = {}

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        async with self.slots.setdefault(path, asyncio.Semaphore(4)):
            return await super().ask(method, path, body, **{**rest, "by": None})


@mutant(
    "faults.operations-are-bounded",
    "load does not come back from a server that says nothing, where many ask it at once",
    timeout=1.0,
)
class BoundsWhatHasAConnection(PlatformStore):
    """Has a time-out that begins when those that came before have had theirs."""

    connection_kind: ClassVar[type[Connection]] = FourForEach


# Answers that are lost ----------------------------------------------------------------------------


@mutant(
    "faults.lost-answer-is-not-applied-twice",
    "load answers [{'role': 'user', 'content': 'one'}",
)
class SavesWhatItHasNotSent(PlatformStore):
    """Sends of a history that has grown what is new, by its own count."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.failed: set[str] = set()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        before = await super().load(session_id) if session_id in self.failed else None
        try:
            await super().save(session_id, [*(before or []), *messages])
        except StoreUnavailableError as error:
            if "ReadError" in str(error):
                self.failed.add(session_id)
            raise
        self.failed.discard(session_id)


@mutant(
    "faults.lost-answer-is-not-applied-twice",
    "update raised, and is made after a newer one",
)
class UpdatesAgainLater(PlatformStore):
    """Keeps an update whose answer was lost, and sends it again with the next operation."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.unsure: list[tuple[str, dict[str, Json]]] = []

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        try:
            return await super().update(session_id, cost_data=cost_data)
        except StoreUnavailableError as error:
            if "ReadError" in str(error) and cost_data:
                self.unsure.append((session_id, cost_data))
            raise

    async def exists(self, session_id: str) -> bool:
        while self.unsure:
            name, cost_data = self.unsure.pop()
            await super().update(name, cost_data=cost_data)
        return await super().exists(session_id)


@mutant(
    "faults.lost-answer-is-not-applied-twice",
    "save raised, and is made after a newer one",
)
class SavesAgainLater(PlatformStore):
    """Keeps a save whose answer was lost, and sends it again with the next operation."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.unsure: list[tuple[str, list[Json]]] = []

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except StoreUnavailableError as error:
            if "ReadError" in str(error):
                self.unsure.append((session_id, messages))
            raise

    async def exists(self, session_id: str) -> bool:
        while self.unsure:
            await super().save(*self.unsure.pop())
        return await super().exists(session_id)


@mutant(
    "faults.lost-answer-is-not-applied-twice",
    "save fails when it is tried again after a lost answer",
    timeout=1.0,
)
class ComparesAVersionOfItsOwn(PlatformStore):
    """Counts the versions that it has heard of: one that it has not is a conflict for ever."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.unheard: set[str] = set()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if session_id in self.unheard:
            raise SessionStoreError("another has saved the session")
        try:
            await super().save(session_id, messages)
        except StoreUnavailableError as error:
            if "ReadError" in str(error):
                self.unheard.add(session_id)
            raise


@mutant(
    "faults.lost-answer-is-not-applied-twice",
    "get_cost_data answers {} after a save that was tried again",
)
class SavesAnewAfterAFailure(PlatformStore):
    """Makes a session anew whose save has failed."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.failed: set[str] = set()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if session_id in self.failed:
            await super().delete(session_id)
            self.failed.discard(session_id)
        try:
            await super().save(session_id, messages)
        except StoreUnavailableError as error:
            if "ReadError" in str(error):
                self.failed.add(session_id)
            raise


# Other sessions -----------------------------------------------------------------------------------


class KeepsSpoilt(RawConnection):
    """Puts a connection back whose caller was cancelled: its answer is still to come."""

    def spoilt(self, streams: Streams) -> None:
        if streams[0].at_eof() or streams[1].is_closing():
            super().spoilt(streams)
        else:
            self.idle.append(streams)

    async def exchange(self, asked: str, request: bytes) -> Reply:
        try:
            return await super().exchange(asked, request)
        except FAILURES:
            self.after_failure()
            raise


class Trusting(PlatformStore):
    """Takes for its own what a load is answered."""

    async def load(self, session_id: str) -> list[Json] | None:
        reply = await self._connection.ask("GET", f"/v1/sessions/{session_id}")
        if reply.code == "session_missing":
            return None
        return self.messages_of(reply)

    def messages_of(self, reply: Reply) -> list[Json]:
        from reference_backends import rest

        try:
            body = rest.read_json(reply.body)
            messages = body["messages"] if reply.status == 200 else None
        except (ValueError, TypeError, KeyError):
            messages = None
        if not isinstance(messages, list):
            raise StoreUnavailableError("that is no answer", is_retry_safe=True)
        return messages


@mutant(
    "faults.stay-with-their-session",
    "load answers [{'role': 'user', 'content': 'one'}",
    also={
        "faults.answers-are-checked": "load answers [{'role': 'user', 'content': 'one'}",
    },
)
class GivesTheAnswerToTheNext(Trusting):
    """Uses a connection again on which an answer is to come, and asks not whose it is."""

    connection_kind: ClassVar[type[Connection]] = KeepsSpoilt


# Sessions that are stuck --------------------------------------------------------------------------


class FourAtOnce(Connection):
    """Has four connections."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.slots = asyncio.Semaphore(4)

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        try:
            async with asyncio.timeout(self._timeout):
                await self.slots.acquire()
        except TimeoutError:
            raise StoreUnavailableError("no connection in time", is_retry_safe=True) from None
        try:
            return await super().ask(method, path, body, **rest)
        finally:
            self.slots.release()


@mutant(
    "faults.a-stuck-session-blocks-only-itself",
    "load of one session waits for those of another",
    timeout=1.0,
)
class LetsOneSessionHaveThePool(PlatformStore):
    """Has a small pool, and no turns."""

    connection_kind: ClassVar[type[Connection]] = FourAtOnce


class OneAtOnce(FourAtOnce):
    """Has one."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.slots = asyncio.Semaphore(1)


@mutant(
    "concurrency.sessions-do-not-block-each-other",
    "load of one session waits for those of another",
    also={
        "faults.a-stuck-session-blocks-only-itself": "load of one session waits for those of",
    },
    timeout=1.0,
)
class HasOneLockForAll(PlatformStore):
    """Holds a lock around each operation."""

    connection_kind: ClassVar[type[Connection]] = OneAtOnce


class OneAfterTheOther(FourAtOnce):
    """Lets the updates of a session go a while apart."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.turns: dict[str, asyncio.Lock] = {}

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        if method == "PATCH":
            async with self.turns.setdefault(path, asyncio.Lock()):
                await asyncio.sleep(0.06)
        return await super().ask(method, path, body, **rest)


@mutant(
    "faults.a-stuck-session-blocks-only-itself",
    "load of one session waits for those of another",
    timeout=1.0,
)
class LetsOneSessionHaveThePoolByAndBy(PlatformStore):
    """Has turns that end before the answer has come."""

    connection_kind: ClassVar[type[Connection]] = OneAfterTheOther


# Answers that are none ----------------------------------------------------------------------------


class Changed(Connection):
    """Takes an answer for another one."""

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        reply = await super().ask(method, path, body, **rest)
        return self.changed(method, reply)

    def changed(self, method: str, reply: Reply) -> Reply:
        raise NotImplementedError


MISSING = b'{"error": {"code": "session_missing", "message": ""}}'


class AnyNotFound(Changed):
    def changed(self, method: str, reply: Reply) -> Reply:
        return Reply(reply.asked, 404, MISSING) if reply.status == 404 else reply


@mutant("faults.answers-are-checked", "load answers None to the status 404")
class TakesAMissingRouteForAMissingSession(PlatformStore):
    """Goes by the status alone."""

    connection_kind: ClassVar[type[Connection]] = AnyNotFound


class AnyRefusal(Changed):
    def changed(self, method: str, reply: Reply) -> Reply:
        is_refusal = 400 < reply.status < 500 and method == "GET" and reply.status != 404
        return Reply(reply.asked, 404, MISSING) if is_refusal else reply


@mutant("faults.answers-are-checked", "load answers None to the status 401")
class TakesARefusalForNothing(PlatformStore):
    """Answers None to whatever it is refused."""

    connection_kind: ClassVar[type[Connection]] = AnyRefusal


class AnyRefusalOfAnUpdate(Changed):
    def changed(self, method: str, reply: Reply) -> Reply:
        is_refusal = method == "PATCH" and reply.status in {429, 503}
        return Reply(reply.asked, 404, MISSING) if is_refusal else reply


@mutant("faults.answers-are-checked", "update answers False to the status 429")
class TakesTooManyForFalse(PlatformStore):
    """Answers False when there were too many requests."""

    connection_kind: ClassVar[type[Connection]] = AnyRefusalOfAnUpdate


@mutant("faults.answers-are-checked", "update answers True to a body that is no JSON")
class TakesAnySuccessForTrue(PlatformStore):
    """Does not read the answer to an update."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if not cost_data:
            return await super().update(session_id, cost_data=cost_data)
        seen: list[Reply] = []
        async with self.watching(seen):
            try:
                return await super().update(session_id, cost_data=cost_data)
            except StoreUnavailableError:
                if seen and seen[-1].status == 200:
                    return True
                raise

    @asynccontextmanager
    async def watching(self, seen: list[Reply]) -> AsyncIterator[None]:
        ask = self._connection.ask

        async def watched(*arguments: Any, **keywords: Any) -> Reply:
            reply = await ask(*arguments, **keywords)
            seen.append(reply)
            return reply

        self._connection.ask = watched  # type: ignore[method-assign]
        try:
            yield
        finally:
            self._connection.ask = ask  # type: ignore[method-assign]


@mutant("faults.answers-are-checked", "load answers [] to a body without its members")
class TakesNoMessagesForNone(Trusting):
    """Has a default for what is missing in an answer."""

    def messages_of(self, reply: Reply) -> list[Json]:
        try:
            return super().messages_of(reply)
        except StoreUnavailableError:
            if reply.status == 200 and reply.body == b"{}":
                return []
            raise


@mutant(
    "faults.answers-are-checked",
    "load answers [{'role': 'user', 'content': 'one'}",
)
class AsksNotWhose(Trusting):
    """Does not look at the id in the answer."""


@mutant("faults.answers-are-checked", "delete_before answers 0 to the status 301")
class TakesARefusalForNothingToRemove(PlatformStore):
    """Has 0 for whatever it is answered that is no number."""

    async def delete_before(self, cutoff: datetime) -> int:
        try:
            return await super().delete_before(cutoff)
        except (NotImplementedError, StoreUnavailableError) as error:
            if " answered " in str(error):
                return 0
            raise


class NoMembers(Changed):
    def changed(self, method: str, reply: Reply) -> Reply:
        is_empty = method == "DELETE" and reply.body == b"{}"
        return Reply(reply.asked, 200, b'{"deleted": 0}') if is_empty else reply


@mutant("faults.answers-are-checked", "delete_before answers 0 to a body without its members")
class TakesNoNumberForNone(PlatformStore):
    """Has a default for the number of sessions that were removed."""

    connection_kind: ClassVar[type[Connection]] = NoMembers


class AnyStatus(Changed):
    def changed(self, method: str, reply: Reply) -> Reply:
        is_of_session = method in {"GET", "PATCH"} and b'"session_id"' in reply.body
        return Reply(reply.asked, 200, reply.body) if is_of_session else reply


@mutant("faults.answers-are-checked", "load answers [{'role': 'user', 'content': 'one'}")
class GoesByTheBodyAlone(PlatformStore):
    """Does not look at the status of an answer whose body has all members."""

    connection_kind: ClassVar[type[Connection]] = AnyStatus


class AnyStatusOfASave(Changed):
    def changed(self, method: str, reply: Reply) -> Reply:
        is_saved = method == "PUT" and b'"session_id"' in reply.body
        return Reply(reply.asked, 200, reply.body) if is_saved else reply


@mutant(
    "faults.answers-are-checked",
    "save answers None to the status 401 with the body of a success",
)
class GoesByTheBodyOfASave(PlatformStore):
    """Looks for the id in the answer to a save, and not at its status."""

    connection_kind: ClassVar[type[Connection]] = AnyStatusOfASave


@mutant(
    "faults.answers-are-checked",
    "get_cost_data raises NotImplementedError to the status 503",
)
class TakesAFailureForAnOlderPlatform(PlatformStore):
    """Says for good that cost data can't be read, when the platform restarts."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        try:
            return await super().get_cost_data(session_id)
        except StoreUnavailableError as error:
            if " answered 50" in str(error):
                raise NotImplementedError("the platform has no cost data") from None
            raise
