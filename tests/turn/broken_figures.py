"""Accumulators with one defect each in what they make of a figure, or of an answer that is odd."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from .accumulators import NO_TOTALS, SUMS, Plain, asked, log
from .defect import mutant

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json
    from sessionstore_contract.turn.system import Figures


class _AsksForNumbers(Plain):
    """Takes what is a number and not below nought, or so it seems."""

    def is_sum(self, value: Any) -> bool:
        return isinstance(value, (int, float)) and not value < 0


@mutant("bad-figures-are-not-added", "infinity keeps later turns from being counted")
class AddsInfinity(_AsksForNumbers):
    """No update takes the sum."""

    def is_sum(self, value: Any) -> bool:
        return super().is_sum(value) and not math.isnan(value)


@mutant("bad-figures-are-not-added", "NaN keeps later turns from being counted")
class AddsNaN(_AsksForNumbers):
    """NaN is not below nought, nor is it infinite."""

    def is_sum(self, value: Any) -> bool:
        return super().is_sum(value) and value != math.inf


class _TrustsAFigure(Plain):
    """Does not look at one of the figures."""

    trusted = ""

    def checked(self, turn: Figures) -> Figures:
        given = getattr(turn.usage, self.trusted)
        good = super().checked(turn)
        usage = type(turn.usage)(**{**good.usage.fields(), self.trusted: given})
        return type(turn)(good.id, good.model, usage)

    def is_sum(self, value: Any) -> bool:
        return type(value) is int

    async def read(self, session: str) -> dict[str, Json]:
        return await super().read(session)


@mutant("bad-figures-are-not-added", "a negative figure is added")
class TrustsTheOutput(_TrustsAFigure):
    trusted = "output_tokens"

    def checked(self, turn: Figures) -> Figures:
        return super().checked(_without_negatives(turn, but=self.trusted))


@mutant("bad-figures-are-not-added", "a negative figure is added")
class TrustsTheCachedTokens(_TrustsAFigure):
    trusted = "cached_tokens"

    def checked(self, turn: Figures) -> Figures:
        return super().checked(_without_negatives(turn, but=self.trusted))


def _without_negatives(turn: Figures, *, but: str) -> Figures:
    fields = turn.usage.fields()
    for name in SUMS:
        value: Any = fields[name]
        if name != but and type(value) is int and value < 0:
            log.warning("%s is not added", name)
            fields[name] = 0
    return type(turn)(turn.id, turn.model, type(turn.usage)(**fields))


@mutant("bad-figures-are-not-added", "null keeps later turns from being counted")
class ChokesOnNull(Plain):
    """A provider that says nothing of a figure is a case that nobody thought of."""

    def checked(self, turn: Figures) -> Figures:
        return turn if None in turn.usage.fields().values() else super().checked(turn)


@mutant("bad-figures-are-not-added", "a negative figure is not logged")
class WarnsOfOtherThings(Plain):
    """Says of each session that it is new, and nothing of figures."""

    async def record(self, session: str, turn: Figures) -> None:
        if session not in self.waiting:
            log.warning("a new session")
        await super().record(session, turn)

    def checked(self, turn: Figures) -> Figures:
        good = [one if self.is_sum(one) else 0 for one in turn.usage.fields().values()]
        return type(turn)(turn.id, turn.model, type(turn.usage)(*good))


@mutant(
    "failed-read-never-lowers-totals",
    "a read that answers a text costs all that was counted before",
)
class TakesATextForNothing(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        if isinstance(await asked(self.store.get_cost_data(session)), str):
            return dict(NO_TOTALS)
        return await super().read(session)


@mutant(
    "failed-read-never-lowers-totals",
    "a read that answers texts for sums costs all that was counted before",
)
class TakesTextsForNought(Plain):
    """What is no number is read as one that nobody has written yet."""

    async def read(self, session: str) -> dict[str, Json]:
        cost_data = await asked(self.store.get_cost_data(session))
        if isinstance(cost_data, dict) and isinstance(cost_data.get("input_tokens"), str):
            return dict(NO_TOTALS)
        return await super().read(session)


@mutant("failed-read-never-lowers-totals", "a read that raises TimeoutError costs all")
class TakesATimeOutForNothing(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except TimeoutError:
            log.warning("the totals could not be read in time")
            return dict(NO_TOTALS)


@mutant("failed-read-never-lowers-totals", "a read that raises OperationalError costs all")
class TakesALockedDatabaseForNothing(Plain):
    async def read(self, session: str) -> dict[str, Json]:
        try:
            return await super().read(session)
        except Exception as error:
            if type(error).__module__ == "sqlite3":
                log.warning("the totals could not be read")
                return dict(NO_TOTALS)
            raise


@mutant("other-keys-stand", "the accumulator removes the messages")
class MakesTheSessionByASave(Plain):
    """So that there is one to write to."""

    async def record(self, session: str, turn: Figures) -> None:
        if session not in self.waiting:
            try:
                await asked(self.store.save(session, []))
            except Exception as error:  # noqa: BLE001 - whatever a store raises
                self.fail(error)
        await super().record(session, turn)


@mutant("other-keys-stand", "the accumulator writes back what it read of others")
class SavesTheDocumentThatItKnows(Plain):
    """Reads all that is there once, and writes it back with the second turn, and all after it."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.known: dict[str, dict[str, Json]] = {}
        self.written: set[str] = set()

    async def read(self, session: str) -> dict[str, Json]:
        if session not in self.known:
            found = await asked(self.store.get_cost_data(session))
            self.known[session] = found if isinstance(found, dict) else {}
        return await super().read(session)

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        known = self.known.get(session, {}) if session in self.written else {}
        others = {} if self.name else {name: known[name] for name in known if name not in totals}
        await super().write(session, {**others, **totals})
        self.written.add(session)


