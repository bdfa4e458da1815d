"""Stores in which something leaks: from session to session, or over the edge of the store."""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from sessionstore_contract.values import copy

from .correct import DictStore, FileStore, Row, RowsStore, encode, now
from .defect import mutant

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sessionstore_contract.interface import Json


@mutant(
    "isolation.operations-touch-one-session",
    "delete of one session deletes another",
    also={
        "identifiers.are-exact": "ids that differ in case are one session for delete",
        "identifiers.mean-nothing": "the id '%' deletes another session",
    },
)
class DeletesByPrefix(RowsStore):
    """Deletes what begins with the id."""

    async def delete(self, session_id: str) -> bool:
        with self.rows() as rows:
            found = self.has(rows, session_id)
            rows.execute("DELETE FROM sessions WHERE id LIKE ? || '%'", [session_id])
            rows.execute("DELETE FROM costs WHERE id LIKE ? || '%'", [session_id])
        return found


@mutant(
    "isolation.operations-touch-one-session",
    "delete of one session deletes another",
    also={
        "identifiers.are-exact": "ids that differ in case are one session for delete",
        "identifiers.mean-nothing": "the id '%' deletes another session",
    },
)
class DeletesByPattern(RowsStore):
    """Compares ids with LIKE."""

    async def delete(self, session_id: str) -> bool:
        with self.rows() as rows:
            rows.execute("DELETE FROM costs WHERE id LIKE ?", [session_id])
            gone = rows.execute("DELETE FROM sessions WHERE id LIKE ?", [session_id])
            return gone.rowcount > 0


@mutant(
    "isolation.operations-touch-one-session",
    "delete of one session deletes another",
    also={
        "identifiers.mean-nothing": "the id '*' deletes another session",
    },
)
class DeletesByGlob(DictStore):
    """Finds the keys of a session by a pattern."""

    async def delete(self, session_id: str) -> bool:
        self.check_open()
        found = fnmatch.filter(self.rows, session_id)
        for name in found:
            del self.rows[name]
        return bool(found)


@mutant(
    "isolation.operations-touch-one-session",
    "delete of one session resets the costs of another",
    also={
        "identifiers.are-exact": "ids that differ in case share cost data",
        "identifiers.mean-nothing": "the id '%' resets the cost data of another session",
    },
)
class DeletesCostsByPrefix(RowsStore):
    """Deletes the keys of cost data that begin with the id."""

    async def delete(self, session_id: str) -> bool:
        with self.rows() as rows:
            rows.execute("DELETE FROM costs WHERE id LIKE ? || '%'", [session_id])
        return await super().delete(session_id)


@mutant(
    "isolation.operations-touch-one-session",
    "save of one session writes another",
    also={
        "identifiers.are-exact": "ids that differ in case are one session",
    },
)
class FoldsTheCaseOfIds(FileStore):
    """Has ids in file names, on a file system that knows no case."""

    def path(self, session_id: str) -> Path:
        return super().path(session_id.lower())


@mutant(
    "isolation.operations-touch-one-session",
    "save of one session writes another",
    also={
        "identifiers.mean-nothing": "load of the id 'victim",
    },
)
class CutsIdsAtTheQuery(FileStore):
    """Puts ids into a URL as they are."""

    def path(self, session_id: str) -> Path:
        return super().path(session_id.partition("?")[0])


@mutant(
    "isolation.operations-touch-one-session",
    "save of one session writes another",
    also={
        "identifiers.are-exact": "ids that differ in white space at the end are one session",
        "identifiers.mean-nothing": "load of the id 'victim",
    },
)
class StripsIds(FileStore):
    """Trims ids, as CHAR columns do."""

    def path(self, session_id: str) -> Path:
        return super().path(session_id.strip())


@mutant(
    "isolation.operations-touch-one-session",
    "update of one session writes another",
    also={
        "identifiers.are-exact": "ids that differ in case are one session for update",
        "identifiers.mean-nothing": "the id '%' writes the cost data of another session",
    },
)
class UpdatesByPattern(RowsStore):
    """Finds the row to update with LIKE."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        with self.rows() as rows:
            alike = rows.execute("SELECT id FROM sessions WHERE id LIKE ?", [session_id]).fetchall()
        for (name,) in alike:
            await super().update(name, cost_data=cost_data)
        return await super().update(session_id, cost_data=cost_data)


@mutant("isolation.operations-touch-one-session", "save of one session empties another")
class SavesEmptyTheFamily(DictStore):
    """Clears what is kept under the id and below it before it writes."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        for name, row in self.rows.items():
            if name.startswith(session_id) and name != session_id:
                row.messages = "[]"
        await super().save(session_id, messages)


