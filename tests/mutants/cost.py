"""Stores that merge, keep or read cost data in a wrong way."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from .correct import DictStore, FileStore, Row, RowsStore, damage_file, damage_rows, encode, now
from .defect import mutant

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

Costs = dict[str, Any]


def deep(old: Json, new: Json) -> Json:
    """Merge objects at every level."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: deep(old.get(key), value) for key, value in new.items()}}


@mutant(
    "cost.merge-is-shallow",
    "update merges nested objects",
    also={"cost.last-write-wins": "update merges nested objects"},
)
class MergesNestedObjects(DictStore):
    """Merges objects below the top level too."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return deep(old, new)  # type: ignore[no-any-return]


@mutant("cost.merge-is-shallow", "update replaces all of cost_data", is_everywhere=True)
class ReplacesAllOfCostData(DictStore):
    """Assigns the column."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return new


@mutant("cost.merge-is-shallow", "the first write of a key wins", is_everywhere=True)
class TheFirstWriteWins(DictStore):
    """Merges the wrong way round."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return {**new, **old}


@mutant("cost.merge-is-shallow", "update adds numbers up")
class AddsUpNestedNumbers(DictStore):
    """Takes nested figures for those of the turn."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        if isinstance(old.get("usage"), dict) and "usage" in new:
            usage = old["usage"]
            sums = {key: usage.get(key, 0) + value for key, value in new["usage"].items()}
            new = {**new, "usage": {**usage, **sums}}
        return {**old, **new}


@mutant(
    "interface.claims-are-true",
    "cost-read is claimed, and nothing is read",
    also={"cost.merge-is-shallow": "update stores nothing"},
    is_everywhere=True,
)
class UpdateStoresNothing(DictStore):
    """Ignores a field that it does not know yet."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return old


@mutant(
    "cost.merge-is-shallow",
    "update appends to a list",
    also={
        "cost.last-write-wins": "an earlier write of a key stands",
        "cost.folds-like-a-dict": "get_cost_data answers {",
    },
)
class AppendsToLists(DictStore):
    """Takes a list for what is new in it."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        lists = {
            key: old[key] + value
            for key, value in new.items()
            if isinstance(value, list) and isinstance(old.get(key), list)
        }
        return {**old, **new, **lists}


@mutant(
    "cost.last-write-wins",
    "an earlier write of a key stands",
    also={"cost.falsy-values-count": "get_cost_data answers {'zero': 1, 'false': False"},
)
class TotalsNeverFall(DictStore):
    """Keeps the larger of two numbers."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        def larger(key: str, value: Json) -> Json:
            were = old.get(key)
            return max(were, value) if type(were) is type(value) is int else value

        return {**old, **{key: larger(key, value) for key, value in new.items()}}


@mutant(
    "cost.last-write-wins",
    "an earlier write of a key stands",
)
class SkipsWhatIsEqualInPython(DictStore):
    """Writes the keys that changed, and takes True for 1."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        changed = {key: value for key, value in new.items() if key not in old or old[key] != value}
        return {**old, **changed}


@mutant(
    "cost.last-write-wins",
    "an earlier write of a key stands",
    also={"cost.falsy-values-count": "get_cost_data answers {'zero': 0, 'false': False, 'text': 1"},
)
class KeepsTheTypeOfAKey(DictStore):
    """Ignores a value whose type is not the one that the key had."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        fits = {
            key: value
            for key, value in new.items()
            if not isinstance(value, str) or not isinstance(old.get(key), int)
        }
        return {**old, **fits}


@mutant(
    "cost.last-write-wins",
    "update raised ValueError: the key has another type",
    also={"cost.falsy-values-count": "update raised ValueError: the key has another type"},
)
class RefusesAnotherType(DictStore):
    """Has a schema that the first value of a key decides, as search engines have."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        for key, value in new.items():
            if isinstance(old.get(key), int | float) and isinstance(value, str):
                raise ValueError("the key has another type")  # noqa: TRY004 - of a key
        return {**old, **new}


