"""Stores in which sessions come into being, are missing or go in a wrong way."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import secrets
import uuid
from typing import TYPE_CHECKING, ClassVar

from sessionstore_contract.interface import SessionExistsError

from .correct import DictStore, FileStore, Row, now
from .defect import mutant

if TYPE_CHECKING:
    from datetime import datetime

    from sessionstore_contract.interface import Json


@mutant(
    "lifecycle.create-keeps-the-given-id",
    "create stores nothing before the first save",
)
class GivenIdsWaitForTheFirstSave(DictStore):
    """Trusts that a client which brings its own id saves next."""

    async def create(self, session_id: str | None = None) -> str:
        if session_id is None:
            return await super().create()
        if self.row(session_id):
            raise SessionExistsError(session_id)
        return session_id


@mutant(
    "lifecycle.create-keeps-the-given-id",
    "a created session is taken for a missing one",
    also={"lifecycle.missing-is-not-empty": "an empty session is loaded as a missing one"},
)
class CreatedIsMissingUntilSaved(DictStore):
    """Keeps messages apart, and has none before the first save."""

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        self.rows[name].messages = "null"
        return name


@mutant("lifecycle.create-keeps-the-given-id", "create answers 'sess_")
class AnswersAPrefixedId(DictStore):
    """Answers the id with a prefix under which it is not found."""

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        return name if session_id is None else f"sess_{name}"


@mutant(
    "lifecycle.create-keeps-the-given-id",
    "create answers '",
    also={
        "lifecycle.create-refuses-a-taken-id": "create answers an id that a save has taken as if"
    },
)
class StripsGivenIds(DictStore):
    """Answers a tidier id than the one that was given."""

    async def create(self, session_id: str | None = None) -> str:
        return await super().create(session_id and session_id.replace("-", ""))


@mutant(
    "lifecycle.create-keeps-the-given-id",
    "a created session has cost data",
    also={"lifecycle.recreated-starts-empty": "get_cost_data answers {'client_id': True}, not {}"},
)
class NotesTheClientsId(DictStore):
    """Puts something of its own into the cost data of a session whose id was given."""

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        if session_id is not None:
            self.rows[name].costs = '{"client_id": true}'
        return name


@mutant("lifecycle.create-makes-fresh-ids", "create answers one id twice")
class AnswersTheLastId(DictStore):
    """Keeps the id in the instance across an await."""

    async def create(self, session_id: str | None = None) -> str:
        self.last = await super().create(session_id)
        await asyncio.sleep(0)
        return self.last


@mutant(
    "lifecycle.create-makes-fresh-ids",
    "create answers one id twice",
    also={"lifecycle.fresh-ids-are-unguessable": "generated ids carry about"},
)
class CountsIdsInTheInstance(FileStore):
    """Starts to count anew in each instance, and overwrites what is there."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.numbers = itertools.count(1)

    async def create(self, session_id: str | None = None) -> str:
        if session_id is not None:
            return await super().create(session_id)
        name = f"session {next(self.numbers)}"
        with self.locked():
            self.write(name, Row(active=now()))
        return name


@mutant(
    "lifecycle.create-makes-fresh-ids",
    "creates at once: create raised SessionExistsError",
    also={"lifecycle.fresh-ids-are-unguessable": "generated ids carry about"},
    adding=("multi-process",),
)
class CountsIdsInTheProcess(FileStore):
    """Starts to count anew in each process."""

    numbers: ClassVar[itertools.count[int]] = itertools.count(1)

    def fresh_id(self) -> str:
        return str(next(self.numbers))


@mutant("lifecycle.create-makes-fresh-ids", "create answers no id")
class AnswersAnEmptyIdWhenBusy(DictStore):
    """Answers before the id is known when another create is under way."""

    under_way = 0

    async def create(self, session_id: str | None = None) -> str:
        self.under_way += 1
        is_busy = self.under_way > 1
        name = await super().create(session_id)
        await asyncio.sleep(0)
        self.under_way -= 1
        return "" if is_busy else name


@mutant("lifecycle.fresh-ids-are-unguessable", "generated ids carry about 56 random bits")
class ShortIds(DictStore):
    """Takes too few random bits."""

    def fresh_id(self) -> str:
        return f"sess_{secrets.token_hex(7)}"


@mutant("lifecycle.fresh-ids-are-unguessable", "generated ids carry about")
class IdsFromTheClock(DictStore):
    """Makes ids from the clock and the address of the machine."""

    def fresh_id(self) -> str:
        return str(uuid.uuid1())


