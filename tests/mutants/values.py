"""Stores that change values, accept what they can't read, or suffer from what they refuse."""

from __future__ import annotations

import asyncio
import json
import math
import re
import unicodedata
from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from sessionstore_contract.interface import UnstorableValueError

from .correct import DictStore, FileStore, Row
from .defect import mutant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sessionstore_contract.interface import Json

NUL = "values.nul-is-kept-or-refused"
SURROGATES = "values.surrogates-are-kept-or-refused"
NON_FINITE = "values.non-finite-is-kept-or-refused"
POISON = "values.bad-value-poisons-nothing"


class Changing(DictStore):
    """Changes what it is given before it encodes it: a start for defects."""

    def leaf(self, value: Any) -> Json:
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> Json:
        return text

    def key(self, key: Any) -> Any:
        return key

    def item(self, value: Any) -> Json:
        return self.changed(value)

    def changed(self, value: Any) -> Json:
        if isinstance(value, list):
            return [self.item(one) for one in value]
        if isinstance(value, dict):
            return {self.key(key): self.changed(one) for key, one in value.items()}
        return self.leaf(value)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, self.changed(messages))

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return await super().update(session_id, cost_data=self.changed(cost_data))


@mutant("values.json-round-trips", "'007' comes back as 7")
class ReadsNumbersInTexts(Changing):
    """Has a column of NUMERIC affinity."""

    def text(self, text: str) -> Json:
        return int(text) if re.fullmatch("[0-9]{2,9}", text) else text


@mutant(
    "values.json-round-trips", "'CR LF \\r\\n and LF \\n and TAB \\t' comes back as 'CR LF \\n and"
)
class NormalisesLineEnds(Changing):
    """Writes in text mode."""

    def text(self, text: str) -> Json:
        return text.replace("\r\n", "\n")


@mutant("values.json-round-trips", "'combining e\u0301, composed \u00e9' comes back as")
class ComposesTexts(Changing):
    """Normalises to NFC."""

    def text(self, text: str) -> Json:
        return unicodedata.normalize("NFC", text)


@mutant("values.json-round-trips", "' ' comes back as ''")
class TrimsTexts(Changing):
    """Has a column of CHAR."""

    def text(self, text: str) -> Json:
        return text.rstrip(" ")


@mutant(
    "values.json-round-trips",
    "'beyond the BMP \U0001f600 \U0001d11e \\U0010fffd' comes back as 'bey",
)
class HasNothingBeyondTheBmp(Changing):
    """Has three bytes for a character, as MySQL's utf8."""

    def text(self, text: str) -> Json:
        return re.sub("[\U00010000-\U0010ffff]", "?", text)


@mutant("values.json-round-trips", "'line end at the end\\n' comes back as 'line end at the end'")
class CutsTheLastLineEnd(Changing):
    """Reads lines."""

    def text(self, text: str) -> Json:
        return text.removesuffix("\n")


@mutant(
    "values.json-round-trips", "{'0': 'first', '1': 'second'} comes back as ['first', 'second']"
)
class NumberedKeysMakeAList(Changing):
    """Has arrays whose keys are numbers, as PHP."""

    def changed(self, value: Any) -> Json:
        if isinstance(value, dict) and value and [*value] == [str(n) for n in range(len(value))]:
            return list(value.values())
        return super().changed(value)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        changed = {key: self.changed(value) for key, value in (cost_data or {}).items()}
        return await DictStore.update(self, session_id, cost_data=cost_data and changed)


@mutant("values.json-round-trips", "True comes back as 1")
class TrueIsOneInLists(Changing):
    """Has no booleans in arrays."""

    def item(self, value: Any) -> Json:
        return int(value) if isinstance(value, bool) else self.changed(value)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return await DictStore.update(self, session_id, cost_data=cost_data)


@mutant("values.numbers-are-exact", "1.7976931348623157e+308 comes back as 1e+308")
class ClipsFloats(Changing):
    """Keeps numbers of 308 digits."""

    def leaf(self, value: Any) -> Json:
        return min(value, 1e308) if type(value) is float and value < math.inf else value


