"""Stores that are right as long as one thing is done after the other."""

from __future__ import annotations

import asyncio
import json
import os
import time
import weakref
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from sessionstore_contract.interface import SessionExistsError
from sessionstore_contract.values import copy

from .correct import DictStore, FileStore, Row, RowsStore, encode, instant, now
from .defect import mutant

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Iterator, MutableMapping
    from datetime import datetime
    from pathlib import Path

    from sessionstore_contract.interface import Json


LOST = {"concurrency.save-and-update-keep-both": "saves and updates at once lose cost data"}
HALF = "cancelled at its await point 1 has had half of its effect"


@mutant("concurrency.disjoint-updates-all-survive", "1 of 20 updates at once stand", also=LOST)
class ReadsMergesAndWrites(DictStore):
    """Reads, merges and writes with an await between."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        old = await self.get_cost_data(session_id)
        await asyncio.sleep(0)
        if new and (row := self.row(session_id)):
            row.costs, row.active = json.dumps({**old, **new}), now()
        return session_id in self.rows


@mutant(
    "concurrency.disjoint-updates-all-survive",
    "updates at once: update raised RuntimeError: another operation in progress",
    is_everywhere=True,
)
class RefusesASecondUpdate(DictStore):
    """Has one connection, which takes one statement at a time."""

    is_busy = False

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if self.is_busy:
            raise RuntimeError("another operation in progress")
        self.is_busy = True
        await asyncio.sleep(0)
        self.is_busy = False
        return await super().update(session_id, cost_data=cost_data)


@mutant("concurrency.disjoint-updates-all-survive", "10 of 20 updates at once stand")
class DropsWhatComesTooFast(DictStore):
    """Has a queue of ten, and drops what does not fit while it says that it was stored."""

    under_way = 0

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if self.under_way >= 10:
            return session_id in self.rows
        self.under_way += 1
        await asyncio.sleep(0)
        self.under_way -= 1
        return await super().update(session_id, cost_data=cost_data)


class LocksByKey(DictStore):
    """Reads, merges and writes under a lock of the session: a start for defects."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.locks: dict[Any, asyncio.Lock] = {}

    def lock(self, session_id: str) -> asyncio.Lock:
        return self.locks.setdefault(session_id, asyncio.Lock())

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        async with self.lock(session_id):
            row = self.row(session_id)
            old = row and json.loads(row.costs)
            await asyncio.sleep(0)
            if row is None or self.rows.get(session_id) is not row:
                return False
            if new:
                row.costs, row.active = json.dumps({**(old or {}), **new}), now()
            return True


@mutant("concurrency.disjoint-updates-all-survive", "1 of 20 updates at once stand", also=LOST)
class LocksByIdentity(LocksByKey):
    """Takes the identity of the object for the text: each request brings its own."""

    def lock(self, session_id: str) -> asyncio.Lock:
        return self.locks.setdefault(id(session_id), asyncio.Lock())


@mutant("concurrency.disjoint-updates-all-survive", "10 of 20 updates at once stand")
class ForgetsLocksThatAreHeld(LocksByKey):
    """Has room for some locks, and throws away those that were asked for longest ago."""

    def lock(self, session_id: str) -> asyncio.Lock:
        found = self.locks.pop(session_id, None) or asyncio.Lock()
        self.locks[session_id] = found
        while len(self.locks) > 32:
            del self.locks[next(iter(self.locks))]
        return found


@mutant("concurrency.disjoint-updates-all-survive", "10 of 15 updates at once stand")
class ForgetsLocksAndRefusesTheLast(ForgetsLocksThatAreHeld):
    """Takes so many updates at once and no more: of those that it takes some are lost."""

    under_way = 0

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if self.under_way >= 75:
            raise RuntimeError("too many updates are waiting")
        self.under_way += 1
        try:
            return await super().update(session_id, cost_data=cost_data)
        finally:
            self.under_way -= 1