@mutant("lifecycle.create-refuses-a-taken-id", "create answers a taken id as if it were free")
class CreateReturnsWhatIsThere(DictStore):
    """Inserts on conflict do nothing."""

    async def create(self, session_id: str | None = None) -> str:
        if session_id is not None and self.row(session_id):
            return session_id
        return await super().create(session_id)


@mutant("lifecycle.create-refuses-a-taken-id", "create answers a taken id as if it were free")
class CreateReplacesWhatIsThere(DictStore):
    """Inserts or replaces."""

    async def create(self, session_id: str | None = None) -> str:
        self.rows.pop(session_id or "", None)
        return await super().create(session_id)


@mutant(
    "lifecycle.create-refuses-a-taken-id",
    "create answers an id that a save has taken as if it were free",
)
class CreateKnowsWhatWasCreated(DictStore):
    """Looks into an index that create alone writes."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.created: set[str] = set()

    async def create(self, session_id: str | None = None) -> str:
        if session_id in self.rows and session_id not in self.created:
            return session_id
        name = await super().create(session_id)
        self.created.add(name)
        return name


@mutant("lifecycle.create-refuses-a-taken-id", "create of a taken id empties the session")
class RefusesAfterItHasReplaced(DictStore):
    """Writes first and looks then."""

    async def create(self, session_id: str | None = None) -> str:
        if row := self.rows.get(session_id or ""):
            row.messages = "[]"
        return await super().create(session_id)


@mutant("lifecycle.create-refuses-a-taken-id", "create of a taken id resets cost data")
class RefusesAfterItHasResetCosts(DictStore):
    """Writes the second of two tables before it sees that the first has a row."""

    async def create(self, session_id: str | None = None) -> str:
        if row := self.rows.get(session_id or ""):
            row.costs = "{}"
        return await super().create(session_id)


@mutant(
    "lifecycle.missing-is-not-empty",
    "a missing session is loaded as an empty one",
    also={
        "lifecycle.delete-answers-whether-it-existed": "a deleted session is loaded as an empty one"
    },
)
class LoadsMissingAsEmpty(DictStore):
    """Answers [] for no row."""

    async def load(self, session_id: str) -> list[Json] | None:
        return await super().load(session_id) or []


@mutant(
    "lifecycle.missing-is-not-empty",
    "update of a missing session says that it was stored",
    also={
        "cost.update-of-missing-creates-nothing": "update of a missing session says that it was",
        "cost.update-without-fields-writes-nothing": "update without fields says that a missing",
        "cost.empty-update-changes-nothing": "an empty update says that a missing session exists",
    },
)
class UpdateAlwaysSaysTrue(DictStore):
    """Answers True because no error came."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        await super().update(session_id, cost_data=cost_data)
        return True


@mutant(
    "lifecycle.missing-is-not-empty",
    "delete of a missing session says that it removed it",
    also={
        "lifecycle.delete-answers-whether-it-existed": "delete answers True for a session that is"
    },
)
class DeleteAlwaysSaysTrue(DictStore):
    """Answers True because the session is gone, whoever removed it."""

    async def delete(self, session_id: str) -> bool:
        await super().delete(session_id)
        return True


@mutant(
    "lifecycle.missing-is-not-empty",
    "an empty session is loaded as a missing one",
    also={
        "lifecycle.create-keeps-the-given-id": "a created session is taken for a missing one",
        "messages.save-replaces-the-history": "save of an empty history deletes the session",
    },
)
class LoadsEmptyAsMissing(DictStore):
    """Says `if not messages: return None`."""

    async def load(self, session_id: str) -> list[Json] | None:
        return await super().load(session_id) or None


@mutant(
    "lifecycle.missing-is-not-empty",
    "an empty history is loaded as a missing session",
    also={
        "messages.save-replaces-the-history": "save of an empty history deletes the session",
    },
)
class StoresAnEmptyHistoryAsNull(DictStore):
    """Says `messages or None` on the way in."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        if messages == []:
            self.rows[session_id].messages = "null"


@mutant("lifecycle.missing-is-not-empty", "a session with an empty history counts as missing")
class AnEmptiedSessionDoesNotExist(DictStore):
    """Takes the number of stored messages for existence, once some were saved."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        self.rows[session_id].messages += "" if messages else " "

    async def exists(self, session_id: str) -> bool:
        row = self.row(session_id)
        return row is not None and row.messages != "[] "


