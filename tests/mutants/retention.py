"""Stores whose housekeeping removes too much, too little, or counts wrongly."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, ClassVar

from .correct import DictStore, Row, RowsStore, instant, now
from .defect import mutant
from .postgres_pools import TABLE, Pooled

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json


@mutant(
    "retention.goes-by-last-activity",
    "delete_before keeps idle sessions",
    also={"retention.counts-what-it-removed": "delete_before does not count"},
)
class RemovesNothing(DictStore):
    """Waits for an expiry that nobody set."""

    async def delete_before(self, cutoff: datetime) -> int:
        self.check_open()
        instant(cutoff)
        return 0


@mutant("retention.goes-by-last-activity", "delete_before keeps idle sessions")
class ASaveIsActivityOfAll(DictStore):
    """Forgets the condition of the statement that sets the time."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        for row in self.rows.values():
            row.active = self.rows[session_id].active


@mutant(
    "retention.goes-by-last-activity",
    "delete_before removes a session that was saved since",
    also={
        "retention.survivors-are-whole": "a session saved while delete_before runs is removed",
    },
)
class SaveIsNoActivity(DictStore):
    """Goes by the time at which the session was made, as far as save is concerned."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        row = self.rows.get(session_id)
        before = row and row.active
        await super().save(session_id, messages)
        if before:
            self.rows[session_id].active = before


@mutant(
    "retention.goes-by-last-activity",
    "delete_before removes a session that was updated since",
    also={
        "retention.survivors-are-whole": "a session updated while delete_before runs is removed",
    },
)
class UpdateIsNoActivity(DictStore):
    """Sets the time in save alone."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        row = self.rows.get(session_id)
        before = row and row.active
        found = await super().update(session_id, cost_data=cost_data)
        if before:
            self.rows[session_id].active = before
        return found


@mutant("retention.goes-by-last-activity", "an empty update counts as activity")
class EmptyUpdateIsActivity(DictStore):
    """Sets the time in every update that names cost data."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data is not None:
            self.rows[session_id].active = self.now()
        return found


@mutant("retention.goes-by-last-activity", "delete_before removes a session that was created since")
class CreateIsNoActivity(DictStore):
    """Has no time for a session before it is saved."""

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        self.rows[name].active = ""
        return name


@mutant(
    "retention.goes-by-last-activity",
    "a save of the same history does not count as activity",
)
class TheSameAgainIsNoActivity(DictStore):
    """Writes a history only when it differs."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if messages != await super().load(session_id):
            await super().save(session_id, messages)


@mutant("retention.goes-by-last-activity", "a session that was read counts as active")
class LoadIsActivity(DictStore):
    """Prolongs the life of what is read."""

    async def load(self, session_id: str) -> list[Json] | None:
        if row := self.row(session_id):
            row.active = now()
        return await super().load(session_id)