@mutant(
    "concurrency.disjoint-updates-survive-across-instances",
    "5 of 20 updates at once stand",
    also={
        "concurrency.save-and-update-keep-both": "saves and updates at once lose ",
        "concurrency.true-means-stored": "an update at once with a delete brings the session back",
    },
)
class LocksInTheInstance(FileStore):
    """Reads, merges and writes under a lock that the instance alone knows."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.lock = asyncio.Lock()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        async with self.lock:
            with self.locked():
                row = self.read(session_id)
            await asyncio.sleep(0)
            if row is None or not new:
                return row is not None
            row.costs, row.active = json.dumps({**json.loads(row.costs), **new}), now()
            with self.locked():
                self.write(session_id, row)
            return True


@mutant(
    "concurrency.disjoint-updates-survive-across-instances",
    "updates at once: update raised OperationalError: database is locked",
    is_everywhere=True,
)
class DoesNotWaitForTheLock(RowsStore):
    """Holds the write lock across an await, and waits for nobody else's."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.lock = asyncio.Lock()

    @contextmanager
    def rows(self, wait: float | None = 0) -> Iterator[sqlite3.Connection]:
        with super().rows(wait) as rows:
            yield rows

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if not cost_data:
            return await super().update(session_id, cost_data=cost_data)
        encode(cost_data, dict)
        async with self.lock:
            with self.rows() as rows:
                found = self.has(rows, session_id)
                await asyncio.sleep(0)
                if found:
                    self.merge(rows, session_id, cost_data)
                return found


PROCESS_COSTS: dict[tuple[str, str], dict[str, Json]] = {}