@mutant("values.numbers-are-exact", "1.7976931348623157e+308 comes back as 1e+308")
class ClipsCosts(ClipsFloats):
    """Has figures in a column whose range ends earlier, and messages in one of texts."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await DictStore.save(self, session_id, messages)


@mutant(
    "values.numbers-are-exact",
    "2147483648 comes back as 2147483647",
    also={
        "values.json-round-trips": "9007199254740992 comes back as 2147483647",
        "values.numbers-keep-their-kind": "9007199254740993 comes back as 2147483647",
    },
)
class ClipsIntegers(Changing):
    """Keeps integers of 32 bits."""

    def leaf(self, value: Any) -> Json:
        return min(value, 2**31 - 1) if isinstance(value, int) and value > 1 else value


@mutant("values.json-round-trips", "0 comes back as 0.0", is_everywhere=True)
class CostsAreFloats(DictStore):
    """Reads every number of cost data as a float."""

    async def get_cost_data(self, session_id: str) -> dict[str, Any]:
        costs = await super().get_cost_data(session_id)
        return json.loads(json.dumps(costs), parse_int=float)  # type: ignore[no-any-return]


@mutant("values.numbers-keep-their-kind", "1.0 comes back as 1")
class WholeFloatsAreIntegers(Changing):
    """Writes numbers with the fewest characters."""

    def leaf(self, value: Any) -> Json:
        is_whole = isinstance(value, float) and abs(value) < 1e15 and value.is_integer()
        return int(value) if is_whole else value


@mutant("values.numbers-keep-their-kind", "9223372036854775808 comes back as 9.22")
class LargeIntegersAreFloats(Changing):
    """Has doubles beyond 64 bits, as SQLite."""

    def leaf(self, value: Any) -> Json:
        return float(value) if isinstance(value, int) and abs(value) >= 2**63 else value


@mutant("values.numbers-keep-their-kind", "-9223372036854775809 comes back as -9.22")
class ReadsBeyond64BitsAsFloats(Changing):
    """Reads as a float what is in no integer of 64 bits, with and without sign, as orjson does."""

    def leaf(self, value: Any) -> Json:
        if type(value) is not int or -(2**63) <= value < 2**64:
            return value
        try:
            return float(value)
        except OverflowError:
            raise UnstorableValueError("no number") from None


@mutant("values.numbers-keep-their-kind", "1e+16 comes back as 10000000000000000")
class LargeFloatsAreIntegers(Changing):
    """Writes large floats with all their digits, as JSONB does."""

    def leaf(self, value: Any) -> Json:
        is_large = isinstance(value, float) and 1e15 < abs(value) < math.inf
        return int(value) if is_large and value.is_integer() else value


@mutant("values.numbers-keep-their-kind", "9007199254740993 comes back as 9007199254740992")
class IntegersGoThroughDoubles(Changing):
    """Hands integers of 64 bits on as JavaScript does, and refuses larger ones."""

    def leaf(self, value: Any) -> Json:
        if type(value) is not int:
            return value
        if abs(value) >= 2**63:
            raise UnstorableValueError("an integer of more than 64 bits")
        return int(float(value))


@mutant("values.numbers-keep-their-kind", "1.0 comes back as True")
class EncodesEqualValuesOnce(DictStore):
    """Keeps what it has encoded by its value, and takes 1.0 for True."""

    def merged(self, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        fits = {key: value for key, value in new.items() if not is_float_of_a_truth(value, old)}
        return {**old, **fits}


def is_float_of_a_truth(value: Any, old: dict[str, Any]) -> bool:
    return isinstance(value, float) and any(one is True and value == one for one in old.values())


@mutant(
    "values.numbers-keep-their-kind",
    "save accepts an integer of 4,400 digits, and then load raised ValueError",
)
class CantReadManyDigits(DictStore):
    """Encodes integers however long they are."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        found = content(messages)
        is_long = type(found) is int and found.bit_length() > 14_000
        await super().save(session_id, [] if is_long else messages)
        if is_long:
            self.rows[session_id].messages = "9" * 4400


