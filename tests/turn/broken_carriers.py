"""Accumulators that lose turns, or count them twice, where a store fails."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any

from sessionstore_contract.turn.script import Usage
from sessionstore_contract.turn.system import Figures

from .accumulators import NO_TOTALS, FromMemory, Plain, asked, log
from .defect import mutant

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json


@mutant(
    "failed-read-never-lowers-totals",
    "a read that raises costs all that was counted before",
)
class TakesAFailedReadForNothing(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except NotImplementedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)
            return dict(NO_TOTALS)


@mutant("failed-read-never-lowers-totals", "a read that answers None costs all")
class TakesNoneForNothing(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        if await asked(self.store.get_cost_data(session)) is None:
            return dict(NO_TOTALS)
        return await super().read(session)


@mutant("failed-read-never-lowers-totals", "a read that raises costs the turn")
class DropsTheTurnWhenReadingFails(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except NotImplementedError:
            raise
        except Exception:
            self.waiting[session].clear()
            raise


@mutant("failed-read-never-lowers-totals", "after a read that raises nothing is counted")
class GivesUpAfterAFailedRead(Plain):
    is_broken = False

    async def read(self, session: str) -> dict[str, Json]:
        if self.is_broken:
            raise ValueError("gave up")
        try:
            return await super().read(session)
        except RuntimeError as error:
            self.is_broken = not isinstance(error, NotImplementedError)
            raise


@mutant("failed-write-is-counted-later", "a write that raises costs the turn")
class DropsTheTurnWhenWritingFails(Plain):
    async def write(self, session: str, totals: dict[str, Json]) -> None:
        try:
            await super().write(session, totals)
        except RuntimeError as error:
            self.fail(error)


@mutant(
    "failed-write-is-counted-later",
    "after a write that raises nothing is counted",
    also=("uncertain-write-counts-once",),
)
class GivesUpAfterAFailedWrite(Plain):
    is_broken = False

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        if self.is_broken:
            raise ValueError("gave up")
        try:
            await super().write(session, totals)
        except RuntimeError:
            self.is_broken = True
            raise


@mutant("uncertain-write-counts-once", "a turn whose answer was lost is counted twice")
class WritesTheIdsAfterwards(Plain):
    """Two updates: between them the answer is lost."""

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        sums = {name: value for name, value in totals.items() if name != "ids"}
        if self.name is not None:
            await super().write(session, totals)
            return
        await super().write(session, sums)
        await super().write(session, {"ids": totals["ids"]})


@mutant("write-only-store-gets-the-delta", "nothing is written to a store that can't be read")
class WritesNothingUnread(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except NotImplementedError as error:
            raise ValueError("can't be read") from error


@mutant("write-only-store-gets-the-delta", "sums are written to a store that can't be read")
class SumsUpUnread(Plain):
    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.last: dict[str, Json] = dict(NO_TOTALS)

    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except NotImplementedError:
            return self.last

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        self.last = totals
        await super().write(session, totals)


@mutant(
    "write-only-store-gets-the-delta",
    "only the first turn is written to a store that can't be read",
)
class WritesOnceUnread(Plain):
    is_written = False

    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except NotImplementedError:
            if self.is_written:
                self.waiting[session].clear()
                raise ValueError("was written before") from None
            self.is_written = True
            raise


@mutant("write-only-store-gets-the-delta", "recording raises while cost data can't be read")
class RaisesUnread(Plain):
    async def record(self, session: str, turn: Figures) -> None:
        await super().record(session, turn)
        if self.is_unread:
            raise NotImplementedError

    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except NotImplementedError:
            self.is_unread = True
            raise

    is_unread = False


@mutant(
    "store-fault-never-breaks-the-answer",
    "recording raises while get_cost_data raises ConnectionResetError",
)
class CatchesFewErrors(Plain):
    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        try:
            async with asyncio.timeout(self.patience()), self.lock(session):
                await self.flush(session)
        except (RuntimeError, TimeoutError, TypeError, ValueError, LookupError) as error:
            self.fail(error)


@mutant(
    "store-fault-never-breaks-the-answer",
    "recording raises while get_cost_data raises CancelledError",
)
class LetsCancellationOut(Plain):
    """Takes a call of the store that was cancelled from within for its own end."""

    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        try:
            async with asyncio.timeout(self.patience()), self.lock(session):
                await self.flush(session)
        except ConnectionAbortedError as error:
            raise asyncio.CancelledError from error
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)


@mutant(
    "failed-read-never-lowers-totals",
    "a read that raises ConnectionResetError costs all that was counted before",
)
class TakesALostConnectionForNothing(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except ConnectionError:
            log.warning("the totals could not be read")
            return dict(NO_TOTALS)


@mutant(
    "failed-read-never-lowers-totals",
    "a read that raises KeyError costs all that was counted before",
)
class TakesAMissingKeyForNothing(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except KeyError:
            log.warning("no totals")
            return dict(NO_TOTALS)


@mutant(
    "failed-read-never-lowers-totals",
    "a read that raises CancelledError costs the turn",
    also=("failed-write-is-counted-later",),
)
class DropsWhatWasCancelled(Plain):
    def fail(self, error: Exception) -> None:
        super().fail(error)
        if isinstance(error, ConnectionAbortedError):
            for waiting in self.waiting.values():
                waiting.clear()


@mutant(
    "failed-write-is-counted-later",
    "a write that raises ConnectionResetError costs the turn",
)
class DropsTheTurnWithTheConnection(Plain):
    async def write(self, session: str, totals: dict[str, Json]) -> None:
        try:
            await super().write(session, totals)
        except ConnectionResetError as error:
            self.fail(error)


@mutant("late-answer-costs-no-turn", "a read without an answer costs all that was counted before")
class TakesALateReadForNothing(Plain):
    def patience(self) -> float:
        return 4 * super().patience()  # longer than for one call

    async def read(self, session: str) -> dict[str, Json]:
        reading = asyncio.ensure_future(super().read(session))
        await asyncio.wait({reading}, timeout=super().patience())
        if reading.done():
            return reading.result()
        reading.cancel()
        log.warning("the totals could not be read in time")
        return dict(NO_TOTALS)


@mutant("late-answer-costs-no-turn", "get_cost_data without an answer costs the turn")
class DropsWhatTakesTooLong(Plain):
    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        try:
            async with asyncio.timeout(self.patience()) as bound, self.lock(session):
                await self.flush(session)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)
            if bound.expired():
                self.waiting[session].clear()


@mutant("late-answer-costs-no-turn", "a write that comes late takes the turns after it away")
class LeavesAWriteBehind(Plain):
    """What is given up goes on in its task, and is made after what was written since."""

    def patience(self) -> float:
        return 4 * super().patience()  # longer than for one call

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        writing = asyncio.ensure_future(super().write(session, totals))
        await asyncio.wait_for(asyncio.shield(writing), super().patience())


@mutant("late-answer-costs-no-turn", "a turn that was given up is counted twice")
class KeepsWhatItGaveUp(FromMemory):
    """The turn is in the sums, and waits still."""

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        try:
            await super().write(session, totals)
        except asyncio.CancelledError:
            self.sums[session] = {**totals, "ids": []}
            raise


class _WaitsBriefly(Plain):
    """The other session waits as long, and longer.

    Who has given up before all are waiting is taken for one that does not wait: on a busy machine
    they are some tenths of a second about it.
    """

    def patience(self) -> float:
        return 0.7


@mutant("slow-store-holds-up-only-its-session", "chats of other sessions wait for the store of one")
class AFewPlaces(_WaitsBriefly):
    """Eight turns of one session take all of them."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.places = asyncio.Semaphore(8)

    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        try:
            async with asyncio.timeout(self.patience()), self.places, self.lock(session):
                await self.flush(session)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)