@mutant(
    "concurrency.disjoint-updates-survive-across-processes",
    "7 of 20 updates at once stand",
    adding=("multi-process",),
)
class RemembersTheCostsOfItsProcess(FileStore):
    """Merges into what its own process has written, once it has written anything."""

    def key(self, session_id: str) -> tuple[str, str]:
        return str(self.folder), session_id

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        with self.locked():
            row = self.read(session_id)
            if row is not None and new:
                own = PROCESS_COSTS.setdefault(self.key(session_id), json.loads(row.costs))
                own.update(new)
                row.costs, row.active = json.dumps(own), now()
                self.write(session_id, row)
        return row is not None

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        stored = await super().get_cost_data(session_id)
        own = PROCESS_COSTS.get(self.key(session_id), stored) if stored else {}
        return dict(json.loads(json.dumps(own)))

    def remove(self, session_id: str) -> None:
        PROCESS_COSTS.pop(self.key(session_id), None)
        super().remove(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        PROCESS_COSTS.clear()
        return await super().delete_before(cutoff)


@mutant(
    "concurrency.disjoint-updates-survive-across-processes",
    "updates at once: update raised RuntimeError: another process writes this session",
    adding=("multi-process",),
)
class OwnsItsSessions(FileStore):
    """Lets only the process that has written a session first update it."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        owner = self.path(session_id).with_suffix(".owner")
        if cost_data and self.path(session_id).exists():
            try:
                with owner.open("x") as file:
                    file.write(str(os.getpid()))
            except FileExistsError:
                if owner.read_text("utf-8") not in {"", str(os.getpid())}:
                    raise RuntimeError("another process writes this session") from None
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "concurrency.disjoint-updates-survive-across-processes",
    "7 of 20 updates at once stand",
    adding=("multi-process",),
)
class KeepsCostsByHash(FileStore):
    """Has a journal of updates for each `hash` of an id, which other interpreters do not find."""

    def journal(self, session_id: str) -> Path:
        return self.folder / f"{self.path(session_id).stem}-{hash(session_id)}"

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        with self.locked():
            row = self.read(session_id)
            if row is not None and new:
                costs = {**self.read_costs(session_id), **new}
                self.journal(session_id).write_text(json.dumps(costs))
                row.active = now()
                self.write(session_id, row)
        return row is not None

    def read_costs(self, session_id: str) -> dict[str, Json]:
        costs: dict[str, Json] = {}
        if self.journal(session_id).exists():
            costs = json.loads(self.journal(session_id).read_text())
        return costs

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        with self.locked():
            row = self.read(session_id)
            return {} if row is None else self.read_costs(session_id)

    def remove(self, session_id: str) -> None:
        super().remove(session_id)
        self.journal(session_id).unlink(missing_ok=True)


@mutant(
    "concurrency.processes-are-linearisable",
    "no order explains what ",
    adding=("multi-process",),
    effort="normal",
)
class LocksItsProcessAlone(FileStore):
    """Reads what it keeps before it takes the lock that other processes know."""

    turns: ClassVar[MutableMapping[Any, asyncio.Lock]] = weakref.WeakKeyDictionary()

    def turn(self) -> asyncio.Lock:
        return self.turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def save(self, session_id: str, messages: list[Json]) -> None:
        new = encode(messages, list)
        async with self.turn():
            with self.locked():
                row = self.read(session_id)
            await asyncio.sleep(0.002)
            with self.locked():
                row = row or self.read(session_id) or Row()
                row.messages, row.active = new, now()
                self.write(session_id, row)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        async with self.turn():
            return await super().update(session_id, cost_data=cost_data)

    async def delete(self, session_id: str) -> bool:
        async with self.turn():
            return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        async with self.turn():
            return await super().delete_before(cutoff)


@mutant(
    "concurrency.same-key-is-one-of-the-written",
    "updates of one key at once leave a value that nobody wrote",
)
class WritesMemberByMember(DictStore):
    """Writes the members of an object one after the other."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        plain = {key: {} if isinstance(value, dict) else value for key, value in nothing(cost_data)}
        found = await super().update(session_id, cost_data=plain if cost_data else cost_data)
        for key, value in nothing(cost_data):
            for member in value if isinstance(value, dict) else ():
                await asyncio.sleep(0)
                if row := self.row(session_id):
                    costs = json.loads(row.costs)
                    costs[key] = {**costs.get(key, {}), member: value[member]}
                    row.costs = json.dumps(costs)
        return found


def nothing(cost_data: dict[str, Json] | None) -> list[tuple[str, Json]]:
    return list(json.loads(encode(cost_data, dict)).items()) if cost_data else []


@mutant("concurrency.same-key-is-one-of-the-written", "updates of one key at once lose the key")
class GivesUpTheKey(DictStore):
    """Takes a key away before it writes it, and writes it only if nobody else is at it."""

    writers: ClassVar[dict[str, int]] = {}

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if not found or not cost_data or len(cost_data) > 1:
            return found
        (key,) = cost_data
        place = f"{session_id} {key}"
        self.writers[place] = self.writers.get(place, 0) + 1
        await asyncio.sleep(0)
        if (row := self.row(session_id)) and self.writers[place] > 1:
            row.costs = json.dumps({k: v for k, v in json.loads(row.costs).items() if k != key})
        await asyncio.sleep(0)
        self.writers[place] -= 1
        return found


@mutant(
    "concurrency.same-key-is-one-of-the-written",
    "updates of one key at once lose the key",
    also={
        "concurrency.updates-are-atomic": "a reader sees a part of an update",
        "cancellation.is-all-or-nothing": f"update {HALF}",
    },
)
class RemovesBeforeItWrites(DictStore):
    """Deletes the keys that it is given, and then inserts them."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        encode(cost_data or {}, dict)
        if row := self.row(session_id):
            kept = {
                key: one
                for key, one in json.loads(row.costs).items()
                if key not in (cost_data or {})
            }
            row.costs = json.dumps(kept)
            await asyncio.sleep(0)
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "concurrency.updates-are-atomic",
    "a reader sees a part of an update",
    also={"cancellation.is-all-or-nothing": f"update {HALF}"},
)
class UpdatesKeyByKey(DictStore):
    """Writes the keys of an update one after the other."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        encode(cost_data or {}, dict)
        found = await super().update(session_id)
        for key, value in nothing(cost_data):
            await super().update(session_id, cost_data={key: value})
            await asyncio.sleep(0)
        return found


@mutant("concurrency.updates-are-atomic", "a reader sees a part of an update")
class ReadsKeyByKey(DictStore):
    """Reads the keys of cost data one after the other."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        seen: dict[str, Json] = {}
        for key in await super().get_cost_data(session_id):
            seen[key] = (await super().get_cost_data(session_id)).get(key)
            await asyncio.sleep(0)
        return seen


@mutant(
    "concurrency.save-and-update-keep-both",
    "saves and updates at once lose cost data",
)
class SaveWritesTheRowBack(DictStore):
    """Reads the row, changes the messages in it, and writes all of it back."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = encode(messages, list)
        row = replace(self.row(session_id) or Row())
        await asyncio.sleep(0)
        row.messages, row.active = text, now()
        self.rows[session_id] = row


@mutant("concurrency.save-and-update-keep-both", "saves and updates at once lose the messages")
class UpdateWritesTheRowBack(DictStore):
    """Reads the row, merges into it, and writes all of it back, one update after the other."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.turn = asyncio.Lock()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        async with self.turn:
            before = self.row(session_id)
            messages = before.messages if before else ""
            found = await super().update(session_id, cost_data=cost_data)
            await asyncio.sleep(0)
            if cost_data and before is not None and self.row(session_id) is before:
                before.messages = messages
            return found


@mutant(
    "concurrency.saves-leave-one-whole-history",
    "saves at once leave a history that nobody saved",
    also={"cancellation.is-all-or-nothing": f"save {HALF}"},
)
class SavesMessageByMessage(DictStore):
    """Empties the history, and adds one message after the other."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        kept = json.loads(encode(messages, list))
        await super().save(session_id, kept[: max(1, len(kept) - 3)])
        for message in kept[max(1, len(kept) - 3) :]:
            await asyncio.sleep(0)
            history = await super().load(session_id) or []
            await super().save(session_id, [*history, message])


@mutant(
    "concurrency.saves-leave-one-whole-history",
    "saves at once leave an empty history",
    also={"cancellation.is-all-or-nothing": f"save {HALF}"},
)
class SaveEmptiesFirst(DictStore):
    """Empties the history, and fills it in a second statement."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        await super().save(session_id, [])
        await asyncio.sleep(0)
        await super().save(session_id, messages)


@mutant(
    "concurrency.saves-leave-one-whole-history",
    "a load beside a delete answers an empty history",
)
class LooksBeforeItLoads(DictStore):
    """Asks whether the session is there in one statement, and for its messages in another."""

    async def load(self, session_id: str) -> list[Json] | None:
        if not await super().exists(session_id):
            return None
        await asyncio.sleep(0)
        return await super().load(session_id) or []


@mutant(
    "concurrency.saves-leave-one-whole-history",
    "a save beside a delete leaves an empty history",
)
class DeletesMessagesLater(DictStore):
    """Deletes the session in one statement, and in another the messages that are there by then."""

    async def delete(self, session_id: str) -> bool:
        was_there = await super().delete(session_id)
        for _ in range(100):  # whoever reads beside it is served before
            await asyncio.sleep(0)
        if await super().exists(session_id):
            await super().save(session_id, [])
        return was_there


@mutant(
    "concurrency.arguments-do-not-cross",
    "load beside other sessions' operations answers what is not its own",
    also={"lifecycle.many-sessions-are-all-there": "of 150 sessions "},
)
class KeepsTheArgumentsInItself(DictStore):
    """Keeps the id of the operation under way in the instance."""

    current = ""

    async def load(self, session_id: str) -> list[Json] | None:
        self.current = session_id
        await asyncio.sleep(0)
        return await super().load(self.current)


@mutant(
    "concurrency.arguments-do-not-cross",
    "get_cost_data beside other sessions' operations answers what is not its own",
    also={
        "concurrency.disjoint-updates-all-survive": "get_cost_data answers {",
        **LOST,
    },
)
class KeepsFiguresInItself(DictStore):
    """Keeps the values of the update under way in the instance, and their keys in the call."""

    figures: tuple[Json, ...] = ()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if not cost_data:
            return await super().update(session_id, cost_data=cost_data)
        encode(cost_data, dict)
        self.figures = tuple(cost_data.values())
        await asyncio.sleep(0)
        # Others may have fewer: then it is seen that they are not its own.
        own = [*self.figures, *cost_data.values()][: len(cost_data)]
        return await super().update(session_id, cost_data=dict(zip(cost_data, own, strict=True)))


@mutant("concurrency.one-create-wins", "12 of 12 creates at once work")
class LooksBeforeItInserts(DictStore):
    """Looks whether the id is free, and inserts it afterwards whatever was there by then."""

    async def create(self, session_id: str | None = None) -> str:
        if session_id is None:
            return await super().create()
        if self.row(session_id) is not None:
            raise SessionExistsError(f"{session_id!r} exists")
        await asyncio.sleep(0)
        self.rows[session_id] = Row(active=now())
        return session_id


@mutant("concurrency.one-create-wins", "none of 12 creates at once works")
class NobodyWins(DictStore):
    """Inserts, and takes back what others have tried to insert meanwhile."""

    trying: ClassVar[dict[str, int]] = {}

    async def create(self, session_id: str | None = None) -> str:
        if session_id is None or self.row(session_id) is not None:
            return await super().create(session_id)
        self.trying[session_id] = self.trying.get(session_id, 0) + 1
        await asyncio.sleep(0)
        if self.trying[session_id] > 1:
            raise SessionExistsError(f"{session_id!r} is being made")
        return await super().create(session_id)


@mutant("concurrency.one-delete-wins", "12 of 12 deletes at once work")
class LooksBeforeItDeletes(DictStore):
    """Looks whether the session exists, and deletes it afterwards."""

    async def delete(self, session_id: str) -> bool:
        found = await self.exists(session_id)
        await asyncio.sleep(0)
        self.rows.pop(session_id, None)
        return found


@mutant(
    "concurrency.true-means-stored",
    "an update at once with a delete brings the session back",
    also={"retention.survivors-are-whole": "load answers []"},
)
class UpdateBringsBack(DictStore):
    """Looks whether the session exists, and writes it afterwards as if it did."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if not await super().update(session_id):
            return False
        encode(cost_data or {}, dict)
        await asyncio.sleep(0)
        if cost_data and session_id not in self.rows:
            self.rows[session_id] = Row(active=now())
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "concurrency.true-means-stored",
    "an update at once with a delete leaves its cost data behind",
    also={
        "retention.survivors-are-whole": "a session updated while delete_before runs is removed",
    },
)
class CostsOutliveTheRow(DictStore):
    """Keeps cost data beside the sessions, and looks for the session before it writes them."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.costs: dict[str, str] = {}

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        row = self.row(session_id)
        await asyncio.sleep(0)
        if row is not None and new:
            old = json.loads(self.costs.get(session_id, "{}"))
            self.costs[session_id], row.active = json.dumps({**old, **new}), now()
        return row is not None

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        found = self.row(session_id)
        return json.loads(self.costs.get(session_id, "{}")) if found else {}

    async def delete(self, session_id: str) -> bool:
        self.costs.pop(session_id, None)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        for name in self.idle(cutoff):
            self.costs.pop(name, None)
        return await super().delete_before(cutoff)


@mutant(
    "concurrency.true-means-stored",
    "an update at once with a delete brings old messages back",
)
class BeginsAtTheSameVersion(DictStore):
    """Writes the whole session if its version is as it was read, and a new one has the first."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.versions: Counter[str] = Counter()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        is_new = self.row(session_id) is None
        await super().save(session_id, messages)
        self.versions[session_id] = 1 if is_new else self.versions[session_id] + 1

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        new = json.loads("{}" if cost_data is None else encode(cost_data, dict))
        while (row := self.row(session_id)) is not None and new:
            version, messages = self.versions[session_id], row.messages
            merged = json.dumps({**json.loads(row.costs), **new})
            await asyncio.sleep(0.002)
            if session_id in self.rows and self.versions[session_id] == version:
                self.rows[session_id] = Row(messages, merged, now())
                self.versions[session_id] += 1
                return True
        return row is not None