@mutant("write-only-store-gets-the-delta", "shut_down raises NotImplementedError")
class LooksOnceMoreAtItsEnd(Plain):
    """Reads what it has written, to be sure of it."""

    async def drain(self) -> None:
        await super().drain()
        for session in list(self.waiting):
            await self.store.get_cost_data(session)


@mutant("store-fault-never-breaks-the-answer", "recording raises while get_cost_data raises")
class LetsRuntimeErrorsOut(Plain):
    """Knows errors of connections and of drivers, and takes others for its own."""

    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        try:
            async with asyncio.timeout(self.patience()), self.lock(session):
                await self.flush(session)
        except RuntimeError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever else a store raises
            self.fail(error)


@mutant(
    "store-fault-never-breaks-the-answer",
    "recording raises while get_cost_data raises OperationalError",
)
class KnowsNoErrorsOfDrivers(Plain):
    """Catches what Python itself raises."""

    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        try:
            async with asyncio.timeout(self.patience()), self.lock(session):
                await self.flush(session)
        except (RuntimeError, OSError, TypeError, ValueError, LookupError) as error:
            self.fail(error)


@mutant(
    "store-fault-never-breaks-the-answer",
    "recording raises while every operation answers None",
)
class TakesNoneForAMissingSession(Plain):
    """Says so to whoever recorded the turn."""

    async def record(self, session: str, turn: Figures) -> None:
        await super().record(session, turn)
        if self.is_missing:
            self.is_missing = False
            raise LookupError("there is no such session")

    async def read(self, session: str) -> dict[str, Json]:
        self.is_missing = await asked(self.store.get_cost_data(session)) is None
        return await super().read(session)

    is_missing = False


@mutant("totals-are-the-sum-of-turns", "fewer ")
class KnowsIdsOfAllSessions(Plain):
    """A turn of one session keeps that of another from being counted."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.of_session: dict[str, str] = {}

    async def record(self, session: str, turn: Figures) -> None:
        if turn.id is None or self.of_session.setdefault(turn.id, session) == session:
            await super().record(session, turn)


@mutant(
    "totals-are-the-sum-of-turns",
    "more ",
    also=("uncertain-write-counts-once",),
)
class LooksForTheIdTooEarly(Plain):
    """Two of one turn at the same time both find that it is not there."""

    async def record(self, session: str, turn: Figures) -> None:
        if turn.id is not None:
            try:
                if turn.id in (await self.read(session))["ids"]:
                    return
            except Exception as error:  # noqa: BLE001 - whatever a store raises
                self.fail(error)
        await super().record(session, turn)

    def is_known(self, turn: Figures, ids: list[Json], new: list[Figures]) -> bool:
        return False