class Addressing(DictStore):
    """Keeps each message once for all sessions, by its text: a start for defects."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.bodies: dict[str, str] = {}

    async def load(self, session_id: str) -> list[Json] | None:
        named = await super().load(session_id)
        found = None if named is None else [self.bodies.get(str(name)) for name in named]
        return None if found is None else [json.loads(one) for one in found if one is not None]

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        bodies = {self.named(one): json.dumps(one) for one in messages}
        before = self.names(session_id)
        await super().save(session_id, [self.named(one) for one in messages])
        self.bodies |= bodies
        self.replaced(before - bodies.keys())

    def named(self, message: Json) -> str:
        return hashlib.sha256(json.dumps(message).encode()).hexdigest()

    def names(self, session_id: str) -> set[str]:
        row = self.rows.get(session_id)
        return set() if row is None else set(json.loads(row.messages))

    def replaced(self, names: set[str]) -> None:
        """Take note that a session has these messages no longer."""

    def drop(self, names: set[str]) -> None:
        for name in names:
            self.bodies.pop(name, None)


@mutant(
    "isolation.operations-touch-one-session",
    "save of one session empties another",
    also={
        "values.bad-value-poisons-nothing": "an odd value in one session empties another",
        "retention.survivors-are-whole": "load answers [], not [{'role': 'user', 'content': 'be",
    },
)
class RemovesWhatOthersHave(Addressing):
    """Removes a message with the first session that has it no longer."""

    def replaced(self, names: set[str]) -> None:
        self.drop(names)


@mutant("isolation.operations-touch-one-session", "delete of one session empties another")
class DeletesWhatOthersHave(Addressing):
    """Removes with a session all messages that it has, whoever else has them."""

    async def delete(self, session_id: str) -> bool:
        names = self.names(session_id)
        found = await super().delete(session_id)
        self.drop(names if found else set())
        return found


@mutant(
    "isolation.operations-touch-one-session", "update of one session resets the costs of another"
)
class RemovesCostsThatOthersHave(DictStore):
    """Keeps equal cost data once, and removes it when the first session gets other."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.removed: set[str] = set()

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        costs = await super().get_cost_data(session_id)
        return {} if json.dumps(costs) in self.removed else costs

    def merged(self, old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
        found = super().merged(old, new)
        if old and found != old:
            self.removed.add(json.dumps(old))
        self.removed.discard(json.dumps(found))
        return found


class Referring(DictStore):
    """Keeps objects beside the encoded row and answers copies of them: a start for defects."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.messages: dict[str, Any] = {}
        self.costs: dict[str, Any] = {}

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        self.messages[session_id] = self.taken(messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data:
            known = self.costs.get(session_id)
            self.costs[session_id] = (
                self.taken(cost_data) if known is None else {**known, **self.taken(cost_data)}
            )
        return found

    def taken(self, value: Json) -> Json:
        return json.loads(json.dumps(value))

    def given(self, value: Json) -> Json:
        return json.loads(json.dumps(value))

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        return self.given(self.messages[session_id]) if messages else messages

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        costs = await super().get_cost_data(session_id)
        return self.given(self.costs[session_id]) if costs else costs

    async def delete(self, session_id: str) -> bool:
        self.costs.pop(session_id, None)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: Any) -> int:
        for name in self.idle(cutoff):
            self.costs.pop(name, None)
        return await super().delete_before(cutoff)


@mutant(
    "isolation.arguments-stay-the-callers",
    "the store follows later changes to saved messages",
)
class KeepsTheMessagesThemselves(Referring):
    """Keeps a reference to the list that it was given."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return await super().update(session_id, cost_data=copy(cost_data))

    def taken(self, value: Json) -> Json:
        return value


@mutant("isolation.arguments-stay-the-callers", "the store follows later changes to cost data")
class KeepsTheCostDataItself(Referring):
    """Keeps a reference to the object that it was given."""

    def taken(self, value: Json) -> Json:
        return value if isinstance(value, dict) else super().taken(value)


@mutant(
    "isolation.arguments-stay-the-callers",
    "the store follows later changes to nested cost data",
)
class KeepsNestedCostDataItself(Referring):
    """Copies the object that it was given, and not what is in it."""

    def taken(self, value: Json) -> Json:
        return dict(value) if isinstance(value, dict) else super().taken(value)


@mutant(
    "isolation.arguments-stay-the-callers", "load answers [{'role': 'user', 'content': {'parts'"
)
class KeepsNestedMessagesThemselves(Referring):
    """Copies the list that it was given, and not what is in it."""

    def taken(self, value: Json) -> Json:
        return list(value) if isinstance(value, list) else super().taken(value)


@mutant("isolation.arguments-stay-the-callers", "save changes its argument")
class SaveTakesRolesOut(DictStore):
    """Takes members out of the messages that it was given, to keep them in columns."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        for one in messages:
            one.pop("role", None)


@mutant("isolation.arguments-stay-the-callers", "update changes its argument")
class UpdateStampsItsArgument(DictStore):
    """Writes a time into the object that it was given."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if cost_data:
            cost_data["updated_at"] = now()
        return found


@mutant("isolation.answers-are-copies", "load hands out one empty list to all")
class HasOneEmptyHistory(DictStore):
    """Answers a constant where there are no messages."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.nothing: list[Json] = []

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        return self.nothing if messages == [] else messages


@mutant("isolation.answers-are-copies", "get_cost_data hands out one empty object to all")
class HasOneEmptyObject(DictStore):
    """Answers a constant where there is no cost data."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.nothing: dict[str, Json] = {}

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        return await super().get_cost_data(session_id) or self.nothing


@mutant("isolation.answers-are-copies", "get_cost_data hands out one empty object to all")
class HasOneObjectForTheMissing(DictStore):
    """Answers a constant where there is no session."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.nothing: dict[str, Json] = {}

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        is_missing = self.row(session_id) is None
        return self.nothing if is_missing else await super().get_cost_data(session_id)


@mutant("isolation.answers-are-copies", "two loads at once hand out one list")
class LoadsOnceForAll(DictStore):
    """Reads once for all who wait, and answers them all with that."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.under_way: dict[tuple[str, str], asyncio.Task[list[Json]]] = {}

    async def load(self, session_id: str) -> list[Json] | None:
        row = self.row(session_id)
        if row is None:
            return None
        key = session_id, row.messages
        if key not in self.under_way:
            self.under_way[key] = asyncio.ensure_future(self.read(*key))
        return await asyncio.shield(self.under_way[key])

    async def read(self, session_id: str, text: str) -> list[Json]:
        await asyncio.sleep(0)
        del self.under_way[session_id, text]
        messages: list[Json] = json.loads(text)
        return messages


@mutant("isolation.answers-are-copies", "load hands out what the store keeps")
class HandsOutItsMessages(Referring):
    """Answers the very list that it keeps."""

    def given(self, value: Json) -> Json:
        return value if isinstance(value, list) else super().given(value)


@mutant("isolation.answers-are-copies", "load hands out the messages that the store keeps")
class HandsOutNestedMessages(Referring):
    """Answers a new list of the messages that it keeps."""

    def given(self, value: Json) -> Json:
        return list(value) if isinstance(value, list) else super().given(value)


@mutant("isolation.answers-are-copies", "get_cost_data hands out what the store keeps")
class HandsOutItsCostData(Referring):
    """Answers the very object that it keeps."""

    def given(self, value: Json) -> Json:
        return value if isinstance(value, dict) else super().given(value)


@mutant(
    "isolation.answers-are-copies",
    "get_cost_data hands out nested values that the store keeps",
)
class HandsOutNestedCostData(Referring):
    """Answers a new object of the values that it keeps."""

    def given(self, value: Json) -> Json:
        return dict(value) if isinstance(value, dict) else super().given(value)


@mutant("isolation.places-are-apart", "a store on another place loads a session of the first")
class CachesForAllPlaces(FileStore):
    """The class keeps what was loaded, by the id alone."""

    cache: ClassVar[dict[str, list[Json]]] = {}

    async def load(self, session_id: str) -> list[Json] | None:
        found = None if self.is_closed else self.cache.get(session_id)
        if found is None:
            found = await super().load(session_id)
        if found is None:
            return None
        self.cache[session_id] = found
        return list(copy(found))

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        self.cache.pop(session_id, None)

    async def delete(self, session_id: str) -> bool:
        self.cache.pop(session_id, None)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        self.cache.clear()
        return await super().delete_before(cutoff)


@mutant("isolation.places-are-apart", "a store on another place sees a session of the first")
class RemembersIdsForAllPlaces(FileStore):
    """The class keeps the ids that were seen, and asks for none of them again."""

    seen: ClassVar[set[str]] = set()

    async def exists(self, session_id: str) -> bool:
        if session_id in self.seen and not self.is_closed:
            return True
        if found := await super().exists(session_id):
            self.seen.add(session_id)
        return found

    async def delete(self, session_id: str) -> bool:
        self.seen.discard(session_id)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        self.seen.clear()
        return await super().delete_before(cutoff)


@mutant(
    "isolation.places-are-apart",
    "a store on another place reads the costs of a session of the first",
)
class CachesCostsForAllPlaces(FileStore):
    """The class keeps what was spent, by the id alone."""

    spent: ClassVar[dict[str, dict[str, Json]]] = {}

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        found = None if self.is_closed else self.spent.get(session_id)
        if found is None:
            found = await super().get_cost_data(session_id)
        self.spent[session_id] = found
        return dict(copy(found))

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        self.spent.pop(session_id, None)
        return found

    async def create(self, session_id: str | None = None) -> str:
        self.spent.pop(session_id or "", None)
        return await super().create(session_id)

    async def delete(self, session_id: str) -> bool:
        self.spent.pop(session_id, None)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        self.spent.clear()
        return await super().delete_before(cutoff)


@mutant("isolation.places-are-apart", "a store on another place changes a session of the first")
class WritesWhereTheFirstWrote(FileStore):
    """The class keeps the file of an id, for those who write."""

    files: ClassVar[dict[str, Path]] = {}

    def write(self, session_id: str, row: Row) -> None:
        path = self.files.setdefault(session_id, self.path(session_id))
        path.with_suffix(".new").write_text(json.dumps(asdict(row)), "utf-8")
        path.with_suffix(".new").replace(path)

    def remove(self, session_id: str) -> None:
        self.files.pop(session_id, None)
        super().remove(session_id)


@mutant("isolation.places-are-apart", "a store on another place changes a session of the first")
class KeepsCostsForAllPlaces(FileStore):
    """The class keeps what sessions have spent, and the place that there are such sessions."""

    spent: ClassVar[dict[str, dict[str, Json]]] = {}

    def read(self, session_id: str) -> Row | None:
        row = super().read(session_id)
        if row is not None and session_id in self.spent:
            row.costs = json.dumps(self.spent[session_id])
        return row

    def write(self, session_id: str, row: Row) -> None:
        if row.costs != "{}":
            self.spent[session_id] = json.loads(row.costs)
        super().write(session_id, row)

    def remove(self, session_id: str) -> None:
        super().remove(session_id)
        self.spent.pop(session_id, None)

    async def delete_before(self, cutoff: datetime) -> int:
        self.spent.clear()
        return await super().delete_before(cutoff)


class RemembersForAllPlaces(FileStore):
    """The class keeps the ids that were written: a start for defects."""

    written: ClassVar[set[str]] = set()

    def write(self, session_id: str, row: Row) -> None:
        super().write(session_id, row)
        self.written.add(session_id)

    def remove(self, session_id: str) -> None:
        super().remove(session_id)
        self.written.discard(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        self.written.clear()
        return await super().delete_before(cutoff)


@mutant("isolation.places-are-apart", "update answers True, not False")
class UpdatesWhatItRemembers(RemembersForAllPlaces):
    """Says of a session of another place that its update is stored."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        return found or session_id in self.written


@mutant("isolation.places-are-apart", "delete answers True, not False")
class DeletesWhatItRemembers(RemembersForAllPlaces):
    """Says of a session of another place that it is deleted."""

    async def delete(self, session_id: str) -> bool:
        is_known = session_id in self.written
        return await super().delete(session_id) or is_known