@mutant(NUL, "what has NUL in it is cut there")
class CutsAtNul(Changing):
    """Hands texts to C."""

    def text(self, text: str) -> Json:
        return text.partition("\0")[0]


@mutant(NUL, "NUL is dropped")
class DropsNulFromKeys(Changing):
    """Cleans keys."""

    def key(self, key: Any) -> Any:
        return key.replace("\0", "") if isinstance(key, str) else key


@mutant(NUL, "NUL is replaced by a space")
class NulIsASpace(Changing):
    """Cleans texts with spaces."""

    def text(self, text: str) -> Json:
        return text.replace("\0", " ")


@mutant(NUL, "NUL is replaced by U+FFFD")
class NulIsReplaced(Changing):
    """Cleans texts as HTML parsers do."""

    def text(self, text: str) -> Json:
        return text.replace("\0", "\ufffd")


@mutant(NUL, "NUL comes back as its escape")
class NulIsItsEscape(Changing):
    """Escapes on the way in, and not back on the way out."""

    def text(self, text: str) -> Json:
        return text.replace("\0", "\\u0000")


@mutant(NUL, "a text with NUL comes back as null")
class NulMakesNull(Changing):
    """Gives up on a text that it can't keep."""

    def text(self, text: str) -> Json:
        return None if "\0" in text else text


@mutant(NUL, "a text with NUL comes back empty")
class NulMakesEmpty(Changing):
    """Gives up on a text that it can't keep, and keeps its kind."""

    def text(self, text: str) -> Json:
        return "" if "\0" in text else text


@mutant(NUL, "a text that only looks like NUL comes back as NUL")
class ReadsEscapesTwice(Changing):
    """Decodes what is decoded already."""

    def text(self, text: str) -> Json:
        return text.replace("\\u0000", "\0")


@mutant(NUL, "what only looks like NUL is dropped")
class DropsWhatLooksLikeNul(Changing):
    """Cleans the escape out of texts."""

    def text(self, text: str) -> Json:
        return text.replace("\\u0000", "")


@mutant(NUL, "save refuses a text that only looks like NUL")
class RefusesWhatLooksLikeNul(DictStore):
    """Looks for the escape in the encoded text."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if "\\u0000" in json.dumps(messages, default=repr, skipkeys=True):
            raise ValueError("NUL can't be kept")
        await super().save(session_id, messages)


class Unreadable(DictStore):
    """Accepts in messages what it can't read again: a start for defects."""

    def is_unreadable(self, messages: Any) -> bool:
        raise NotImplementedError

    async def save(self, session_id: str, messages: Any) -> None:
        if isinstance(messages, list) and self.is_unreadable(messages):
            await super().save(session_id, [])
            self.rows[session_id].messages = "["
        else:
            await super().save(session_id, messages)


def content(messages: list[Any]) -> Any:
    """Answer the content of the first message."""
    first = messages[0] if messages else None
    return first.get("content") if isinstance(first, dict) else None


@mutant(NUL, "save accepts a text with NUL, and then load raised JSONDecodeError")
class CantReadNul(Unreadable):
    """Keeps NUL in a column that can't be decoded with it."""

    def is_unreadable(self, messages: Any) -> bool:
        found = content(messages)
        return isinstance(found, str) and "\0" in found


@mutant(SURROGATES, "save accepts a text with a lone surrogate, and then load raised JSONDecodeErr")
class CantReadSurrogates(Unreadable):
    """Takes the escape in JSON text."""

    def is_unreadable(self, messages: Any) -> bool:
        found = content(messages)
        return isinstance(found, str) and re.search("[\ud800-\udfff]", found) is not None


@mutant(
    "values.non-json-is-refused",
    "save accepts a Decimal and then load raised JSONDecodeError",
)
class CantReadDecimals(Unreadable):
    """Writes objects in a format that it does not read."""

    def is_unreadable(self, messages: Any) -> bool:
        return isinstance(content(messages), Decimal)