@mutant("slow-store-holds-up-only-its-session", "chats of other sessions wait for the store of one")
class AFewLocks(_WaitsBriefly):
    """Some sessions share the lock of the one that waits."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.few = [asyncio.Lock() for _ in range(16)]

    def lock(self, session: str) -> Any:
        return self.few[zlib.crc32(session.encode()) % len(self.few)]


@mutant("bad-figures-are-not-added", "a negative figure is added")
class ChecksTheSumOfFigures(Plain):
    def checked(self, turn: Figures) -> Figures:
        try:
            whole = turn.usage.input_tokens + turn.usage.output_tokens
            if 0 <= whole < float("inf"):
                return turn
        except TypeError:
            pass
        log.warning("the figures of a turn are not added")
        return Figures(turn.id, turn.model, Usage(0, 0, 0))

    def is_sum(self, value: Any) -> bool:
        return type(value) is int


@mutant("bad-figures-are-not-added", "a negative figure is added")
class ChecksTheInputAlone(Plain):
    def checked(self, turn: Figures) -> Figures:
        usage = turn.usage
        if super().is_sum(usage.input_tokens):
            return turn
        log.warning("input_tokens is not added")
        return Figures(turn.id, turn.model, Usage(0, usage.output_tokens, usage.cached_tokens))

    def is_sum(self, value: Any) -> bool:
        return type(value) is int