@mutant(
    "cost.last-write-wins",
    "update adds numbers up",
    is_everywhere=True,
)
class AddsNumbersUp(DictStore):
    """Takes figures for those of the turn."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        def total(key: str, value: Json) -> Json:
            return old[key] + value if type(value) is type(old.get(key)) is int else value

        return {**old, **{key: total(key, value) for key, value in new.items()}}


@mutant("cost.last-write-wins", "update merges nested objects")
class MergesTheThirdLevel(DictStore):
    """Merges objects in objects, when there are some."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        def value_of(key: str) -> Json:
            is_nested = isinstance(new[key], dict) and isinstance(old.get(key), dict)
            inner = is_nested and any(isinstance(one, dict) for one in new[key].values())
            return deep(old[key], new[key]) if inner else new[key]

        return {**old, **{key: value_of(key) for key in new}}


@mutant(
    "cost.last-write-wins",
    "a key goes away",
    also={"cost.falsy-values-count": "get_cost_data answers {'zero': 0, 'false': False, 'list'"},
)
class AnotherTypeRemovesTheKey(DictStore):
    """Has a column for each type, and clears the one that is not written."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        changed = {
            key
            for key, value in new.items()
            if isinstance(value, str) and isinstance(old.get(key), int)
        }
        return {key: value for key, value in {**old, **new}.items() if key not in changed}


@mutant(
    "cost.null-is-a-value",
    "null removes its key",
    also={
        "cost.last-write-wins": "a key goes away",
        "cost.folds-like-a-dict": "get_cost_data answers",
        "values.json-round-trips": "{'value': None} comes back as {}",
    },
)
class NullRemovesTheKey(DictStore):
    """Merges as RFC 7396 says."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        kept = {**old, **new}
        return {key: value for key, value in kept.items() if value is not None}


@mutant(
    "cost.null-is-a-value",
    "null is ignored",
    also={
        "cost.last-write-wins": "an earlier write of a key stands",
        "cost.folds-like-a-dict": "get_cost_data answers",
        "values.json-round-trips": "{'value': None} comes back as {}",
    },
)
class IgnoresNull(DictStore):
    """Says `if value is not None`."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return {**old, **{key: value for key, value in new.items() if value is not None}}


def without_nulls(value: Json) -> Json:
    """Drop null members of objects at every level."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return value


@mutant(
    "cost.null-is-a-value",
    "nested nulls are dropped",
    also={"values.json-round-trips": "{'': None} comes back as {}"},
)
class DropsNestedNulls(DictStore):
    """Strips nulls from what is below a key."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return {**old, **{key: without_nulls(value) for key, value in new.items()}}


@mutant("cost.null-is-a-value", "the next update drops nulls")
class DropsNullsLater(DictStore):
    """Strips nulls from what is there, and not from what it is given."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return {**{key: value for key, value in old.items() if value is not None}, **new}


@mutant(
    "cost.falsy-values-count",
    "falsy values are not stored",
    is_everywhere=True,
)
class IgnoresFalsyValues(DictStore):
    """Says `if value`."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return {**old, **{key: value for key, value in new.items() if value or value is None}}


@mutant("cost.falsy-values-count", "falsy values are not stored")
class IgnoresAnUpdateOfZero(DictStore):
    """Writes nothing when no value of an update is true."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        if isinstance(cost_data, dict) and set(cost_data) == {"zero"}:
            return await super().update(session_id)
        return await super().update(session_id, cost_data=cost_data)


class KeyRewriting(DictStore):
    """Asks `key` under which name a value is stored: a correct start for defects."""

    def key(self, key: str) -> str:
        return key

    def merged(self, old: Costs, new: Costs) -> Costs:
        return {**old, **{self.key(key): value for key, value in new.items()}}


@mutant("cost.keys-are-opaque", "keys that differ in case are one key")
class FoldsTheCaseOfKeys(KeyRewriting):
    """Has keys in a column whose collation knows no case."""

    def key(self, key: str) -> str:
        return key.lower()


@mutant("cost.keys-are-opaque", "get_cost_data answers {")
class StripsKeys(KeyRewriting):
    """Trims keys."""

    def key(self, key: str) -> str:
        return key.strip()


@mutant("cost.keys-are-opaque", "get_cost_data answers {")
class NormalisesKeys(KeyRewriting):
    """Brings keys into one Unicode form."""

    def key(self, key: str) -> str:
        return unicodedata.normalize("NFC", key)