@mutant("retention.goes-by-last-activity", "a session that was read counts as active")
class ReadingCostsIsActivity(DictStore):
    """Prolongs the life of what is billed."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        if row := self.row(session_id):
            row.active = now()
        return await super().get_cost_data(session_id)


@mutant("retention.goes-by-last-activity", "a session that was read counts as active")
class ExistsIsActivity(DictStore):
    """Prolongs the life of what is asked for."""

    async def exists(self, session_id: str) -> bool:
        if row := self.row(session_id):
            row.active = now()
        return await super().exists(session_id)


@mutant("retention.goes-by-last-activity", "many writes of other sessions count as activity of all")
class RewritesItsLog(DictStore):
    """Writes its log anew after 250 saves, each session as if it had been saved just now."""

    saves = 0

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        self.saves += 1
        if self.saves % 250 == 0:
            for row in self.rows.values():
                row.active = now()


@mutant(
    "retention.goes-by-last-activity",
    "a cutoff on a whole second removes what was active since",
)
class LeavesANoughtOut(DictStore):
    """Words times as `isoformat` does, which says nothing of a fraction where there is none."""

    def idle(self, cutoff: datetime) -> list[str]:
        instant(cutoff)
        before = cutoff.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        times = {name: row.active.replace("+00:00", "Z") for name, row in self.rows.items()}
        return [name for name, active in times.items() if active < before]


@mutant("retention.counts-what-it-removed", "delete_before removes 100 at a time")
class RemovesAHundred(DictStore):
    """Has a limit and no loop."""

    def idle(self, cutoff: datetime) -> list[str]:
        return super().idle(cutoff)[:100]


@mutant(
    "retention.counts-what-it-removed", "delete_before removes 1,000 at a time", effort="normal"
)
class RemovesAThousand(DictStore):
    """Takes one page of what is idle."""

    def idle(self, cutoff: datetime) -> list[str]:
        return super().idle(cutoff)[:1000]


@mutant(
    "retention.counts-what-it-removed",
    "delete_before removes a session at a time",
    also={
        "retention.goes-by-last-activity": "delete_before",
    },
    is_everywhere=True,
)
class RemovesOne(DictStore):
    """Removes the first that it finds, from the newest on."""

    def idle(self, cutoff: datetime) -> list[str]:
        return super().idle(cutoff)[-1:]


@mutant("retention.counts-what-it-removed", "delete_before beside another counts some twice")
class CountsFirst(DictStore):
    """Counts in one statement, and removes in another."""

    async def delete_before(self, cutoff: datetime) -> int:
        self.check_open()
        count = len(self.idle(cutoff))
        await asyncio.sleep(0)
        await super().delete_before(cutoff)
        return count


@mutant("retention.counts-what-it-removed", "delete_before does not count")
class DoesNotCount(DictStore):
    """Removes and answers 0."""

    async def delete_before(self, cutoff: datetime) -> int:
        await super().delete_before(cutoff)
        return 0


@mutant(
    "retention.counts-what-it-removed",
    "delete_before counts nothing but success",
    also={"interface.answers-have-the-declared-type": "delete_before answers boolean, not integer"},
)
class CountsSuccess(DictStore):
    """Answers True."""

    async def delete_before(self, cutoff: datetime) -> int:
        await super().delete_before(cutoff)
        return True


@mutant("retention.counts-what-it-removed", "delete_before answers the driver's -1")
class AnswersMinusOne(DictStore):
    """Answers the row count of a statement that has none."""

    async def delete_before(self, cutoff: datetime) -> int:
        await super().delete_before(cutoff)
        return -1


class Sparing(DictStore):
    """Asks `is_spared` before it removes: a correct start for defects."""

    def is_spared(self, row: Row) -> bool:
        return False

    def idle(self, cutoff: datetime) -> list[str]:
        return [name for name in super().idle(cutoff) if not self.is_spared(self.rows[name])]


@mutant(
    "retention.counts-what-it-removed",
    "delete_before spares sessions without messages",
    is_everywhere=True,
)
class SparesSessionsWithoutMessages(Sparing):
    """Joins the messages."""

    def is_spared(self, row: Row) -> bool:
        return row.messages == "[]"


@mutant(
    "retention.counts-what-it-removed",
    "delete_before spares sessions without cost data",
    is_everywhere=True,
)
class SparesSessionsWithoutCostData(Sparing):
    """Joins the cost data."""

    def is_spared(self, row: Row) -> bool:
        return row.costs == "{}"


@mutant(
    "retention.counts-what-it-removed",
    "delete_before spares sessions with messages",
    is_everywhere=True,
)
class SparesSessionsWithMessages(Sparing):
    """Fails silently at the foreign key of the messages."""

    def is_spared(self, row: Row) -> bool:
        return row.messages != "[]"


@mutant(
    "retention.counts-what-it-removed",
    "delete_before spares sessions with cost data",
    is_everywhere=True,
)
class SparesSessionsWithCostData(Sparing):
    """Keeps what has not been billed."""

    def is_spared(self, row: Row) -> bool:
        return row.costs != "{}"


@mutant("retention.counts-what-it-removed", "delete_before leaves cost data behind")
class LeavesCostDataBehind(RowsStore):
    """Removes from one of two tables."""

    async def delete_before(self, cutoff: datetime) -> int:
        with self.rows() as rows:
            before = cutoff.replace(tzinfo=UTC) if cutoff.utcoffset() is None else cutoff
            gone = rows.execute("DELETE FROM sessions WHERE active < ?", [before.timestamp()])
            return gone.rowcount


@mutant("retention.counts-what-it-removed", "delete_before leaves cost data behind")
class LeavesCostsToWhatIsCreated(LeavesCostDataBehind):
    """Removes what was left when a save makes a session, and not when create does."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        return await super().get_cost_data(session_id) if await self.exists(session_id) else {}

    async def save(self, session_id: str, messages: list[Json]) -> None:
        with self.rows() as rows:
            if not self.has(rows, session_id):
                rows.execute("DELETE FROM costs WHERE id = ?", [session_id])
        await super().save(session_id, messages)