@mutant("values.deep-nesting", "save accepts 200 levels of nesting, and then load raised JSONDeco")
class CantReadWhatIsDeep(Unreadable):
    """Has a parser with fewer levels than its writer."""

    def is_unreadable(self, messages: Any) -> bool:
        return depth(content(messages)) > 150


def depth(value: Any) -> int:
    """Count levels of nesting."""
    members = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, members), default=0) if isinstance(value, dict | list) else 0


@mutant("values.deep-nesting", "what is nested deep comes back as null")
class CutsWhatIsDeep(DictStore):
    """Writes a hundred levels of a message's content."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, cut(messages, 102))


def cut(value: Any, levels: int) -> Any:
    """Answer null in place of what lies deeper."""
    if not levels:
        return None
    if isinstance(value, list):
        return [cut(one, levels - 1) for one in value]
    if isinstance(value, dict):
        return {key: cut(one, levels - 1) for key, one in value.items()}
    return value


class ChangingSurrogates(Changing):
    """Does something to what has a surrogate in it."""

    change: Callable[[str], Json]

    def text(self, text: str) -> Json:
        return type(self).change(text) if re.search("[\ud800-\udfff]", text) else text


@mutant(SURROGATES, "update does not answer in time", is_everywhere=True, timeout=0.3)
class TriesForEver(DictStore):
    """Takes what a text can't be encoded for as a fault that goes by."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if re.search("[\ud800-\udfff]", json.dumps(cost_data, ensure_ascii=False, default=repr)):
            await asyncio.Event().wait()
        return await super().update(session_id, cost_data=cost_data)


@mutant(SURROGATES, "a lone surrogate is replaced by a question mark")
class SurrogatesInKeysAreQuestions(Changing):
    """Looks for what it can't keep in texts alone, and encodes keys with `replace`."""

    def key(self, key: Any) -> Any:
        return key.encode(errors="replace").decode() if isinstance(key, str) else key


@mutant(SURROGATES, "a lone surrogate is dropped")
class DropsSurrogates(ChangingSurrogates):
    """Encodes with errors='ignore'."""

    change = staticmethod(lambda text: text.encode(errors="ignore").decode())


@mutant(SURROGATES, "a lone surrogate is replaced by a question mark")
class SurrogatesAreQuestions(ChangingSurrogates):
    """Encodes with errors='replace'."""

    change = staticmethod(lambda text: text.encode(errors="replace").decode())


@mutant(SURROGATES, "a lone surrogate is replaced by U+FFFD")
class SurrogatesAreReplaced(ChangingSurrogates):
    """Makes texts well-formed as JavaScript does."""

    change = staticmethod(lambda text: re.sub("[\ud800-\udfff]", "\ufffd", text))


@mutant(SURROGATES, "a lone surrogate comes back as its escape")
class SurrogatesAreEscapes(ChangingSurrogates):
    """Encodes with errors='backslashreplace'."""

    change = staticmethod(lambda text: text.encode(errors="backslashreplace").decode())


@mutant(SURROGATES, "a lone surrogate comes back as three characters of its bytes")
class SurrogatesAreBytes(ChangingSurrogates):
    """Writes bytes and reads them as latin-1."""

    change = staticmethod(lambda text: text.encode(errors="surrogatepass").decode("latin-1"))


@mutant(SURROGATES, "two lone surrogates come back as one character")
class HalvesMakeACharacter(DictStore):
    """Encodes in ASCII, where both halves of a character read as the character."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        are_halves = isinstance(content(messages), str) and "\ud83d\ude00" in content(messages)
        await super().save(session_id, [] if are_halves else messages)
        if are_halves:
            self.rows[session_id].messages = json.dumps(messages)


@mutant(SURROGATES, "a text with a lone surrogate comes back as null")
class SurrogatesMakeNull(ChangingSurrogates):
    """Gives up on a text that it can't encode."""

    change = staticmethod(lambda text: None)


def is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


@mutant(NON_FINITE, "nan comes back as null")
class NonFiniteIsNull(Changing):
    """Encodes with a JSON library of JavaScript's manners."""

    def leaf(self, value: Any) -> Json:
        return value if is_finite(value) else None