@mutant("cost.keys-are-opaque", "get_cost_data answers {")
class CutsLongKeys(KeyRewriting):
    """Has keys in a column of 255 characters."""

    def key(self, key: str) -> str:
        return key[:255]


@mutant("cost.keys-are-opaque", "get_cost_data answers {")
class ReadsDotsAsPaths(DictStore):
    """Hands keys to an operator that takes a dot for a level."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        for key, value in new.items():
            first, dot, rest = key.partition(".")
            old = {**old, first: {rest: value} if dot else value}
        return old


@mutant("cost.keys-are-opaque", "get_cost_data answers {")
class DropsTheEmptyKey(DictStore):
    """Says `if key`."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return {**old, **{key: value for key, value in new.items() if key}}


@mutant("cost.keys-are-opaque", "update raised ValueError: operators")
class RefusesDollars(KeyRewriting):
    """Lets the server refuse what it takes for an operator."""

    def key(self, key: str) -> str:
        if key.startswith("$"):
            raise ValueError("operators can't be keys")
        return key


@mutant("cost.keys-are-opaque", "update raised OperationalError")
class QuotesKeysByHand(RowsStore):
    """Builds the statement from the key."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        for key in cost_data or {}:
            with self.rows() as rows:
                rows.execute(f"SELECT '{key}'")
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "cost.update-without-fields-writes-nothing",
    "update without fields says that a missing session exists",
)
class UpdateOfNothingIsTrue(DictStore):
    """Returns early: there is nothing to do."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        return cost_data is None or await super().update(session_id, cost_data=cost_data)


@mutant(
    "cost.update-without-fields-writes-nothing",
    "update without fields says that the session is missing",
)
class UpdateOfNothingIsFalse(DictStore):
    """Answers whether a row was changed."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        return cost_data is not None and await super().update(session_id, cost_data=cost_data)


@mutant("cost.update-without-fields-writes-nothing", "update without fields creates the session")
class UpdateOfNothingCreates(DictStore):
    """Gets or creates before it looks at the fields."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if cost_data is None:
            self.rows.setdefault(session_id, Row(active=now()))
        return found


@mutant("cost.update-without-fields-writes-nothing", "update without fields resets cost data")
class UpdateOfNothingResets(DictStore):
    """Writes the default of the field."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data is None:
            self.rows[session_id].costs = "{}"
        return found


@mutant(
    "cost.update-without-fields-writes-nothing",
    "get_cost_data answers {'turns': 1, 'cost_data': None}, not",
)
class UpdateOfNothingStoresNull(DictStore):
    """Stores the field that was not given."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        fields = {"cost_data": None} if cost_data is None else cost_data
        return await super().update(session_id, cost_data=fields)


@mutant(
    "cost.update-without-fields-writes-nothing",
    "update without fields counts as activity",
    also={"retention.goes-by-last-activity": "an empty update counts as activity"},
)
class UpdateOfNothingIsActivity(DictStore):
    """Sets the time before it looks at the fields."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found:
            self.rows[session_id].active = now()
        return found


@mutant("cost.empty-update-changes-nothing", "an empty update says that the session is missing")
class AnEmptyUpdateIsFalse(DictStore):
    """Answers whether there was something to merge."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        return await super().update(session_id, cost_data=cost_data) and cost_data != {}


@mutant(
    "cost.empty-update-changes-nothing",
    "an empty update resets cost data",
    also={"cost.folds-like-a-dict": "get_cost_data answers {}, not {"},
)
class AnEmptyUpdateResets(DictStore):
    """Takes {} for the wish to forget."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data == {}:
            self.rows[session_id].costs = "{}"
        return found


@mutant("cost.empty-update-changes-nothing", "an empty update says that a missing session exists")
class AnEmptyUpdateIsTrue(DictStore):
    """Returns early: there is nothing to merge."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        return cost_data == {} or await super().update(session_id, cost_data=cost_data)