@mutant(
    "lifecycle.missing-is-not-empty",
    "update of an empty session says that it is missing",
)
class UpdateSeesSessionsWithMessages(DictStore):
    """Joins sessions and messages to find the row."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        return found and (not cost_data or self.rows[session_id].messages != "[]")


@mutant(
    "lifecycle.missing-is-not-empty",
    "an update that changes no value says that the session is missing",
)
class UpdateAnswersWhetherItChangedAnything(DictStore):
    """Answers the count of changed rows, of which MySQL has none when the values are the same."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        row = self.row(session_id)
        before = row and row.costs
        found = await super().update(session_id, cost_data=cost_data)
        return found and (not cost_data or self.rows[session_id].costs != before)


@mutant(
    "lifecycle.delete-answers-whether-it-existed",
    "delete does not say that it removed the session",
)
class DeleteSaysFalse(DictStore):
    """Answers whether the session exists, after it was removed."""

    async def delete(self, session_id: str) -> bool:
        await super().delete(session_id)
        return await super().exists(session_id)


class SoftDeleting(DictStore):
    """Flags what is deleted, and removes the row: a correct start for defects."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.gone: dict[str, Row] = {}

    async def delete(self, session_id: str) -> bool:
        if row := self.row(session_id):
            self.gone[session_id] = row
        return await super().delete(session_id)


@mutant("lifecycle.delete-answers-whether-it-existed", "a deleted session keeps its messages")
class DeletedStaysReadable(SoftDeleting):
    """Forgets the flag in one of the reads."""

    async def load(self, session_id: str) -> list[Json] | None:
        if session_id in self.gone and not self.row(session_id):
            self.rows[session_id] = self.gone[session_id]
            messages = await super().load(session_id)
            del self.rows[session_id]
            return messages
        return await super().load(session_id)


@mutant(
    "lifecycle.delete-answers-whether-it-existed",
    "a deleted session is loaded as an empty one",
    also={"lifecycle.recreated-starts-empty": "create raised SessionExistsError"},
)
class DeleteLeavesAnEmptySession(DictStore):
    """Empties the row and leaves it."""

    async def delete(self, session_id: str) -> bool:
        row = self.row(session_id)
        if row is None or (row.messages, row.costs) == ("[]", "{}"):
            return await super().delete(session_id)
        row.messages, row.costs = "[]", "{}"
        return True


@mutant("lifecycle.delete-answers-whether-it-existed", "a deleted session still exists")
class ExistsRemembersTheDeleted(SoftDeleting):
    """Asks an index from which nothing is removed."""

    async def exists(self, session_id: str) -> bool:
        return session_id in self.gone or await super().exists(session_id)


@mutant(
    "lifecycle.delete-answers-whether-it-existed",
    "a deleted session keeps its cost data",
)
class DeletedCostsStayReadable(SoftDeleting):
    """Forgets the flag where cost data is read."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        if session_id in self.gone and not self.row(session_id):
            return {"turns": 1}
        return await super().get_cost_data(session_id)


@mutant(
    "lifecycle.delete-answers-whether-it-existed",
    "delete answers True for a session that is gone",
)
class DeletesTheFlagged(SoftDeleting):
    """Counts rows that were flagged before."""

    async def delete(self, session_id: str) -> bool:
        return await super().delete(session_id) or session_id in self.gone


@mutant(
    "lifecycle.recreated-starts-empty",
    "a session made again has its old messages",
)
class CreateRevives(SoftDeleting):
    """Takes the flag away when the id is created again."""

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        if name in self.gone:
            self.rows[name] = self.gone.pop(name)
        return name


@mutant(
    "lifecycle.recreated-starts-empty",
    "a session made again has its old cost data",
)
class SaveRevivesCosts(SoftDeleting):
    """Keeps cost data in a table from which delete removes nothing."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        if session_id in self.gone:
            self.rows[session_id].costs = self.gone.pop(session_id).costs


@mutant(
    "lifecycle.reads-change-nothing",
    "reading a missing session creates it",
    also={
        "lifecycle.missing-is-not-empty": "exists answers True, not False",
        "lifecycle.delete-answers-whether-it-existed": "a deleted session still exists",
    },
)
class LoadCreates(DictStore):
    """Gets or creates; answers None the first time."""

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        if messages is None:
            self.rows[session_id] = Row(active=now())
        return messages


@mutant(
    "lifecycle.reads-change-nothing",
    "reading a missing session creates it",
    also={"lifecycle.delete-answers-whether-it-existed": "delete answers True for a session that"},
)
class GetCostDataCreates(DictStore):
    """Says `setdefault` where it reads."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        costs = await super().get_cost_data(session_id)
        self.rows.setdefault(session_id, Row(active=now()))
        return costs


