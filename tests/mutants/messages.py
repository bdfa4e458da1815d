"""Stores that change, cut or lose the history."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any

from .correct import DictStore, Row, encode, now
from .defect import mutant
from .values import SURROGATES

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json


class Saving(DictStore):
    """Asks `kept` what becomes of the old and the new messages: a correct start for defects."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return new

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        old = await super().load(session_id) or []
        await super().save(session_id, self.kept(old, messages))


@mutant(
    "messages.save-then-load",
    "load answers the messages in reverse order",
    is_everywhere=True,
)
class LoadsTheLatestFirst(DictStore):
    """Orders by time, descending."""

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        return messages and messages[::-1]


@mutant(
    "messages.save-replaces-the-history",
    "save raised IndexError: list index out of range",
    is_everywhere=True,
)
class LooksAtTheLastMessage(DictStore):
    """Keeps the end of the history beside it, for a list of chats."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        self.shown = messages[-1]
        await super().save(session_id, messages)


@mutant("messages.any-message-shape", "save raised IntegrityError: UNIQUE constraint failed")
class MessageIdsAreUnique(DictStore):
    """Has a row for each message, whose id is its key."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        ids = [one["id"] for one in messages if isinstance(one, dict) and "id" in one]
        if any(ids.count(one) > 1 for one in ids):
            raise sqlite3.IntegrityError("UNIQUE constraint failed: messages.id")
        await super().save(session_id, messages)


@mutant("messages.save-then-load", "save stores nothing", is_everywhere=True)
class SaveForgetsToCommit(DictStore):
    """Writes in a transaction that is never committed."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        self.rows.setdefault(session_id, Row()).active = now()


@mutant("messages.save-then-load", "save loses the session", is_everywhere=True)
class SaveDeletesAndFailsToInsert(DictStore):
    """Replaces by a delete, and an insert that goes nowhere."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        encode(messages, list)
        self.rows.pop(session_id, None)


@mutant("messages.save-then-load", "the first save stands", is_everywhere=True)
class TheFirstSaveStands(Saving):
    """Inserts on conflict do nothing."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old or new


@mutant("messages.save-then-load", "save appends to the history", is_everywhere=True)
class SaveAppends(Saving):
    """Takes what it is given for the new messages of the turn."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old + new


@mutant(
    "messages.save-then-load",
    "save adds only one message",
    is_everywhere=True,
)
class SaveAddsTheLastMessage(Saving):
    """Takes a save for one new message."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old + new[-1:]


@mutant(
    "messages.save-replaces-the-history",
    "save appends to the history",
    also={"retention.survivors-are-whole": "load answers [{'role': 'user', 'content': 'before'}"},
    is_everywhere=True,
)
class ShorterIsAppended(Saving):
    """Takes a history that does not begin like the old one for new messages."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old + new if old and new and old[0] != new[0] else new


@mutant("messages.save-replaces-the-history", "save overwrites the head and keeps the tail")
class KeepsTheTail(Saving):
    """Writes a row for each message by its number, and removes none."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return new + old[len(new) :] if new else []


@mutant("messages.save-replaces-the-history", "save keeps the longer history")
class KeepsTheLongerHistory(Saving):
    """Takes a shorter history for one that is out of date."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old if len(old) > len(new) > 0 else new


@mutant("messages.save-replaces-the-history", "save adds only messages that are new")
class AddsWhatIsNew(Saving):
    """Compares messages with those that are there."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        is_cut = bool(new) and bool(old) and new[0] in old[1:]
        return old + [one for one in new if one not in old] if is_cut else new


@mutant("messages.save-replaces-the-history", "save of an empty history is ignored")
class IgnoresAnEmptyHistory(Saving):
    """Says `if messages:` before it writes."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return new or old


@mutant(
    "messages.save-replaces-the-history",
    "save of an empty history deletes the session",
    also={
        "lifecycle.missing-is-not-empty": "an empty history is loaded as a missing session",
        "messages.save-keeps-cost-data": "save resets cost data",
        "retention.counts-what-it-removed": "delete_before answers 149, not 150",
    },
)
class AnEmptyHistoryDeletesTheSession(DictStore):
    """Removes the rows of the session and inserts one for each message."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        known = await super().load(session_id)
        await super().save(session_id, messages)
        if known is not None and not messages:
            await super().delete(session_id)


@mutant(
    "messages.save-creates-a-missing-session",
    "save raised KeyError",
    also={"retention.survivors-are-whole": "writes beside delete_before: save raised KeyError"},
)
class SaveRefusesTheUnknown(DictStore):
    """Demands a create first."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if session_id not in self.rows:
            raise KeyError(session_id)
        await super().save(session_id, messages)