@mutant("cost.empty-update-changes-nothing", "an empty update creates the session")
class AnEmptyUpdateCreates(DictStore):
    """Gets or creates when there is nothing to merge."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if cost_data == {}:
            self.rows.setdefault(session_id, Row(active=now()))
        return found


@mutant(
    "cost.update-of-missing-creates-nothing",
    "update of a missing session says that it was stored",
    also={"lifecycle.missing-is-not-empty": "update of a missing session says that it was stored"},
)
class UpdateUpserts(DictStore):
    """Inserts on conflict update."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        if cost_data:
            self.rows.setdefault(session_id, Row(active=now()))
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "cost.update-of-missing-creates-nothing",
    "update of a missing session creates it",
    also={
        "lifecycle.missing-is-not-empty": "delete of a missing session says that it removed it",
    },
)
class UpdateUpsertsAndSaysFalse(DictStore):
    """Inserts on conflict update, and answers whether there was a conflict."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if cost_data and not found:
            self.rows[session_id] = Row(active=now())
        return found


class CostsApart(DictStore):
    """Keeps cost data in a dict of its own, as a second table: a correct start for defects."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.orphans: dict[str, Costs] = {}
        self.loaded: set[str] = set()

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if cost_data and not found:
            self.orphans[session_id] = cost_data
        return found


@mutant(
    "cost.update-of-missing-creates-nothing",
    "update of a missing session stores an empty history",
)
class UpdateOfMissingIsLoadedAsEmpty(CostsApart):
    """Joins the other way round in load."""

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        return [] if messages is None and session_id in self.orphans else messages


@mutant(
    "cost.update-of-missing-creates-nothing",
    "update of a missing session stores cost data",
    also={"lifecycle.missing-is-not-empty": "get_cost_data answers {'turns': 1}, not {}"},
)
class UpdateOfMissingIsReadable(CostsApart):
    """Writes the second table without a look at the first."""

    async def get_cost_data(self, session_id: str) -> Costs:
        known = await super().get_cost_data(session_id)
        return known if session_id in self.rows else self.orphans.get(session_id, {})


@mutant("cost.update-of-missing-creates-nothing", "cost data of a missing session waits for it")
class UpdateOfMissingWaits(CostsApart):
    """Writes the second table without a look at the first, and reads both."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        if session_id in self.orphans:
            await super().update(session_id, cost_data=self.orphans.pop(session_id))


@mutant("cost.update-keeps-messages", "update empties the history")
class UpdateEmptiesTheHistory(DictStore):
    """Writes the whole row without its messages, when there are some."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data == {"turns": 2}:
            self.rows[session_id].messages = "[]"
        return found


@mutant("cost.update-keeps-messages", "update loses the session")
class AZeroEndsTheSession(DictStore):
    """Takes a bill of zero for the end of a session."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if cost_data == {"turns": 0}:
            self.rows.pop(session_id, None)
        return found


@mutant("cost.update-keeps-messages", "load answers [{'role': 'user', 'content': 'one'}]")
class UpdateCutsTheHistory(DictStore):
    """Writes back the first of the joined rows."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data and "turns" in cost_data:
            row = self.rows[session_id]
            row.messages = json.dumps(json.loads(row.messages)[:1])
        return found


@mutant(
    "cost.starts-empty",
    "cost data starts as null",
    also={"lifecycle.missing-is-not-empty": "get_cost_data answers None, not {}"},
    is_everywhere=True,
)
class CostDataStartsAsNull(DictStore):
    """Answers None for no cost data."""

    async def get_cost_data(self, session_id: str) -> Any:
        return await super().get_cost_data(session_id) or None


@mutant(
    "cost.starts-empty",
    "get_cost_data raised KeyError",
    also={
        "lifecycle.missing-is-not-empty": "get_cost_data raised KeyError",
        "lifecycle.delete-answers-whether-it-existed": "get_cost_data raised KeyError",
        "cost.update-of-missing-creates-nothing": "get_cost_data raised KeyError",
    },
)
class ReadingCostsOfTheMissingRaises(DictStore):
    """Has no row to read from."""

    async def get_cost_data(self, session_id: str) -> Costs:
        self.check_open()
        return json.loads(self.rows[session_id].costs)  # type: ignore[no-any-return]


