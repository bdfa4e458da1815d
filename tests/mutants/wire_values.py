"""Platforms that keep another text, number, key or order than they were given."""

from __future__ import annotations

import json
from typing import Any

from .defect import mutant
from .wire_platforms import PlainPlatform, Refused, Reply, TaggingPlatform
from .wire_sessions import Merging

Body = dict[str, Any]


@mutant("wire.patch-merges", "PATCH adds to the number that is there")
class PatchCounts(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        sums = {key: old[key] + new[key] for key in new if _are_numbers(old.get(key), new[key])}
        return {**old, **new, **sums}


@mutant("wire.patch-merges", "PATCH keeps the greater number")
class PatchKeepsTheGreater(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        most = {key: max(old[key], new[key]) for key in new if _are_numbers(old.get(key), new[key])}
        return {**old, **new, **most}


def _are_numbers(*values: Any) -> bool:
    return all(type(value) in {int, float} for value in values)


@mutant("wire.patch-merges", "PATCH extends the list that is there")
class PatchExtendsLists(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        both = {
            key: old[key] + value
            for key, value in new.items()
            if isinstance(value, list) and isinstance(old.get(key), list)
        }
        return {**old, **new, **both}


@mutant("wire.patch-merges", "PATCH rounds a number")
class KeepsCents(Merging):
    """In a DECIMAL(10, 2)."""

    def merged(self, old: Body, new: Body) -> Body:
        new = {key: round(one, 2) if type(one) is float else one for key, one in new.items()}
        return {**old, **new}


@mutant("wire.patch-merges", "PATCH drops what is 0, false or empty")
class DropsWhatIsFalsy(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        return {**old, **{key: one for key, one in new.items() if one or one is None}}


@mutant("wire.patch-merges", "PATCH of a key with a dot stores another")
class TakesDotsForPaths(Merging):
    """As `$set` of MongoDB does."""

    def merged(self, old: Body, new: Body) -> Body:
        for key, value in new.items():
            *way, last = key.split(".")
            at = old
            for one in way:
                at = at.setdefault(one, {})
            at[last] = value
        return old


@mutant("wire.patch-merges", "PATCH of a key with a quote is answered 5xx")
class FailsAtAQuote(PlainPlatform):
    """JSON_SET takes paths."""

    async def patch(self, session: str, body: Body) -> Reply:
        if isinstance(body.get("cost_data"), dict) and any('"' in key for key in body["cost_data"]):
            raise ValueError("Invalid JSON path expression")
        return await super().patch(session, body)


@mutant("wire.patch-merges", "PATCH of a key with a dollar sign stores another")
class RefusesAndStores(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        reply = await super().patch(session, body)
        if any(key.startswith("$") for key in body["cost_data"]):
            raise Refused(400, "no operators")
        return reply


@mutant("wire.patch-merges", "PATCH of a key with spaces around it stores another")
class StripsKeys(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        return {**old, **{key.strip(): value for key, value in new.items()}}


@mutant("wire.patch-merges", "a text with spaces around it in cost data is read as another")
class StripsCosts(Merging):
    """As pydantic does with `str_strip_whitespace`."""

    def merged(self, old: Body, new: Body) -> Body:
        new = {key: one.strip(" ") if isinstance(one, str) else one for key, one in new.items()}
        return {**old, **new}


@mutant("wire.patch-merges", "PATCH of a text with an emoji is answered 5xx")
class FailsAtFourBytesOfACount(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        if any(ord(letter) > 0xFFFF for one in new.values() for letter in str(one)):
            raise ValueError("Incorrect string value")
        return {**old, **new}


class Storing(PlainPlatform):
    def stored(self, text: str) -> str:
        """Answer what is kept of a text in a message."""
        return text

    async def put(self, session: str, body: Body) -> Reply:
        try:
            stored = self._all_stored(body)
        except RecursionError:  # what is so deep is refused elsewhere by Python's own reader
            raise Refused(400, "too deep") from None
        return await super().put(session, stored)

    def _all_stored(self, value: Any) -> Any:
        match value:
            case str():
                return self.stored(value)
            case list():
                return [self._all_stored(one) for one in value]
            case dict():
                return {key: self._all_stored(one) for key, one in value.items()}
        return value


@mutant("wire.get", "a text with letters past ASCII is read as another")
class ReadsBodiesAsLatin1(PlainPlatform):
    def parse(self, body: bytes) -> Body:
        super().parse(body)
        return super().parse(body.decode("latin-1").encode())


@mutant("wire.get", "a text with an emoji is read as another")
class KeepsThreeBytesOfALetter(Storing):
    """As `utf8` of MySQL does."""

    def stored(self, text: str) -> str:
        return "".join(one if ord(one) < 0x10000 else "?" for one in text)


@mutant("wire.get", "PUT of texts past ASCII is answered 5xx")
class FailsAtFourBytesOfALetter(Storing):
    """As it does when it is strict."""

    def stored(self, text: str) -> str:
        if any(ord(one) > 0xFFFF for one in text):
            raise ValueError("Incorrect string value")
        return text


@mutant("wire.get", "a text with signs of HTML is read as another")
class EscapesHtml(Storing):
    def stored(self, text: str) -> str:
        return text.replace("<", "&lt;").replace(">", "&gt;")


@mutant("wire.get", "a text with spaces around it is read as another")
class StripsTexts(Storing):
    def stored(self, text: str) -> str:
        return text.strip(" ")


@mutant("wire.get", "a text of 70,000 characters is read as another")
class CutsLongTexts(Storing):
    def stored(self, text: str) -> str:
        return text[:65_535]


@mutant("wire.get", "the number 2**53 + 1 is read as another")
class EveryNumberIsADouble(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        try:
            kept = json.loads(json.dumps(body), parse_int=lambda digits: int(float(digits)))
        except (ValueError, OverflowError):
            raise Refused(400, "too large a number") from None
        return await super().put(session, kept)


@mutant("wire.get", "GET answers 100 of 150 messages")
class AnswersTheLastPage(PlainPlatform):
    async def get(self, session: str) -> Reply:
        status, said = await super().get(session)
        return status, said | {"messages": said["messages"][-100:]}


@mutant("wire.get", "GET answers the messages in another order")
class OrdersByText(PlainPlatform):
    """`ORDER BY` a position that is kept as text: 0, 1, 10, 11, 2."""

    async def get(self, session: str) -> Reply:
        status, said = await super().get(session)
        messages = said["messages"]
        positions = sorted(range(len(messages)), key=str)
        return status, said | {"messages": [messages[one] for one in positions]}


@mutant("wire.get", "after a PUT, GET answers 304 to the ETag of before")
class TagsByTheNumberOfMessages(TaggingPlatform):
    def tag(self, said: Body) -> bytes:
        return b'"%d"' % len(said["messages"]) if "messages" in said else super().tag(said)


@mutant("wire.get", "after a PUT, GET answers 304 to the ETag of before")
class TagsByLength(TaggingPlatform):
    def tag(self, said: Body) -> bytes:
        return b'W/"%x"' % len(json.dumps(said)) if "messages" in said else super().tag(said)


@mutant("wire.get", "after a PATCH, GET answers 304 to the ETag of before")
class TagsByTheHistory(TaggingPlatform):
    """Of an answer that has cost data, too."""

    async def get(self, session: str) -> Reply:
        status, said = await super().get(session)
        return status, said | {"cost_data": json.loads(self.row(session).costs)}

    def tag(self, said: Body) -> bytes:
        return super().tag({**said, "cost_data": None} if "messages" in said else said)


@mutant(
    "wire.cost-data-is-readable", "after a PATCH, GET cost_data answers 304 to the ETag of before"
)
class TagsCostsByTheirKeys(TaggingPlatform):
    def tag(self, said: Body) -> bytes:
        return super().tag(said if "messages" in said else dict.fromkeys(said["cost_data"]))
