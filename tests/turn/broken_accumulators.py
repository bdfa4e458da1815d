"""Accumulators with one defect each."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from sessionstore_contract.turn.system import Figures

from .accumulators import NO_TOTALS, SUMS, FromMemory, InARow, Plain, asked
from .defect import mutant

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

ALWAYS = (
    "failed-read-never-lowers-totals",
    "failed-write-is-counted-later",
    "late-answer-costs-no-turn",
    "concurrent-turns-all-count",
    "concurrent-servers-all-count",
    "recorded-twice-counts-once",
    "uncertain-write-counts-once",
    "bad-figures-are-not-added",
)
"""What adds up several turns."""

ALONE = ("first-turns-at-once", "write-only-store-gets-the-delta")
"""What looks at the figures of one turn."""


@mutant("usage-is-accumulated", "nothing is counted", also=(*ALWAYS, *ALONE))
class CountsNothing(Plain):
    async def write(self, session: str, totals: dict[str, Json]) -> None:
        pass


@mutant(
    "usage-is-accumulated",
    "each turn replaces the totals",
    also=(*ALWAYS, "first-turns-at-once"),
)
class ReplacesTheTotals(Plain):
    def add(self, totals: dict[str, Json], turn: Figures) -> dict[str, Json]:
        return {**super().add(NO_TOTALS, turn), "ids": [*totals["ids"], turn.id]}


@mutant(
    "usage-is-accumulated",
    "the figures of each turn replace the sums",
    also=(*ALWAYS, "first-turns-at-once"),
)
class ReplacesTheSums(Plain):
    def add(self, totals: dict[str, Json], turn: Figures) -> dict[str, Json]:
        return super().add({**totals, **dict.fromkeys(SUMS, 0)}, turn)


@mutant("usage-is-accumulated", "the model is that of the first turn")
class KeepsTheFirstModel(Plain):
    def add(self, totals: dict[str, Json], turn: Figures) -> dict[str, Json]:
        return {**super().add(totals, turn), "model": totals.get("model", turn.model)}


@mutant("usage-is-accumulated", "each turn is counted twice", also=(*ALWAYS, *ALONE))
class CountsTwice(Plain):
    def add(self, totals: dict[str, Json], turn: Figures) -> dict[str, Json]:
        return super().add(super().add(totals, turn), turn)


@mutant("usage-is-accumulated", "the last turn is not counted", also=(*ALWAYS, *ALONE))
class WritesWithTheNextTurn(Plain):
    """Writes the turns before this one, and has no end."""

    async def flush(self, session: str) -> None:
        last = self.waiting[session].pop()
        await super().flush(session)
        self.waiting[session].append(last)

    async def drain(self) -> None:
        pass


@mutant(
    "usage-is-accumulated",
    "cached tokens are added to the input",
    also=(*ALWAYS, "first-turns-at-once"),
)
class AddsCachedToInput(Plain):
    def add(self, totals: dict[str, Json], turn: Figures) -> dict[str, Json]:
        added = super().add(totals, turn)
        return {**added, "input_tokens": added["input_tokens"] + turn.usage.cached_tokens}


@mutant("usage-is-accumulated", "cached tokens are not counted")
class CountsNoCachedTokens(Plain):
    """Its metrics have no such figure, its totals do."""

    def add(self, totals: dict[str, Json], turn: Figures) -> dict[str, Json]:
        return {**super().add(totals, turn), "cached_tokens": 0}


@mutant("other-keys-stand", "the accumulator writes back what it read of others")
class WritesBackWhatItRead(Plain):
    async def write(self, session: str, totals: dict[str, Json]) -> None:
        await super().write(session, {**self.rest, **totals} if self.name is None else totals)

    async def read(self, session: str) -> dict[str, Json]:
        cost_data = await asked(self.store.get_cost_data(session))
        self.rest = cost_data if isinstance(cost_data, dict) else {}
        return await self.read_again(cost_data, session)

    async def read_again(self, cost_data: Json, session: str) -> dict[str, Json]:
        class Once:
            async def get_cost_data(self, _: str) -> Json:
                return cost_data

        reader = Plain(Once(), self.name)
        return await reader.read(session)

    rest: dict[str, Json] = {}  # noqa: RUF012 - replaced, never changed


@mutant("other-keys-stand", "the accumulator removes the keys of others")
class RemovesOtherKeys(Plain):
    async def write(self, session: str, totals: dict[str, Json]) -> None:
        await super().write(session, totals)
        kept = self.store._sessions[session].cost_data
        for key in set(kept) - set(totals) if self.name is None else ():
            del kept[key]


@mutant(
    "recorded-twice-counts-once",
    "a turn that is recorded twice is counted twice",
    also=("uncertain-write-counts-once",),
)
class KnowsNoIds(Plain):
    def is_known(self, turn: Figures, ids: list[Json], new: list[Figures]) -> bool:
        return False


@mutant(
    "recorded-twice-counts-once",
    "one turn keeps another from being counted",
    also=(
        "failed-read-never-lowers-totals",
        "failed-write-is-counted-later",
        "late-answer-costs-no-turn",
        "concurrent-turns-all-count",
        "uncertain-write-counts-once",
        "first-turns-at-once",
    ),
)
class KnowsOneTurn(Plain):
    def is_known(self, turn: Figures, ids: list[Json], new: list[Figures]) -> bool:
        return bool(ids or new)


@mutant(
    "recorded-twice-counts-once",
    "a restart forgets which turns are counted",
    also=("uncertain-write-counts-once",),
)
class KnowsIdsInMemory(Plain):
    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.written: set[str] = set()

    def is_known(self, turn: Figures, ids: list[Json], new: list[Figures]) -> bool:
        return super().is_known(turn, list(self.written), new)

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        await super().write(session, totals)
        self.written.update(totals["ids"])


@mutant("bad-figures-are-not-added", "a negative figure is added")
class AddsNegativeFigures(Plain):
    def is_sum(self, value: Any) -> bool:
        return type(value) is int


@mutant("bad-figures-are-not-added", "a text keeps later turns from being counted")
class ChokesOnTexts(Plain):
    def checked(self, turn: Figures) -> Figures:
        return turn if isinstance(turn.usage.input_tokens, str) else super().checked(turn)


@mutant("bad-figures-are-not-added", "a negative figure is not logged")
class LeavesOutInSilence(Plain):
    def checked(self, turn: Figures) -> Figures:
        good = [max(one, 0) if self.is_finite(one) else 0 for one in turn.usage.fields().values()]
        return Figures(turn.id, turn.model, type(turn.usage)(*good))

    def is_finite(self, value: Any) -> bool:
        return type(value) is int


@mutant("store-fault-never-breaks-the-answer", "recording raises while get_cost_data raises")
class LetsFailuresOut(Plain):
    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        async with self.lock(session):
            try:
                async with asyncio.timeout(self.patience()):
                    await self.flush(session)
            except (TypeError, ValueError, TimeoutError) as error:
                self.fail(error)
            except RuntimeError as error:
                self.fail(error)
                # The failure of an operation, not of what it answered.
                raise


@mutant(
    "store-fault-never-breaks-the-answer",
    "recording raises while every operation answers {'input_tokens': 'many'",
)
class AddsToTexts(Plain):
    """Trusts what is stored."""

    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        async with self.lock(session):
            try:
                async with asyncio.timeout(self.patience()):
                    await self.flush(session)
            except ValueError as error:
                raise TypeError("can only concatenate str") from error
            except Exception as error:  # noqa: BLE001 - whatever a store raises
                self.fail(error)


@mutant(
    "store-fault-never-breaks-the-answer",
    "a turn is not over in time while the store does not answer",
    bound=1.0,
)
class WaitsForTheStore(Plain):
    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        try:
            async with self.lock(session):
                await self.flush(session)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)


@mutant("store-fault-never-breaks-the-answer", "nothing is logged while get_cost_data raises")
class FailsInSilence(Plain):
    def fail(self, error: Exception) -> None:
        pass


@mutant("slow-store-holds-up-only-its-session", "chats of other sessions wait for the store of one")
class OneLockForAll(Plain):
    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.one = asyncio.Lock()

    def patience(self) -> float:
        return 0.3  # the other session waits as long, and longer

    def lock(self, session: str) -> Any:
        return self.one


@mutant(
    "concurrent-turns-all-count",
    "of 10 turns at once ",
    also=("concurrent-servers-all-count", "first-turns-at-once"),
)
class NoLock(Plain):
    """Each turn reads, adds and writes by itself."""

    async def record(self, session: str, turn: Figures) -> None:
        apart = Plain(self.store, self.name)
        apart.waiting[session] = [*self.waiting.pop(session, []), self.checked(turn)]
        try:
            async with asyncio.timeout(self.patience()):
                await apart.flush(session)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)
        self.waiting[session] += apart.waiting[session]

    def lock(self, session: str) -> Any:
        return nullcontext()


class AddsInMemory(FromMemory):
    """Reads once, and adds in memory; each turn has the sums of then written, by itself."""

    async def record(self, session: str, turn: Figures) -> None:
        batch = [*self.waiting.pop(session, []), self.checked(turn)]
        try:
            async with asyncio.timeout(self.patience()):
                await self.add_all(session, batch)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)

    async def add_all(self, session: str, batch: list[Figures]) -> None:
        try:
            known = await self.read(session)
        except NotImplementedError:
            for turn in batch:
                await self.write(session, self.add(NO_TOTALS, turn))
            return
        except BaseException:
            self.waiting[session] = [*batch, *self.waiting[session]]
            raise
        # From here to the write nobody comes in between.
        for turn in batch:
            known = known if self.is_known(turn, known["ids"], []) else self.add(known, turn)
        self.sums[session] = known
        await self.write(session, known)

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        # What fails is in the sums, and is written with the next turn.
        await Plain.write(self, session, totals)

    async def drain(self) -> None:
        pass


@mutant(
    "concurrent-turns-all-count",
    "of 10 turns at once, whose updates overtake each other, ",
    also=("deleted-totals-stay-deleted",),
)
class WritesSideBySide(AddsInMemory):
    """Of two writes that are under way at once the older one may be the last to be made."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.reading: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read(self, session: str) -> dict[str, Json]:
        async with self.reading[session]:
            return await super().read(session)