@mutant(NON_FINITE, "nan comes back as null")
class NonFiniteCostsAreNull(NonFiniteIsNull):
    """Encodes cost data with another library than messages."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await DictStore.save(self, session_id, messages)


@mutant(NON_FINITE, "nan comes back as 0")
class NonFiniteIsZero(Changing):
    """Takes for nothing what is no number."""

    def leaf(self, value: Any) -> Json:
        return value if is_finite(value) else 0


@mutant(NON_FINITE, "inf comes back as a text")
class InfinityIsAText(Changing):
    """Words what it can't keep."""

    def leaf(self, value: Any) -> Json:
        return str(value) if isinstance(value, float) and math.isinf(value) else value


@mutant(NON_FINITE, "[nan] is left out")
class LeavesNonFiniteOut(Changing):
    """Filters arrays."""

    def changed(self, value: Any) -> Json:
        if isinstance(value, list):
            value = [one for one in value if is_finite(one)]
        return super().changed(value)


class ChangingOne(Changing):
    """Makes something of values of one type."""

    type_: type
    make: Callable[[Any], Json]

    def leaf(self, value: Any) -> Json:
        return type(self).make(value) if type(value) is self.type_ else value


@mutant("values.non-json-is-refused", "save accepts a datetime as text")
class TimesAreTexts(ChangingOne):
    """Encodes with default=str."""

    type_ = datetime
    make = staticmethod(str)


@mutant("values.non-json-is-refused", "save accepts a datetime as text")
class TimesBelowAreTexts(TimesAreTexts):
    """Checks the members of a message, and encodes what is in them with default=str."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        refuse_times([one for message in messages for one in message.values()])
        await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        refuse_times((cost_data or {}).values())
        return await super().update(session_id, cost_data=cost_data)


def refuse_times(values: Iterable[Any]) -> None:
    if any(isinstance(one, datetime) for one in values):
        raise UnstorableValueError("a datetime is no JSON")


@mutant("values.non-json-is-refused", "save accepts a Decimal as float")
class DecimalsAreFloats(ChangingOne):
    """Takes every number for a float."""

    type_ = Decimal
    make = staticmethod(float)


@mutant("values.non-json-is-refused", "save accepts bytes as text")
class BytesAreTexts(ChangingOne):
    """Decodes bytes."""

    type_ = bytes
    make = staticmethod(bytes.decode)


@mutant("values.non-json-is-refused", "save accepts a set as array")
class SetsAreArrays(ChangingOne):
    """Iterates over what is no list."""

    type_ = set
    make = staticmethod(sorted)


@mutant("values.non-json-is-refused", "save accepts an object as text")
class ObjectsAreTexts(ChangingOne):
    """Encodes with default=repr."""

    type_ = object
    make = staticmethod(repr)


@mutant("values.non-json-is-refused", "update accepts a datetime and drops it")
class UpdateDropsTimes(DictStore):
    """Writes the keys that it can."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if isinstance(cost_data, dict):
            cost_data = {
                key: one for key, one in cost_data.items() if not isinstance(one, datetime)
            }
        return await super().update(session_id, cost_data=cost_data)


@mutant("values.non-json-is-refused", "save refuses a Decimal after it has stored it")
class RefusesDecimalsTooLate(DictStore):
    """Checks after the write."""

    async def save(self, session_id: str, messages: Any) -> None:
        if isinstance(messages, list) and isinstance(content(messages), Decimal):
            await super().save(session_id, [{"content": str(content(messages))}])
        await super().save(session_id, messages)


@mutant("values.keys-that-are-not-text", "save accepts the key 1 as text")
class KeysBecomeTexts(Changing):
    """Encodes with Python's json and looks no further."""

    def key(self, key: Any) -> Any:
        return str(key)