@mutant(
    "cost.starts-empty",
    "get_cost_data answers {'turns': 0, 'tokens': 0}, not {}",
    also={
        "lifecycle.create-keeps-the-given-id": "a created session has cost data",
        "lifecycle.missing-is-not-empty": "get_cost_data answers {'turns': 0, 'tokens': 0}, not {}",
        "lifecycle.delete-answers-whether-it-existed": "get_cost_data answers {'turns': 0",
        "lifecycle.recreated-starts-empty": "get_cost_data answers {'turns': 0",
        "messages.save-creates-a-missing-session": "a session that was made by save has cost data",
        "cost.update-of-missing-creates-nothing": "get_cost_data answers {'turns': 0",
        "cost.folds-like-a-dict": "get_cost_data answers {'turns': 0",
        "retention.counts-what-it-removed": "get_cost_data answers {'turns': 0",
        "retention.survivors-are-whole": "get_cost_data answers {'turns': 0",
    },
)
class ReadsZeroesForNothing(DictStore):
    """Fills a model with defaults."""

    async def get_cost_data(self, session_id: str) -> Costs:
        return await super().get_cost_data(session_id) or {"turns": 0, "tokens": 0}


@mutant("cost.read-does-not-consume", "reading takes cost data away")
class ReadingOftenTakesCostsAway(DictStore):
    """Hands figures over to a collector that asks again and again."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.reads: dict[str, int] = {}

    async def get_cost_data(self, session_id: str) -> Costs:
        costs = await super().get_cost_data(session_id)
        if set(costs) == {"turns", "usage"}:
            self.reads[session_id] = self.reads.get(session_id, 0) + 1
            if self.reads[session_id] == 3:
                self.rows[session_id].costs = "{}"
        return costs


@mutant(
    "cost.read-does-not-consume",
    "reading takes cost data away",
    also={"lifecycle.reads-change-nothing": "reading a session resets its cost data"},
    is_everywhere=True,
)
class ReadingTakesCostsAway(DictStore):
    """Reads and deletes in one command."""

    async def get_cost_data(self, session_id: str) -> Costs:
        costs = await super().get_cost_data(session_id)
        if session_id in self.rows:
            self.rows[session_id].costs = "{}"
        return costs


@mutant("cost.must-be-an-object", "update takes a list for cost data")
class TakesListsForCostData(DictStore):
    """Joins what it is given to what is there."""

    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        if isinstance(cost_data, list):
            return session_id in self.rows
        return await super().update(session_id, cost_data=cost_data)


@mutant("cost.must-be-an-object", "update takes a text for cost data")
class TakesTextForCostData(DictStore):
    """Takes a text for one that is encoded, and does not look into it."""

    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        if isinstance(cost_data, str):
            return session_id in self.rows
        return await super().update(session_id, cost_data=cost_data)


@mutant("cost.must-be-an-object", "update takes a number for cost data")
class TakesNumbersForCostData(DictStore):
    """Refuses what can be iterated over and is no object."""

    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        if isinstance(cost_data, int):
            return session_id in self.rows
        return await super().update(session_id, cost_data=cost_data)


@mutant("cost.must-be-an-object", "update with an empty list resets cost data")
class BeginsAnewWithWhatHoldsNothing(DictStore):
    """Takes what holds nothing, and is no object, for the wish to begin anew."""

    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        if cost_data is None or cost_data or isinstance(cost_data, dict):
            return await super().update(session_id, cost_data=cost_data)
        if row := self.row(session_id):
            row.costs = "{}"
        return row is not None


@mutant("cost.must-be-an-object", "update refuses a list after it has stored it")
class RefusesAListAfterItHasStoredIt(DictStore):
    """Joins first, and finds that the result is no object."""

    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        if isinstance(cost_data, list):
            self.rows[session_id].costs = json.dumps(cost_data)
        return await super().update(session_id, cost_data=cost_data)


@mutant("cost.must-be-an-object", "update refuses a text after it has reset cost data")
class RefusesATextAfterItHasReset(DictStore):
    """Empties the column before it merges."""

    async def update(self, session_id: str, *, cost_data: Any = None) -> bool:
        if isinstance(cost_data, str):
            self.rows[session_id].costs = "{}"
        return await super().update(session_id, cost_data=cost_data)


@mutant("cost.many-keys-and-large-values", "get_cost_data answers {'key 0': 0")
class KeepsAThousandKeys(DictStore):
    """Has a limit for the keys, and drops the others."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        return dict(list({**old, **new}.items())[:1000])