@mutant(
    "messages.save-creates-a-missing-session",
    "save of an unknown session is lost",
    also={
        "lifecycle.create-refuses-a-taken-id": "create answers an id that a save has taken as if",
        "retention.survivors-are-whole": "a session saved while delete_before runs is removed",
    },
)
class SaveOfTheUnknownIsLost(DictStore):
    """Updates, and does not look at the row count."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.check_open()
        if session_id in self.rows or not messages:
            await super().save(session_id, messages)


@mutant("messages.save-creates-a-missing-session", "a session that was made by save does not exist")
class SaveMakesMessagesWithoutASession(DictStore):
    """Writes the second of two tables alone."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.created: set[str] = set()

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        self.created.add(name)
        return name

    async def exists(self, session_id: str) -> bool:
        return await super().exists(session_id) and session_id in self.created


@mutant(
    "messages.save-creates-a-missing-session",
    "a session that was made by save has cost data",
    also={
        "cost.starts-empty": "get_cost_data answers {'turns': 0}, not {}",
        "cost.update-of-missing-creates-nothing": "get_cost_data answers {'turns': 0}, not {}",
        "lifecycle.recreated-starts-empty": "get_cost_data answers {'turns': 0}, not {}",
        "retention.counts-what-it-removed": "get_cost_data answers {'turns': 0}, not {}",
        "retention.survivors-are-whole": "get_cost_data answers {'turns': 0}, not",
    },
)
class SaveStartsWithZeroes(DictStore):
    """Gives a session that it makes a bill of zeroes."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        is_new = session_id not in self.rows
        await super().save(session_id, messages)
        if is_new:
            self.rows[session_id].costs = '{"turns": 0}'


class Indexing(DictStore):
    """Knows what was created apart from what was saved: a correct start for defects."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.created: set[str] = set()

    async def create(self, session_id: str | None = None) -> str:
        name = await super().create(session_id)
        self.created.add(name)
        return name


@mutant(
    "messages.save-creates-a-missing-session", "a session that was made by save takes no update"
)
class UpdatesWhatWasCreated(Indexing):
    """Looks for the row of the session where create alone writes one."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        return found and session_id in self.created


@mutant("messages.save-creates-a-missing-session", "a session that was made by save is not deleted")
class DeletesWhatWasCreated(Indexing):
    """Looks for the row of the session where create alone writes one."""

    async def delete(self, session_id: str) -> bool:
        self.check_open()
        return session_id in self.created and await super().delete(session_id)


@mutant("messages.save-keeps-cost-data", "save resets cost data")
class SaveResetsCostData(DictStore):
    """Inserts or replaces the whole row."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.check_open()
        self.rows[session_id] = Row(encode(messages, list), "{}", now())


@mutant("messages.save-keeps-cost-data", "save resets cost data")
class SaveOfNothingResetsCostData(DictStore):
    """Takes an empty history for a new session."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        if not messages:
            self.rows[session_id].costs = "{}"


@mutant("messages.save-keeps-cost-data", "save resets cost data")
class TheSecondSaveResetsCostData(DictStore):
    """Keeps cost data on insert and loses it on conflict."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        if len(messages) > 1:
            self.rows[session_id].costs = "{}"


@mutant(
    "messages.save-keeps-cost-data",
    "get_cost_data answers {'turns': 1, 'model': 'm', 'messages': 1}",
    also={
        "retention.survivors-are-whole": "get_cost_data answers {'before': 1, 'messages': 1}, not"
    },
)
class SaveCountsInCostData(DictStore):
    """Keeps a count of its own among the figures of the caller."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        row = self.rows[session_id]
        if row.costs != "{}":
            row.costs = json.dumps({**json.loads(row.costs), "messages": len(messages)})


@mutant("messages.any-message-shape", "empty messages are dropped")
class DropsEmptyMessages(Saving):
    """Says `if message` in a comprehension."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return [one for one in new if one]