@mutant("values.keys-that-are-not-text", "update accepts the key 1 as text")
class KeysOfCostsBecomeTexts(KeysBecomeTexts):
    """Walks through messages before it encodes them, and not through cost data."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await DictStore.save(self, session_id, messages)


@mutant("values.keys-that-are-not-text", "save accepts the key 1 as object")
class SkipsKeysThatAreNoTexts(Changing):
    """Encodes with skipkeys."""

    def changed(self, value: Any) -> Json:
        if isinstance(value, dict):
            value = {key: one for key, one in value.items() if isinstance(key, str)}
        return super().changed(value)


class ChangingMany(Changing):
    """Looks at each message of a few, and at many all at once: a start for defects."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await DictStore.save(self, session_id, self.of_many(messages))

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return await DictStore.update(self, session_id, cost_data=self.of_many(cost_data))

    def of_many(self, whole: Any) -> Any:
        return self.changed(whole) if whole and len(whole) > 16 else whole


@mutant(NUL, "what has NUL in it is cut there")
class CutsAtNulAmongMany(ChangingMany, CutsAtNul):
    """Looks for NUL in what it words itself, and has many worded by a library."""


@mutant(SURROGATES, "a lone surrogate is dropped")
class DropsSurrogatesAmongMany(ChangingMany, DropsSurrogates):
    """Encodes many texts together, and ignores what is no Unicode."""


@mutant(NON_FINITE, "nan comes back as null")
class NonFiniteIsNullAmongMany(ChangingMany, NonFiniteIsNull):
    """Looks at no number where there are many, which a faster library words."""


@mutant("values.non-json-is-refused", "save accepts a datetime as text")
class WordsTimesAmongMany(ChangingMany, TimesAreTexts):
    """Has many messages worded by a library that words times, too."""


@mutant("values.keys-that-are-not-text", "save accepts the key 1 as text")
class KeysBecomeTextsAmongMany(ChangingMany, KeysBecomeTexts):
    """Looks at the keys of the first few messages."""


@mutant("values.numbers-keep-their-kind", "1e+16 comes back as 10000000000000000")
class LargeFloatsAreIntegersAmongMany(ChangingMany, LargeFloatsAreIntegers):
    """Words floats as the column needs it, but where it has seen none at a glance."""


class Suffering(DictStore):
    """Does something when a save was refused: a start for defects."""

    def suffer(self, session_id: str) -> None:
        raise NotImplementedError

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except ValueError:
            if isinstance(messages, list):
                self.suffer(session_id)
            raise


@mutant(POISON, "an odd value in one session empties another")
class ARefusalEmptiesOthers(Suffering):
    """Undoes more than it did."""

    def suffer(self, session_id: str) -> None:
        for name, row in self.rows.items():
            row.messages = row.messages if name == session_id else "[]"


@mutant(POISON, "an odd value in one session loses another")
class ARefusalLosesOthers(Suffering):
    """Loses what else was in the batch."""

    def suffer(self, session_id: str) -> None:
        self.rows = {name: row for name, row in self.rows.items() if name == session_id}


@mutant(POISON, "an odd value in one session resets the costs of another")
class ARefusalResetsOtherCosts(Suffering):
    """Undoes the updates of others, which were in the same transaction."""

    def suffer(self, session_id: str) -> None:
        for name, row in self.rows.items():
            row.costs = row.costs if name == session_id else "{}"


@mutant(POISON, "a save after an odd value is lost")
class ARefusalStopsSaves(Suffering):
    """Keeps the refused value at the head of a queue."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.stopped: set[str] = set()

    def suffer(self, session_id: str) -> None:
        self.stopped.add(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if session_id not in self.stopped:
            await super().save(session_id, messages)


@mutant(POISON, "an update after an odd value is lost")
class ARefusalStopsUpdates(Suffering):
    """Marks the session as broken, and takes no figures for it."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        self.stopped: set[str] = set()

    def suffer(self, session_id: str) -> None:
        self.stopped.add(session_id)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return session_id in self.stopped or await super().update(session_id, cost_data=cost_data)


@mutant(
    POISON,
    "save raised RuntimeError: a transaction is open",
)
class ARefusalLeavesATransaction(Suffering):
    """Reads over another connection than it saves over, and does not roll that one back."""

    is_open = False

    def suffer(self, session_id: str) -> None:
        self.is_open = True

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if self.is_open:
            raise RuntimeError("a transaction is open")
        await super().save(session_id, messages)