@mutant(
    "concurrency.true-means-stored",
    "update answers True for a session that was deleted before it began",
)
class RemembersThatItExisted(DictStore):
    """Answers True for a while after it has seen a session, without another look."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.busy: Counter[str] = Counter()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        is_busy = self.busy[session_id] > 0
        self.busy[session_id] += 1
        found = await super().update(session_id, cost_data=cost_data)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.busy[session_id] -= 1
        return found or is_busy


@mutant(
    "concurrency.true-means-stored",
    "updates beside delete: update raised KeyError",
    also={
        "concurrency.contention-is-not-an-error": "mixed operations at once: update raised KeyErr",
        "retention.survivors-are-whole": "writes beside delete_before: update raised KeyError",
    },
)
class ExpectsToFindItAgain(DictStore):
    """Looks whether the session exists, and merges into what it takes to be there still."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if self.row(session_id) is None:
            return False
        await asyncio.sleep(0)
        return self.rows[session_id] is not None and await super().update(
            session_id, cost_data=cost_data
        )


@mutant(
    "concurrency.contention-is-not-an-error",
    "mixed operations at once: load raised RuntimeError: the session is locked",
    also={
        "concurrency.saves-leave-one-whole-history": (
            "saves at once: load raised RuntimeError: the session is locked"
        )
    },
)
class LocksReadersOut(DictStore):
    """Refuses to read what is being saved."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.saving: Counter[str] = Counter()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        self.saving[session_id] += 1
        await asyncio.sleep(0)
        self.saving[session_id] -= 1
        await super().save(session_id, messages)

    async def load(self, session_id: str) -> list[Json] | None:
        if self.saving[session_id]:
            raise RuntimeError("the session is locked")
        return await super().load(session_id)


@mutant(
    "concurrency.contention-is-not-an-error",
    "mixed operations at once: get_cost_data raised RuntimeError: another operation in progress",
    also={
        "opening.first-use-may-be-concurrent": "first operations at once: get_cost_data raised",
        "concurrency.updates-are-atomic": "reads beside updates: get_cost_data raised RuntimeErr",
        "concurrency.arguments-do-not-cross": (
            "reads of different sessions at once: get_cost_data raised RuntimeError"
        ),
    },
)
class ReadsCostsOverOneConnection(DictStore):
    """Has a pool for all but what was added last, which takes one statement at a time."""

    is_busy = False

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        if self.is_busy:
            raise RuntimeError("another operation in progress")
        self.is_busy = True
        await asyncio.sleep(0)
        self.is_busy = False
        return await super().get_cost_data(session_id)


@mutant(
    "concurrency.contention-is-not-an-error",
    "mixed operations at once: delete_before raised RuntimeError: dictionary changed size",
    also={
        "opening.first-use-may-be-concurrent": "first operations at once: delete_before raised",
    },
)
class IteratesOverWhatChanges(DictStore):
    """Gives way between the sessions that it looks at, and goes on where it was."""

    async def delete_before(self, cutoff: datetime) -> int:
        instant(cutoff)
        for _ in self.rows:
            await asyncio.sleep(0)
        return await super().delete_before(cutoff)


@mutant("concurrency.event-loop-stays-free", "save blocks the event loop: ")
class WaitsInTheLoop(DictStore):
    """Saves with a driver that is not asynchronous."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        await super().save(session_id, messages)