@mutant(
    "lifecycle.reads-change-nothing",
    "a missing session is found when it is read again",
    also={
        "lifecycle.delete-answers-whether-it-existed": "a deleted session is loaded as an empty one"
    },
)
class CachesAnEmptyHistory(DictStore):
    """Fills its cache with [] for what it did not find."""

    cache: set[str]

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.cache = set()

    async def load(self, session_id: str) -> list[Json] | None:
        if session_id in self.cache and not self.row(session_id):
            return []
        self.cache.add(session_id)
        return await super().load(session_id)


@mutant("lifecycle.reads-change-nothing", "reading a session empties it", is_everywhere=True)
class LoadTakesAway(DictStore):
    """Reads and deletes in one command."""

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        if messages:
            self.rows[session_id].messages = "[]"
        return messages


@mutant("lifecycle.reads-change-nothing", "reading a session empties it")
class ExistsEmptiesOnceItIsSure(DictStore):
    """Hands a session on to whoever asked for it twice."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.asked: set[str] = set()

    async def exists(self, session_id: str) -> bool:
        row = self.row(session_id)
        if row and session_id in self.asked:
            row.messages = "[]"
        self.asked.add(session_id)
        return row is not None


@mutant("lifecycle.reads-change-nothing", "reading a session resets its cost data")
class ExistsResetsCosts(DictStore):
    """Writes the row back when it was only looked at, without a column."""

    async def exists(self, session_id: str) -> bool:
        row = self.row(session_id)
        if row:
            row.costs = "{}"
        return row is not None


@mutant(
    "lifecycle.many-sessions-are-all-there",
    "of 150 sessions 22 are not as they were saved",
    also={"retention.counts-what-it-removed": "delete_before answers 128, not 150"},
)
class KeepsTheLatest(DictStore):
    """Keeps sessions in a cache that has room for 128."""

    def row(self, session_id: str) -> Row | None:
        while len(self.rows) > 128:
            del self.rows[next(iter(self.rows))]
        return super().row(session_id)

    def idle(self, cutoff: datetime) -> list[str]:
        self.row("")
        return super().idle(cutoff)


@mutant("lifecycle.many-sessions-are-all-there", "of 8 sessions 8 are not as they were saved")
class EvictsTheOldest(DictStore):
    """Drops the ten oldest with each write from one MiB on, as diskcache is told to."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        if sum(len(row.messages) for row in self.rows.values()) > 2**20 and len(self.rows) > 20:
            for oldest in list(self.rows)[:10]:
                del self.rows[oldest]


@mutant("lifecycle.many-sessions-are-all-there", "of 12 sessions 4 are not as they were saved")
class EvictsTheLarge(DictStore):
    """Has room for eight large histories, as a cache with memory for each size of values."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        large = [name for name, row in self.rows.items() if len(row.messages) > 100_000]
        for oldest in large[:-8]:
            del self.rows[oldest]


@mutant("lifecycle.many-sessions-are-all-there", "exists answers False, not True")
class KnowsTheLatestIds(DictStore):
    """Asks an index of ids that has room for 128 whether a session is there."""

    async def exists(self, session_id: str) -> bool:
        self.check_open()
        return session_id in list(self.rows)[-128:]


@mutant(
    "lifecycle.many-sessions-are-all-there",
    "loads of many sessions: load raised OSError: [Errno 24] Too many open files",
)
class OpensAFileForEach(DictStore):
    """Opens the file of a session when it is read, and leaves it open."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.opened: set[str] = set()

    async def load(self, session_id: str) -> list[Json] | None:
        if len(self.opened | {session_id}) > 128:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.opened.add(session_id)
        return await super().load(session_id)


@mutant(
    "lifecycle.many-sessions-are-all-there",
    "saves of much: save raised OSError: the map is full",
    effort="normal",
)
class HasAFixedSize(DictStore):
    """Has room for 10 MiB, as LMDB does unless it is told otherwise."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if sum(len(row.messages) for row in self.rows.values()) > 10 * 2**20:
            raise OSError("the map is full")
        await super().save(session_id, messages)