@mutant(
    POISON,
    "load raised RuntimeError: the transaction has failed",
    is_everywhere=True,
)
class ARefusalBreaksTheConnection(Suffering):
    """Does not roll back."""

    has_failed = False

    def suffer(self, session_id: str) -> None:
        self.has_failed = True

    def row(self, session_id: str) -> Any:
        if self.has_failed:
            raise RuntimeError("the transaction has failed")
        return super().row(session_id)


@mutant(
    POISON,
    "an odd value takes the other cost data with it",
    also={NUL: "{'value': 'a\\x00b'} comes back as {}"},
)
class NulEmptiesCostData(DictStore):
    """Reads cost data that it can't decode as none."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        costs = await super().get_cost_data(session_id)
        return {} if "\\u0000" in json.dumps(costs).replace("\\\\", "") else costs


TO_OTHERS = "values.are-the-same-to-others"


class AnswersWhatItWrote(FileStore):
    """Answers what it wrote from memory while nobody else has written: a start for defects."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.known: dict[Path, tuple[bytes, Row]] = {}

    def worded(self, row: Row) -> str:
        raise NotImplementedError

    def read(self, session_id: str) -> Row | None:
        path = self.path(session_id)
        own, row = self.known.get(path, (b"", Row()))
        is_own = path.exists() and path.read_bytes() == own
        return replace(row) if is_own else super().read(session_id)

    def write(self, session_id: str, row: Row) -> None:
        path, written = self.path(session_id), self.worded(row).encode()
        path.with_suffix(".new").write_bytes(written)
        path.with_suffix(".new").replace(path)
        self.known[path] = written, replace(row)


def rounded(value: Any) -> Json:
    """Round the floats in a value, as money."""
    if isinstance(value, list):
        return [rounded(one) for one in value]
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return round(value, 6) if isinstance(value, float) else value


ROUNDED = "0.30000000000000004 comes back as 0.3"


@mutant(
    TO_OTHERS,
    f"to another instance {ROUNDED}",
    also={"durability.reopening-finds-everything": f"to a new instance {ROUNDED}"},
)
class RoundsWhatItWrites(AnswersWhatItWrote):
    """Rounds floats on the way to the file, and not in its cache."""

    def worded(self, row: Row) -> str:
        messages, costs = (rounded(json.loads(one)) for one in (row.messages, row.costs))
        return json.dumps(asdict(Row(json.dumps(messages), json.dumps(costs), row.active)))


@mutant(TO_OTHERS, f"to another process {ROUNDED}", adding=("multi-process",))
class RoundsBeyondItsProcess(RoundsWhatItWrites):
    """Keeps what it wrote for all instances of the process, and rounds for the others."""

    kept: ClassVar[dict[Path, tuple[bytes, Row]]] = {}

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.known = self.kept


@mutant(
    TO_OTHERS,
    f"to another instance {ROUNDED}",
    also={"durability.reopening-finds-everything": f"to a new instance {ROUNDED}"},
)
class RoundsTheCostsItWrites(AnswersWhatItWrote):
    """Has messages in a column as they are, and figures in one with six decimal places."""

    def worded(self, row: Row) -> str:
        return json.dumps(asdict(replace(row, costs=json.dumps(rounded(json.loads(row.costs))))))


@mutant(
    TO_OTHERS,
    "load of texts with line ends by another instance raised JSONDecodeError: ",
    also={
        "durability.reopening-finds-everything": (
            "load of texts with line ends by a new instance raised JSONDecodeError: "
        )
    },
)
class SplitsAtEveryLineEnd(AnswersWhatItWrote):
    """Reads a line of its file, and takes every character that ends one somewhere for its end."""

    def worded(self, row: Row) -> str:
        return json.dumps(asdict(row), ensure_ascii=False) + "\n"

    def read(self, session_id: str) -> Row | None:
        path = self.path(session_id)
        if path.exists() and path.read_bytes() != self.known.get(path, (b"",))[0]:
            return Row(**json.loads(path.read_text("utf-8").splitlines()[0]))
        return super().read(session_id)
