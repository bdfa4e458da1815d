"""Stores that look into a chat, or into the figures of a turn, by names that are usual there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .correct import DictStore, encode
from .defect import mutant
from .messages import Saving

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

Costs = dict[str, Any]


def role(message: Json) -> Any:
    return message.get("role") if isinstance(message, dict) else None


@mutant("messages.any-message-shape", "system messages are dropped")
class DropsSystemMessages(Saving):
    """Takes the system prompt for no part of the history."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return [one for one in new if role(one) != "system"]


@mutant("messages.any-message-shape", "system messages are put first")
class PutsSystemMessagesFirst(Saving):
    """Keeps the system prompt in a column of its own."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return sorted(new, key=lambda one: role(one) != "system")


@mutant("messages.any-message-shape", "messages are put in the order of their times")
class OrdersByTheTimesOfMessages(Saving):
    """Has a row for each message, and orders by the time that is in it, where all have one."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        is_timed = all(isinstance(one, dict) and "timestamp" in one for one in new)
        return sorted(new, key=lambda one: str(one["timestamp"])) if is_timed else new


@mutant("messages.any-message-shape", "of messages with one id one is kept")
class KeepsOneMessageOfAnId(Saving):
    """Has a row for each message, under its id: of two the later one is written over the other."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        rows: dict[Any, Json] = {}
        for number, one in enumerate(new):
            named = one.get("id") if isinstance(one, dict) else None
            rows[named if isinstance(named, str) else number] = one
        return list(rows.values())


@mutant("messages.any-message-shape", "what a chat ends with is dropped")
class RepairsAnOpenCall(Saving):
    """Takes away a call of a tool that nothing has answered, as the next request would fail."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        is_open = bool(new) and isinstance(new[-1], dict) and bool(new[-1].get("tool_calls"))
        return new[:-1] if is_open else new


@mutant("messages.any-message-shape", "what a chat ends with is dropped")
class DropsAnAnswerThatWasCutOff(Saving):
    """Takes away an answer without a word at the end of a chat."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        is_empty = len(new) > 3 and role(new[-1]) == "assistant" and not new[-1].get("content")
        return new[:-1] if is_empty and not new[-1].get("tool_calls") else new


@mutant("messages.any-message-shape", "load answers [{'id': 'msg_1', 'timestamp'")
class DecodesArguments(DictStore):
    """Reads the arguments of a tool, which are JSON in a text, as what the text says."""

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        for one in messages or []:
            for call in one.get("tool_calls") or [] if isinstance(one, dict) else []:
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        return messages


@mutant("messages.any-message-shape", "load answers [{'id': 'msg_1', 'timestamp'")
class FlattensTexts(DictStore):
    """Answers the text where content is a list of one text."""

    async def load(self, session_id: str) -> list[Json] | None:
        messages = await super().load(session_id)
        for one in messages or []:
            parts = one.get("content") if isinstance(one, dict) else None
            if isinstance(parts, list) and len(parts) == 1 and parts[0].get("type") == "text":
                one["content"] = parts[0]["text"]
        return messages


@mutant("messages.any-message-shape", "load answers [{'id': 'msg_1', 'timestamp'")
class StripsImages(DictStore):
    """Saves room, and keeps a word for each image."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        text = re.sub(r'"data:image/[^"]*"', '"[image]"', encode(messages, list))
        await super().save(session_id, json.loads(text))


@mutant(
    "messages.save-replaces-the-history",
    "save keeps what is there and adds what is beyond it",
)
class WritesWhatIsBeyond(Saving):
    """Takes a longer history for the one that is there, gone on with."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old + new[len(old) :] if len(new) > len(old) > 2 else new


@mutant(
    "messages.save-replaces-the-history",
    "save keeps what is there and adds what is beyond it",
)
class MessagesOfAnIdStand(Saving):
    """Inserts messages by their ids, on conflict do nothing."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        known = {one["id"]: one for one in old if isinstance(one, dict) and "id" in one}
        return [known.get(str(one.get("id")), one) if isinstance(one, dict) else one for one in new]


@mutant("messages.save-replaces-the-history", "save of a longer history is ignored")
class ComparesTheSecondMessage(Saving):
    """Skips what has the same second message and ids."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old if len(new) > len(old) > 1 and old[1] == new[1] and "id" in old[1] else new


@mutant(
    "messages.save-replaces-the-history",
    "save of a history of the same length and end is ignored",
)
class ComparesTheLastMessage(Saving):
    """Skips a save whose length and last message are those that are there."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old if new and len(old) == len(new) and old[-1] == new[-1] else new


@mutant("messages.save-replaces-the-history", "save takes true for the 1 that is there")
class SavesWhatDiffersInPython(Saving):
    """Skips a save of what is equal, as Python has it."""

    def kept(self, old: list[Json], new: list[Json]) -> list[Json]:
        return old if old == new else new


@mutant("cost.last-write-wins", "counts of tokens are added up")
class AddsTokensUp(DictStore):
    """Takes the counts that it knows by name for those of the turn."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        def total(key: str, value: Json) -> Json:
            is_count = key.endswith("_tokens") and type(value) is type(old.get(key)) is int
            return old[key] + value if is_count else value

        return {**old, **{key: total(key, value) for key, value in new.items()}}


@mutant("cost.last-write-wins", "prices are rounded")
class RoundsPrices(DictStore):
    """Has prices in a column of six places."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        def price(key: str, value: Json) -> Json:
            return round(value, 6) if "cost" in key and isinstance(value, float) else value

        return {**old, **{key: price(key, value) for key, value in new.items()}}


@mutant("cost.last-write-wins", "counts of tokens are made integers")
class CountsAreIntegers(DictStore):
    """Has counts in a column of integers."""

    def merged(self, old: Costs, new: Costs) -> Costs:
        def count(key: str, value: Json) -> Json:
            return int(value) if key.endswith("_tokens") else value

        return {**old, **{key: count(key, value) for key, value in new.items()}}