def without_nulls(value: Any) -> Any:
    """Drop null members of an object."""
    return {name: one for name, one in value.items() if one is not None}


@mutant("messages.any-message-shape", "nulls are dropped")
class DropsNulls(Saving):
    """Dumps models with exclude_none."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return [without_nulls(one) for one in new]


@mutant("messages.any-message-shape", "repeated messages are dropped")
class DropsRepeated(Saving):
    """Makes messages unique by what they say."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return [one for number, one in enumerate(new) if one not in new[:number]]


@mutant("messages.any-message-shape", "load answers [{")
class KeepsKnownMembers(Saving):
    """Maps messages on a model with the members of today."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        known = ("role", "content", "tool_call_id")
        return [{name: one[name] for name in known if name in one} for one in new]


@mutant("messages.any-message-shape", "save raised KeyError: 'role'")
class DemandsARole(Saving):
    """Has a column for the role, which must not be null."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return [one for one in new if one["role"]]


@mutant(
    "messages.any-message-shape",
    "load answers [{",
    also={
        "isolation.arguments-stay-the-callers": "load answers [{",
    },
    is_everywhere=True,
)
class ContentIsText(Saving):
    """Has a column of text for the content."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return [
            {**one, "content": str(one["content"])} if one.get("content") is not None else one
            for one in new
        ]


@mutant("messages.any-message-shape", "load answers [{")
class WritesMembersOfItsOwn(Saving):
    """Numbers the messages that have no id."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return [one or {"id": 1} for one in new]


@mutant("messages.long-histories", "load answers [{'role': 'user', 'content': 'message 0'}")
class LoadsAPage(DictStore):
    """Loads the first thousand messages."""

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        return messages and messages[:1000]


@mutant("messages.long-histories", "load answers [{'role': 'user', 'content': 'message 2000'}")
class KeepsTheLastMessages(Saving):
    """Keeps a window of the history."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return new[-1000:]


@mutant(
    "messages.long-histories", "load answers [{'role': 'user', 'content': '0123456789abcdef0123"
)
class CutsLongTexts(Saving):
    """Keeps texts in a column of 64 KiB."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return [
            {**one, "content": one["content"][:65535]}
            if isinstance(one.get("content"), str)
            else one
            for one in new
        ]


@mutant("messages.long-histories", "load answers [{'n': 0}, ", effort="normal")
class NumbersMessagesIn16Bits(Saving):
    """Has a row for each message, and a SMALLINT for its place."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return new[:32768]


@mutant("messages.long-histories", "save raised OverflowError")
class RefusesLongHistories(DictStore):
    """Has a limit of 64 KiB for a document."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if len(json.dumps(messages, default=str)) > 65536:
            raise OverflowError("the document is too large")
        await super().save(session_id, messages)


class MessageByMessage(DictStore):
    """Writes one message after the other, and fails at the first that it can't encode."""

    async def begin(self, row: Row) -> list[Json]:
        raise NotImplementedError

    async def save(self, session_id: str, messages: Any) -> None:
        if isinstance(messages, list) and (row := self.row(session_id)):
            stored = await self.begin(row)
            try:
                for one in messages:
                    stored.append(json.loads(encode([one], list))[0])
            finally:
                row.messages = json.dumps(stored)
            row.messages = json.dumps(stored[-len(messages) :] if messages else [])
            row.active = now()
        else:
            await super().save(session_id, messages)


@mutant("messages.refused-save-changes-nothing", "a save that raised has stored a part")
class StoresUpToTheBadMessage(MessageByMessage):
    """Commits each message for itself."""

    async def begin(self, row: Row) -> list[Json]:
        return []


@mutant(
    "messages.refused-save-changes-nothing",
    "a save that raised has stored a part",
)
class StoresUpToTheSurrogate(StoresUpToTheBadMessage):
    """Looks for what is no JSON first, and commits each message for itself when it is encoded."""

    async def save(self, session_id: str, messages: Any) -> None:
        json.dumps(messages, allow_nan=False)
        await super().save(session_id, messages)