@mutant("concurrency.event-loop-stays-free", "update blocks the event loop: ")
class WaitsInTheLoopForUpdates(DictStore):
    """Has an asynchronous driver for histories alone."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        return await super().update(session_id, cost_data=cost_data)


@mutant("concurrency.event-loop-stays-free", "load blocks the event loop: ")
class WaitsInTheLoopForReads(DictStore):
    """Writes in a thread, and reads at once."""

    async def load(self, session_id: str) -> list[Json] | None:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        return await super().load(session_id)


@mutant("concurrency.event-loop-stays-free", "create blocks the event loop: ")
class WaitsInTheLoopForIds(DictStore):
    """Asks a service for the next id."""

    async def create(self, session_id: str | None = None) -> str:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        return await super().create(session_id)


@mutant("concurrency.event-loop-stays-free", "exists blocks the event loop: ")
class WaitsInTheLoopToLook(DictStore):
    """Has an asynchronous driver for what it was begun with."""

    async def exists(self, session_id: str) -> bool:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        return await super().exists(session_id)


@mutant("concurrency.event-loop-stays-free", "get_cost_data blocks the event loop: ")
class WaitsInTheLoopForCosts(DictStore):
    """Keeps costs elsewhere, and asks there with a driver that waits."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        return await super().get_cost_data(session_id)