@mutant("cost.many-keys-and-large-values", "get_cost_data answers {'trace': ")
class CutsLargeValues(DictStore):
    """Has values in a column of 64 KiB."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        cut = {key: one[:65535] if isinstance(one, str) else one for key, one in new.items()}
        return {**old, **cut}


@mutant("cost.many-keys-and-large-values", "update raised OverflowError")
class RefusesManyParameters(DictStore):
    """Binds a parameter for each key, of which a statement takes 999."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        if len(new) > 999:
            raise OverflowError("too many SQL variables")
        return {**old, **new}


@mutant("cost.many-keys-and-large-values", "update raised OverflowError", effort="normal")
class RefusesVeryManyParameters(DictStore):
    """Binds two parameters for each key, of which a statement takes 32,766."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        if len(new) * 2 > 32_766:
            raise OverflowError("too many SQL variables")
        return {**old, **new}


@mutant("cost.folds-like-a-dict", "get_cost_data answers {")
class ManyKeysAtOnceLoseOne(DictStore):
    """Binds the keys of an update wrongly when there are three that it knows."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        known = [key for key in new if key in old and len(new) > 1 and key in ("a", "b")]
        return {**old, **{key: value for key, value in new.items() if key not in known}}


@mutant("cost.folds-like-a-dict", "get_cost_data answers {")
class ObjectsJoinLists(DictStore):
    """Appends an object to a list, as the operator of PostgreSQL does."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        joined = {
            key: [*old[key], value]
            for key, value in new.items()
            if isinstance(value, dict) and isinstance(old.get(key), list)
        }
        return {**old, **new, **joined}


class KeyByKey(DictStore):
    """Writes one key after the other."""

    def written(self, old: Costs, stored: Costs) -> Costs:
        raise NotImplementedError

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        row = self.row(session_id)
        if row and isinstance(cost_data, dict):
            stored: Costs = {}
            for key, value in cost_data.items():
                try:
                    encode([value], list)
                except ValueError:
                    row.costs = json.dumps(self.written(json.loads(row.costs), stored))
                    raise
                stored[key] = value
        return await super().update(session_id, cost_data=cost_data)


@mutant("cost.refused-update-changes-nothing", "an update that raised has stored a part")
class StoresUpToTheBadValue(KeyByKey):
    """Commits each key for itself."""

    def written(self, old: Costs, stored: Costs) -> Costs:
        return {**old, **stored}


@mutant(
    "cost.refused-update-changes-nothing",
    "an update that raised has stored a part",
)
class StoresUpToTheSurrogate(StoresUpToTheBadValue):
    """Looks for what is no JSON first, and commits each key for itself when it is encoded."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        if isinstance(cost_data, dict):
            json.dumps(cost_data, allow_nan=False)
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "cost.refused-update-changes-nothing",
    "an update that raised has reset cost data",
    also={"values.bad-value-poisons-nothing": "an odd value takes the other cost data with it"},
)
class ResetsWhenAValueIsBad(KeyByKey):
    """Empties the column before it encodes."""

    def written(self, old: Costs, stored: Costs) -> Costs:
        return {}


class TolerantStore(FileStore):
    """Reads what can't be read as nothing."""

    def read(self, session_id: str) -> Row | None:
        row = super().read(session_id)
        try:
            json.loads(row.costs if row else "{}")
        except ValueError:
            return row and Row(row.messages, "{}", row.active)
        return row


@mutant(
    "cost.unreadable-is-not-empty",
    "unreadable cost data reads as empty",
    corrupt=damage_file,
)
class UnreadableReadsAsEmpty(TolerantStore):
    """Says `except ValueError: return {}`."""


@mutant(
    "cost.unreadable-is-not-empty",
    "update writes over cost data that it can't read",
    corrupt=damage_file,
)
class UpdateWritesOverDamage(TolerantStore):
    """Raises where it reads, and starts anew where it merges."""

    async def get_cost_data(self, session_id: str) -> Costs:
        with self.locked():
            row = FileStore.read(self, session_id)
        return json.loads(row.costs) if row else {}


@mutant(
    "cost.unreadable-is-not-empty",
    "unreadable cost data reads as empty",
    corrupt=damage_rows,
)
class LeavesDamagedKeysOut(RowsStore):
    """Skips the rows that it can't decode."""

    async def get_cost_data(self, session_id: str) -> Costs:
        try:
            return await super().get_cost_data(session_id)
        except ValueError:
            return {}