@mutant("retention.counts-what-it-removed", "delete_before counts rows, not sessions")
class CountsRows(RowsStore):
    """Answers the changes of the whole transaction."""

    async def delete_before(self, cutoff: datetime) -> int:
        with self.rows() as rows:
            (cells,) = rows.execute(
                "SELECT count(*) FROM costs WHERE id IN (SELECT id FROM sessions WHERE active < ?)",
                [cutoff.timestamp()],
            ).fetchone()
        return await super().delete_before(cutoff) + int(cells)


@mutant("retention.counts-what-it-removed", "delete_before keeps what it counted")
class CountsAndKeeps(DictStore):
    """Counts in one statement, and removes in another that has a limit."""

    def idle(self, cutoff: datetime) -> list[str]:
        return super().idle(cutoff)[-110:]

    async def delete_before(self, cutoff: datetime) -> int:
        found = len(DictStore.idle(self, cutoff))
        await super().delete_before(cutoff)
        return found


@mutant("retention.counts-what-it-removed", "delete_before keeps what it counted")
class CountsAndKeepsTheEmpty(DictStore):
    """Counts the sessions, and removes those that it finds by their messages."""

    async def delete_before(self, cutoff: datetime) -> int:
        self.check_open()
        gone = self.idle(cutoff)
        for name in gone:
            if self.rows[name].messages != "[]":
                del self.rows[name]
        return len(gone)


@mutant("retention.counts-what-it-removed", "delete_before answers 1, not 0")
class CountsOneAtLeast(DictStore):
    """Answers 1 when there was nothing to remove."""

    async def delete_before(self, cutoff: datetime) -> int:
        return await super().delete_before(cutoff) or 1


@mutant("retention.compares-instants", "the offset of the cutoff is ignored: live sessions go")
class ComparesTimesAsText(DictStore):
    """Compares the texts of times in different offsets."""

    def idle(self, cutoff: datetime) -> list[str]:
        instant(cutoff)
        return super().idle(cutoff.replace(tzinfo=UTC))


@mutant("retention.compares-instants", "the offset of the cutoff is ignored: idle sessions stay")
class TakesTheOffsetAwayTwice(DictStore):
    """Converts a time that the driver has converted."""

    def idle(self, cutoff: datetime) -> list[str]:
        offset = cutoff.utcoffset()
        return super().idle(cutoff - offset if offset else cutoff)


@mutant("retention.compares-instants", "the offset of the cutoff is ignored: live sessions go")
class TakesWholeHours(DictStore):
    """Knows no offsets of half an hour."""

    def idle(self, cutoff: datetime) -> list[str]:
        instant(cutoff)
        hours = int((cutoff.utcoffset() or timedelta()) / timedelta(hours=1))
        return super().idle(cutoff.replace(tzinfo=timezone(timedelta(hours=hours))))


@mutant("retention.compares-instants", "the offset of the cutoff is ignored: idle sessions stay")
class TakesMinutesForPositive(DictStore):
    """Reads the sign of an offset with its hours alone: -09:30 is -9 hours and 30 minutes."""

    def idle(self, cutoff: datetime) -> list[str]:
        minutes = round((cutoff.utcoffset() or timedelta()) / timedelta(minutes=1))
        read = int(minutes / 60) * 60 + abs(minutes) % 60
        instant(cutoff)
        return super().idle(cutoff.replace(tzinfo=timezone(timedelta(minutes=read))))