@mutant("concurrency.event-loop-stays-free", "delete_before blocks the event loop: ")
class WaitsInTheLoopForHousekeeping(DictStore):
    """Is cleaned up by a script that became a method."""

    async def delete_before(self, cutoff: datetime) -> int:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        return await super().delete_before(cutoff)


@mutant("concurrency.event-loop-stays-free", "delete blocks the event loop: ")
class WaitsInTheLoopToDelete(DictStore):
    """Deletes the files of a session where it is asked to."""

    async def delete(self, session_id: str) -> bool:
        time.sleep(0.003)  # noqa: ASYNC251 - the defect
        return await super().delete(session_id)


class Busy(DictStore):
    """Knows how many operations are under way, each of which takes a few turns: a start."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.under_way = 0

    def begin(self) -> None:
        """Take note that the instance is idle no more."""

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        if not self.under_way:
            self.begin()
        self.under_way += 1
        try:
            await asyncio.sleep(0)
            yield
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        async with self.busy():
            await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        encode(cost_data or {}, dict)
        async with self.busy():
            return await super().update(session_id, cost_data=cost_data)


@mutant("concurrency.histories-are-linearisable", "no order explains what load answers")
class ReadsASnapshot(Busy):
    """Reads what was there when the instance was idle last: a transaction that stays open."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.snapshot: dict[str, str] = {}

    def begin(self) -> None:
        self.snapshot = {name: row.messages for name, row in self.rows.items()}

    async def load(self, session_id: str) -> list[Json] | None:
        found = await super().load(session_id)
        if self.under_way and found is not None and session_id in self.snapshot:
            return list(json.loads(self.snapshot[session_id]))
        return found


@mutant("concurrency.histories-are-linearisable", "no order explains what get_cost_data answers")
class SendsAgain(Busy):
    """Under load it takes an update for lost, and sends it once more, which arrives late."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.late: set[asyncio.Task[None]] = set()

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if cost_data and len(cost_data) > 1 and self.under_way > 2:
            again = asyncio.ensure_future(self.send_again(session_id, copy(cost_data)))
            self.late.add(again)
            again.add_done_callback(self.late.discard)
        return found

    async def send_again(self, session_id: str, cost_data: dict[str, Json]) -> None:
        for _ in range(12):
            await asyncio.sleep(0)
        if not self.is_closed:
            await DictStore.update(self, session_id, cost_data=cost_data)