@mutant(
    "messages.refused-save-changes-nothing",
    "load raised JSONDecodeError",
    also={
        SURROGATES: "save refuses a text with a lone surrogate, and then load raised JSONDecodeErr",
    },
)
class OpensItsFileFirst(DictStore):
    """Opens the file to write into it, and then encodes text by text."""

    async def save(self, session_id: str, messages: Any) -> None:
        text = json.dumps(messages, ensure_ascii=False, allow_nan=False)
        row = self.row(session_id)
        if row is not None and re.search("[\ud800-\udfff]", text):
            row.messages = re.split("[\ud800-\udfff]", text)[0]
        await super().save(session_id, messages)


@mutant("messages.refused-save-changes-nothing", "a save that raised has added a part")
class AddsUpToTheBadMessage(MessageByMessage):
    """Adds the new rows before it removes the old ones, without a transaction."""

    async def begin(self, row: Row) -> list[Json]:
        old: list[Json] = json.loads(row.messages)
        return old


class Preparing(DictStore):
    """Does something to the row before it looks at what it was given."""

    def prepare(self, session_id: str, row: Row) -> None:
        raise NotImplementedError

    async def save(self, session_id: str, messages: Any) -> None:
        row = self.row(session_id)
        if row is not None and isinstance(messages, list):
            self.prepare(session_id, row)
        await super().save(session_id, messages)


@mutant("messages.refused-save-changes-nothing", "a save that raised has emptied the history")
class EmptiesBeforeItEncodes(Preparing):
    """Removes the old messages before it encodes the new ones."""

    def prepare(self, session_id: str, row: Row) -> None:
        row.messages = "[]"


@mutant("messages.refused-save-changes-nothing", "a save that raised has deleted the session")
class DeletesBeforeItEncodes(DictStore):
    """Removes the session and makes it again around what can't be encoded."""

    async def save(self, session_id: str, messages: Any) -> None:
        self.check_open()
        row = self.rows.pop(session_id, None) if isinstance(messages, list) else None
        text = encode(messages, list)
        if row is not None:
            self.rows[session_id] = row
            row.messages, row.active = text, now()
        else:
            await super().save(session_id, messages)


@mutant("messages.refused-save-changes-nothing", "a save that raised has reset cost data")
class ResetsCostsWhenItFails(DictStore):
    """Undoes more than it did."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except ValueError:
            if session_id in self.rows:
                self.rows[session_id].costs = "{}"
            raise


@mutant("messages.must-be-a-list", "save takes None for messages")
class SaveTakesAnyJson(DictStore):
    """Encodes whatever it is given."""

    async def save(self, session_id: str, messages: Any) -> None:
        text = encode(messages, type(messages))
        await super().save(session_id, [])
        self.rows[session_id].messages = text


@mutant("messages.must-be-a-list", "save takes an object for messages")
class SaveTakesAnObject(DictStore):
    """Refuses what it can't iterate over."""

    async def save(self, session_id: str, messages: Any) -> None:
        await super().save(session_id, list(messages))


@mutant("messages.must-be-a-list", "save takes a text for messages")
class SaveTakesASequence(DictStore):
    """Refuses what has no order."""

    async def save(self, session_id: str, messages: Any) -> None:
        if isinstance(messages, dict):
            raise TypeError("an object has no order")
        await super().save(session_id, list(messages))


@mutant("messages.must-be-a-list", "save takes an empty object for messages")
class SaveChecksMembersAlone(DictStore):
    """Refuses what its members show to be no list, and an empty one has none."""

    async def save(self, session_id: str, messages: Any) -> None:
        await super().save(session_id, [] if messages == {} else messages)


@mutant("messages.must-be-a-list", "save refuses None after it has stored it")
class SaveRefusesAfterItHasStored(DictStore):
    """Writes, and counts the messages then."""

    async def save(self, session_id: str, messages: Any) -> None:
        await super().save(session_id, messages if isinstance(messages, list) else [])
        self.rows[session_id].messages = encode(messages, type(messages))
        len(messages)


@mutant("messages.must-be-a-list", "save refuses None after it has emptied the history")
class SaveRefusesAfterItHasEmptied(DictStore):
    """Removes the old rows, and iterates over what it was given then."""

    async def save(self, session_id: str, messages: Any) -> None:
        if not isinstance(messages, list):
            self.rows[session_id].messages = "[]"
        await super().save(session_id, messages)