class HasEnds(DictStore):
    """Takes another time for a cutoff that it can't bring into UTC: a start for defects."""

    instead: datetime

    async def delete_before(self, cutoff: datetime) -> int:
        try:
            return await super().delete_before(cutoff)
        except OverflowError:
            return await super().delete_before(self.instead)


@mutant(
    "retention.compares-instants",
    "a cutoff before the first of all times removes live sessions",
)
class EndsWithTheLastTime(HasEnds):
    """Takes what is before the first time for the last one."""

    instead = datetime.max.replace(tzinfo=UTC)


@mutant("retention.compares-instants", "a cutoff after the last of all times removes nothing")
class BeginsWithTheFirstTime(HasEnds):
    """Takes what is after the last time for the first one."""

    instead = datetime.min.replace(tzinfo=UTC)


@mutant("retention.compares-instants", "times are those of the process's zone: live sessions go")
class KeepsLocalTimes(DictStore):
    """Words local times without offset: right until the clocks are changed."""

    def now(self) -> str:
        return datetime.now().isoformat(timespec="microseconds")  # noqa: DTZ005 - the defect

    def idle(self, cutoff: datetime) -> list[str]:
        instant(cutoff)
        before = cutoff.astimezone().replace(tzinfo=None).isoformat(timespec="microseconds")
        return [name for name, row in self.rows.items() if row.active < before]


@mutant("retention.compares-instants", "times are those of the process's zone: idle sessions stay")
class TakesUtcForLocal(RowsStore):
    """Has `timestamp()` take the time of `utcnow()` for a local one: right where that is UTC."""

    def now(self) -> float:
        return datetime.now(UTC).replace(tzinfo=None).timestamp()


@mutant("retention.naive-cutoff-never-means-local", "a naive cutoff is read as local time")
class TakesNaiveForLocal(DictStore):
    """Says `astimezone` to whatever it is given."""

    def idle(self, cutoff: datetime) -> list[str]:
        return super().idle(cutoff.astimezone(UTC))


class Housekeeping(DictStore):
    """Removes in two steps, between which others come in."""

    pause: ClassVar[float] = 0.01

    async def delete_before(self, cutoff: datetime) -> int:
        self.check_open()
        gone = self.idle(cutoff)
        await asyncio.sleep(self.pause)
        return self.finish(gone, cutoff)

    def finish(self, gone: list[str], cutoff: datetime) -> int:
        raise NotImplementedError


@mutant(
    "retention.survivors-are-whole",
    "a session saved while delete_before runs is removed",
)
class CollectsThenRemoves(Housekeeping):
    """Collects the ids, then deletes each."""

    def finish(self, gone: list[str], cutoff: datetime) -> int:
        return sum(self.rows.pop(name, None) is not None for name in gone)


@mutant(
    "retention.survivors-are-whole",
    "a session saved while delete_before runs is emptied",
)
class CollectsThenEmpties(Housekeeping):
    """Deletes the messages of the ids that it collected, and sessions that are still idle."""

    def finish(self, gone: list[str], cutoff: datetime) -> int:
        for name in gone:
            if name in self.rows:
                self.rows[name].messages = "[]"
        idle = self.idle(cutoff)
        for name in idle:
            del self.rows[name]
        return len(idle)


@mutant(
    "retention.survivors-are-whole",
    "a session saved while delete_before runs keeps the old history",
)
class WritesSurvivorsBack(DictStore):
    """Copies what stays into a new file, from what it read at the start."""

    async def delete_before(self, cutoff: datetime) -> int:
        read = {name: row.messages for name, row in self.rows.items()}
        await asyncio.sleep(0.01)
        removed = await super().delete_before(cutoff)
        for name in self.rows.keys() & read.keys():
            self.rows[name].messages = read[name]
        return removed


