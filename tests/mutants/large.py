"""Stores that are right as long as little is in a session."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from .correct import DictStore, FileStore, Row, RowsStore, encode, now
from .defect import mutant
from .durability import Rewriting

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

Costs = dict[str, Any]

LARGE = 65_536
MANY_KEYS = "cost.many-keys-and-large-values"
LONG = "messages.long-histories"
HALF = "cancelled at its await point 1 has had half of its effect"


@mutant(LONG, "load answers [{'role': 'user', 'content': '0123456789abcdef0123")
class DecodesPiecesApart(DictStore):
    """Keeps texts in pieces of 64 KiB, and decodes each for itself."""

    async def load(self, session_id: str) -> list[Json] | None:
        row = self.row(session_id)
        if row is None:
            return None
        encoded = row.messages.encode()
        starts = range(0, len(encoded), LARGE)
        pieces = [encoded[start : start + LARGE].decode(errors="replace") for start in starts]
        return json.loads("".join(pieces))  # type: ignore[no-any-return]


class Updating(DictStore):
    """Does something to a long history in an update: a start for defects."""

    def change(self, session_id: str) -> None:
        raise NotImplementedError

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data and len(self.rows[session_id].messages) > LARGE:
            self.change(session_id)
        return found


@mutant(LONG, "update empties a long history")
class UpdateEmptiesALongHistory(Updating):
    """Writes the row back through a buffer, in which a long history has no room."""

    def change(self, session_id: str) -> None:
        self.rows[session_id].messages = "[]"


@mutant(LONG, "update loses a long history")
class UpdateLosesALongHistory(Updating):
    """Moves a row that is too long to a page of its own, which nobody finds."""

    def change(self, session_id: str) -> None:
        del self.rows[session_id]


class WritingInPlace(DictStore):
    """Writes over cost data where they are beside a long history: a start for defects."""

    def write_over(self, row: Row, costs: str, active: str) -> None:
        raise NotImplementedError

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        row = self.row(session_id)
        before = None if row is None else Row(row.messages, row.costs, row.active)
        found = await super().update(session_id, cost_data=cost_data)
        if row and before and len(row.messages) > LARGE and len(row.costs) == len(before.costs):
            costs, active = row.costs, row.active
            row.costs, row.active = before.costs, before.active
            self.write_over(row, costs, active)
        return found


@mutant(LONG, "a later update beside a long history is lost")
class WritesTheTimeAlone(WritingInPlace):
    """Writes over the time, and leaves the cost data of the same length as they were."""

    def write_over(self, row: Row, costs: str, active: str) -> None:
        row.active = active


@mutant(
    "retention.survivors-are-whole",
    "an update beside a long history does not count as activity",
)
class WritesTheCostsAlone(WritingInPlace):
    """Writes over the cost data, and leaves the time as it was."""

    def write_over(self, row: Row, costs: str, active: str) -> None:
        row.costs = costs


@mutant(MANY_KEYS, "get_cost_data answers {'key 0': 0")
class SaveKeepsAHundredKeys(DictStore):
    """Carries cost data over to the row that it writes, as far as a page of them goes."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        row = self.rows[session_id]
        row.costs = json.dumps(dict([*json.loads(row.costs).items()][:100]))


@mutant(MANY_KEYS, "get_cost_data answers {'key ")
class AnUpdateKeepsTheLatestKeys(DictStore):
    """Tidies up after an update of few keys, and keeps the 500 that were written last."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        together = {**old, **new}
        return dict([*together.items()][-500:]) if len(new) < 100 else together


@mutant(MANY_KEYS, "an update takes a large value away")
class AnUpdateStartsAnew(DictStore):
    """Reads cost data back with a limit, and takes what is past it for nothing."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return new if any(len(str(value)) > LARGE for value in old.values()) else {**old, **new}


class Counting(DictStore):
    """Counts the writes of each session: a start for defects of long chats."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.writes: Counter[str] = Counter()

    def counted(self, session_id: str) -> int:
        self.writes[session_id] += 1
        return self.writes[session_id]


@mutant("cost.merge-is-shallow", "after many updates other keys are gone", effort="normal")
class StartsAnewAtEverySnapshot(Counting):
    """Keeps updates one after the other, folds them after 50, and forgets all others."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        row = self.row(session_id)
        if row is not None and cost_data and self.counted(session_id) % 50 == 0:
            row.costs = "{}"
        return await super().update(session_id, cost_data=cost_data)


@mutant("cost.merge-is-shallow", "get_cost_data answers {'turns': 45", effort="normal")
class NumbersUpdatesInFewBits(Counting):
    """Takes an update for one that came late when its number is smaller than the last one."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        is_late = self.counted(session_id) > 49
        return await super().update(session_id, cost_data={} if is_late else cost_data)


@mutant(
    "messages.save-replaces-the-history",
    "load answers [{'role': 'user', 'content': 'one'}, {'turn'",
)
class NumbersSavesInFewBits(Counting):
    """Takes a save for one that came late when its number is smaller than the last one."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if self.counted(session_id) < 12:
            await super().save(session_id, messages)
        else:
            encode(messages, list)