@mutant(
    "concurrent-turns-all-count",
    "of 10 turns at once, whose reads overtake each other, ",
    also=("concurrent-servers-all-count", "deleted-totals-stay-deleted", "first-turns-at-once"),
)
class ReadsSideBySide(AddsInMemory):
    """A read that is answered late takes away what was added since another one."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.writing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        async with self.writing[session]:
            await super().write(session, totals)


@mutant("deleted-totals-stay-deleted", "the totals of a session that was deleted come back")
class NeverForgets(FromMemory):
    """Reads once, and has the sums in memory for as long as it lives."""

    def forget(self, session: str) -> None:
        pass


@mutant("concurrent-servers-all-count", "of 12 turns on 3 servers ")
class OneKeyForAllServers(Plain):
    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, None)


@mutant(
    "first-turns-at-once", "a first turn is not counted", also=("concurrent-servers-all-count",)
)
class MakesItsLocksLate(Plain):
    """What all share is made on first use; whoever comes meanwhile is lost."""

    is_begun = False
    is_ready = False

    async def record(self, session: str, turn: Figures) -> None:
        if self.is_begun and not self.is_ready:
            return
        self.is_begun = True
        await asyncio.sleep(0)
        self.is_ready = True
        await super().record(session, turn)


@mutant(
    "first-turns-at-once",
    "first turns at once: turn raised RuntimeError",
    also=("concurrent-servers-all-count",),
)
class RefusesASecondFirstUse(Plain):
    is_begun = False
    is_ready = False

    async def record(self, session: str, turn: Figures) -> None:
        if self.is_begun and not self.is_ready:
            raise RuntimeError("is being set up")
        self.is_begun = True
        await asyncio.sleep(0)
        self.is_ready = True
        await super().record(session, turn)


@mutant("totals-are-the-sum-of-turns", "fewer ")
class LosesTurnsOfOtherSessions(Plain):
    """A failure of one session clears what waits for another."""

    def fail(self, error: Exception) -> None:
        super().fail(error)
        for session in list(self.waiting)[:-1]:
            self.waiting[session].clear()


@mutant("totals-are-the-sum-of-turns", "more ")
class WritesOneBatchTwice(Plain):
    """Adds what has waited once more when it is written at last with others at the same time."""

    def add(self, totals: dict[str, Json], turn: Figures) -> dict[str, Json]:
        added = super().add(totals, turn)
        if self.failures and len(self.waiting) > 1:
            self.failures = 0
            return super().add(added, turn)
        return added

    def fail(self, error: Exception) -> None:
        super().fail(error)
        self.failures += 1

    failures = 0


@mutant(
    "usage-is-accumulated",
    "the last turn is not counted",
    also=(
        "failed-read-never-lowers-totals",
        "failed-write-is-counted-later",
        "recorded-twice-counts-once",
        "uncertain-write-counts-once",
        "concurrent-turns-all-count",
        "deleted-totals-stay-deleted",
        "bad-figures-are-not-added",
    ),
)
class NobodyWaitsForTheBackground(InARow):
    """The task of the last turns dies with the process."""

    async def drain(self) -> None:
        for task in self.tasks.values():
            task.cancel()