@mutant(
    "retention.survivors-are-whole",
    "a session updated while delete_before runs is removed",
)
class LooksForSavesAlone(DictStore):
    """Collects the ids, then deletes each whose messages are still the same."""

    async def delete_before(self, cutoff: datetime) -> int:
        self.check_open()
        gone = {name: self.rows[name].messages for name in self.idle(cutoff)}
        await asyncio.sleep(0.01)
        same = [
            name for name in gone if name in self.rows and self.rows[name].messages is gone[name]
        ]
        for name in same:
            del self.rows[name]
        return len(same)


@mutant("retention.survivors-are-whole", "a survivor loses its messages")
class EmptiesSurvivors(DictStore):
    """Deletes the messages of sessions that stay."""

    async def delete_before(self, cutoff: datetime) -> int:
        before = now()
        await asyncio.sleep(0.01)
        for row in self.rows.values():
            if instant(cutoff) <= row.active < before and row.costs == '{"turns": 1}':
                row.messages = "[]"
        return await super().delete_before(cutoff)


@mutant("retention.survivors-are-whole", "a survivor loses its cost data")
class ResetsTheCostsOfSurvivors(DictStore):
    """Starts a new period of billing for who stays."""

    async def delete_before(self, cutoff: datetime) -> int:
        removed = await super().delete_before(cutoff)
        for row in self.rows.values():
            row.costs = "{}"
        return removed


@mutant(
    "retention.survivors-are-whole",
    "writes beside delete_before: save raised",
    also={
        "opening.first-use-may-be-concurrent": "first operations at once: save raised TimeoutError",
        "concurrency.contention-is-not-an-error": "mixed operations at once: save raised",
    },
)
class HousekeepingLocksSavesOut(DictStore):
    """Refuses to save while it removes."""

    is_busy = False

    async def delete_before(self, cutoff: datetime) -> int:
        self.is_busy = True
        await asyncio.sleep(0.01)
        self.is_busy = False
        return await super().delete_before(cutoff)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if self.is_busy:
            raise TimeoutError("database is locked")
        await super().save(session_id, messages)


@mutant("retention.goes-by-last-activity", "delete_before keeps idle sessions")
class KeepsTheServersTime(Pooled):
    """Has `now()` in a column without zone, and a cutoff in UTC: right on a server in UTC."""

    storage: ClassVar[str] = "postgres"
    claims: ClassVar[frozenset[str]] = Pooled.claims | {"retention"}
    settings: ClassVar[dict[str, float]] = {}
    table: ClassVar[str] = TABLE.replace(
        "'{}'\n)", "'{}', active TIMESTAMP DEFAULT clock_timestamp())"
    )

    async def _touched(self, session_id: str) -> None:
        await self._value("UPDATE chats SET active = clock_timestamp() WHERE id = $1", session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        await self._touched(session_id)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if cost_data:
            await self._touched(session_id)
        return found

    async def delete_before(self, cutoff: datetime) -> int:
        before = instant(cutoff).removesuffix("+00:00")
        removed: int = await self._value(
            "WITH gone AS (DELETE FROM chats WHERE active < $1::text::timestamp RETURNING 1)"
            " SELECT count(*) FROM gone",
            before,
        )
        return removed


@mutant("retention.compares-instants", "times are those of the server's zone: live sessions go")
class LeavesTheZoneToTheSession(KeepsTheServersTime):
    """Has `now()` in a column without zone, which PostgreSQL compares in the session's zone."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await self._value(
            "INSERT INTO chats (id, messages) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE"
            " SET messages = excluded.messages, active = clock_timestamp()",
            session_id,
            json.dumps(messages),
        )

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if not cost_data:
            return await self.exists(session_id)
        found = await self._value(
            "UPDATE chats SET costs = costs || $2::jsonb, active = clock_timestamp()"
            " WHERE id = $1 RETURNING 1",
            session_id,
            json.dumps(cost_data),
        )
        return found is not None

    async def delete_before(self, cutoff: datetime) -> int:
        removed: int = await self._value(
            "WITH gone AS (DELETE FROM chats WHERE active < $1::text::timestamptz RETURNING 1)"
            " SELECT count(*) FROM gone",
            instant(cutoff),
        )
        return removed