@mutant(
    "durability.reopening-finds-everything",
    "a new instance does not find a session with a long text",
)
class CloseRemovesTheLarge(Rewriting):
    """Makes the place smaller at close."""

    async def close(self) -> None:
        await super().close()
        for path in self.folder.glob("*.json"):
            if path.stat().st_size > LARGE:
                path.unlink()


@mutant(
    "durability.reopening-finds-everything",
    "load answers [{'content': '01230123",
)
class CloseCutsTheLong(Rewriting):
    """Moves long texts into a column of 64 KiB at close."""

    def rewritten(self, row: Row) -> Row:
        messages = json.loads(row.messages)
        for one in messages:
            if isinstance(one.get("content"), str):
                one["content"] = one["content"][:LARGE]
        return Row(json.dumps(messages), row.costs, row.active)


@mutant("concurrency.disjoint-updates-all-survive", "1 of 20 updates at once stand")
class MergesLargeCostsLater(DictStore):
    """Unpacks large cost data elsewhere, and reads what is there before that."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        row = self.row(session_id)
        if row is None or len(row.costs) < LARGE:
            return await super().update(session_id, cost_data=cost_data)
        new, old = json.loads(encode(cost_data or {}, dict)), json.loads(row.costs)
        await asyncio.sleep(0)
        row.costs, row.active = json.dumps({**old, **new}), now()
        return session_id in self.rows


@mutant(
    "concurrency.saves-leave-one-whole-history",
    "saves at once leave a history that nobody",
    also={"cancellation.is-all-or-nothing": "save of 2,100 messages cancelled at its await point "},
)
class WritesLongHistoriesInPieces(DictStore):
    """Writes the first half of a long history, and then the whole."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if len(encode(messages, list)) > LARGE and len(messages) > 1:
            await super().save(session_id, messages[: len(messages) // 2])
            await asyncio.sleep(0)
        await super().save(session_id, messages)


@mutant("concurrency.updates-are-atomic", "a reader sees a part of an update")
class WritesKeysInBatches(FileStore):
    """Writes 500 keys at a time, in a transaction each."""

    # Who reads meanwhile comes in between the batches for certain, on a slow machine as well.
    halves: ClassVar[dict[str, asyncio.Event]] = {}

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        encode(cost_data or {}, dict)
        cells = [*(cost_data or {}).items()]
        batches = [dict(cells[start : start + 500]) for start in range(0, len(cells), 500)] or [{}]
        half = self.halves.setdefault(session_id, asyncio.Event())
        half.clear()
        try:
            for batch in batches[:-1]:
                await super().update(session_id, cost_data=batch)
                half.set()
                await asyncio.sleep(0.02)
            return await super().update(session_id, cost_data=batches[-1])
        finally:
            half.set()

    async def get_cost_data(self, session_id: str) -> Costs:
        await asyncio.sleep(0.01)
        if session_id in self.halves:
            await self.halves[session_id].wait()
        return await super().get_cost_data(session_id)


BATCH = 500
"""Messages that are written at a time."""


def batches(messages: list[Json]) -> list[list[Json]]:
    """Answer what is there after each batch."""
    return [messages[: end + BATCH] for end in range(0, max(len(messages), 1), BATCH)]


@mutant(
    "concurrency.saves-leave-one-whole-history",
    "saves at once leave a history that nobody",
    also={"cancellation.is-all-or-nothing": "save of 2,100 messages cancelled at its await point "},
)
class SavesInBatches(DictStore):
    """Writes 500 messages at a time, each time in a transaction of its own."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        *first, whole = batches(messages)
        for part in first:
            await super().save(session_id, part)
            await asyncio.sleep(0)
        await super().save(session_id, whole)


@mutant(
    "cancellation.is-all-or-nothing",
    "save of 2,100 messages cancelled at its await point 2 has had",
)
class LocksOthersOutOfItsBatches(SavesInBatches):
    """Writes in batches under a lock, that who loads waits for as well."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.turn = asyncio.Lock()

    async def load(self, session_id: str) -> list[Json] | None:
        async with self.turn:
            return await super().load(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        async with self.turn:
            await super().save(session_id, messages)


@mutant(
    "durability.acknowledged-survives-kill",
    "a long save under way is half done when its process is killed",
    adding=("multi-process",),
)
class CommitsEachBatch(RowsStore):
    """Commits after 500 messages each; nobody of the same process comes in between."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        for part in batches(messages):
            await super().save(session_id, part)
