"""Stores that make something else of a value than what was written."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import TYPE_CHECKING, Any

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


class WritesOtherwise(Wrapper):
    """Rewrites every value, however deep, before the store gets it."""

    def leaf(self, value: Json) -> Json:
        return value

    def key(self, key: Any) -> Any:
        return key

    def rewritten(self, value: Json, depth: int = 0) -> Json:
        if isinstance(value, dict):
            return {
                self.key(key): self.rewritten(one, depth + 1) for key, one in list(value.items())
            }
        if isinstance(value, list):
            return [self.rewritten(one, depth + 1) for one in value]
        return self.leaf(value)

    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(session_id, self.rewritten(messages))

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        # Not `cost_data` itself where it is no object: that the store shall refuse.
        is_object = isinstance(cost_data, dict)
        fields = self.rewritten(cost_data) if is_object else cost_data
        return await self.store.update(session_id, cost_data=fields)


class WritesTextsOtherwise(WritesOtherwise):
    """Rewrites texts, as values and as keys."""

    def text(self, text: str) -> str:
        raise NotImplementedError

    def leaf(self, value: Json) -> Json:
        return self.text(value) if isinstance(value, str) else value

    def key(self, key: Any) -> Any:
        return self.leaf(key)


@defect("true and false become 1 and 0.", caught_by="values.json-round-trips")
class TruthsBecomeNumbers(WritesOtherwise):
    def leaf(self, value: Json) -> Json:
        return int(value) if isinstance(value, bool) else value


@defect("Texts that look like numbers become numbers.", caught_by="values.json-round-trips")
class TextsBecomeNumbers(WritesOtherwise):
    def leaf(self, value: Json) -> Json:
        return int(value) if isinstance(value, str) and value.isdecimal() else value


@defect("Texts lose the white space around them.", caught_by="values.json-round-trips")
class StripsTexts(WritesTextsOtherwise):
    def text(self, text: str) -> str:
        return text.strip()


@defect("Line ends become LF.", caught_by="values.json-round-trips")
class UnifiesLineEnds(WritesTextsOtherwise):
    def text(self, text: str) -> str:
        return text.replace("\r\n", "\n")


@defect("Texts are brought into Unicode form NFC.", caught_by="values.json-round-trips")
class NormalisesTexts(WritesTextsOtherwise):
    def text(self, text: str) -> str:
        return unicodedata.normalize("NFC", text)


@defect("Characters beyond the BMP become question marks.", caught_by="values.json-round-trips")
class KnowsTheBmpOnly(WritesTextsOtherwise):
    def text(self, text: str) -> str:
        return "".join("?" if ord(one) > 0xFFFF else one for one in text)


@defect("Numbers are rounded to six places.", caught_by="values.numbers-are-exact")
class RoundsNumbers(WritesOtherwise):
    def leaf(self, value: Json) -> Json:
        return round(value, 6) if isinstance(value, float) else value


@defect("1.0 becomes 1.", caught_by="values.numbers-keep-their-kind")
class WholeFloatsBecomeIntegers(WritesOtherwise):
    def leaf(self, value: Json) -> Json:
        return int(value) if isinstance(value, float) and value.is_integer() else value


@defect("Integers beyond 64 bits become floats.", caught_by="values.numbers-keep-their-kind")
class LargeIntegersBecomeFloats(WritesOtherwise):
    def leaf(self, value: Json) -> Json:
        return float(value) if isinstance(value, int) and abs(value) >= 2**63 else value


@defect("A text ends at U+0000.", caught_by="values.nul-is-kept-or-refused")
class TextsEndAtNul(WritesTextsOtherwise):
    def text(self, text: str) -> str:
        return text.partition("\x00")[0]


@defect("U+0000 is dropped.", caught_by="values.nul-is-kept-or-refused")
class DropsNul(WritesTextsOtherwise):
    def text(self, text: str) -> str:
        return text.replace("\x00", "")


@defect("What looks like an escaped NUL is dropped.", caught_by="values.nul-is-kept-or-refused")
class DropsWhatLooksLikeNul(WritesTextsOtherwise):
    def text(self, text: str) -> str:
        return text.replace("\\u0000", "")


@defect("Lone surrogates are replaced.", caught_by="values.surrogates-are-kept-or-refused")
class ReplacesSurrogates(WritesTextsOtherwise):
    def text(self, text: str) -> str:
        return text.encode(errors="replace").decode()


@defect("NaN and the infinities become null.", caught_by="values.non-finite-is-kept-or-refused")
class NanBecomesNull(WritesOtherwise):
    def leaf(self, value: Json) -> Json:
        return None if isinstance(value, float) and not math.isfinite(value) else value


@defect("What is no JSON is stored as its text.", caught_by="values.non-json-is-refused")
class ObjectsBecomeTexts(WritesOtherwise):
    def leaf(self, value: Json) -> Json:
        return json.loads(json.dumps(value, default=str))


@defect("Keys that are no text become one.", caught_by="values.keys-that-are-not-text")
class KeysBecomeTexts(WritesOtherwise):
    def key(self, key: Any) -> str:
        return str(key)


@defect("What is nested deeper than 100 levels is lost.", caught_by="values.deep-nesting")
class CutsDeepNesting(WritesOtherwise):
    def rewritten(self, value: Json, depth: int = 0) -> Json:
        return None if depth > 100 else super().rewritten(value, depth)


@defect(
    "After a refused save the next one fails too.", caught_by="values.bad-value-poisons-nothing"
)
class RefusedSavePoisonsTheNext(Wrapper):
    is_poisoned = False

    async def save(self, session_id: str, messages: Json) -> None:
        if self.is_poisoned:
            self.is_poisoned = False
            raise RuntimeError("current transaction is aborted")
        self.is_poisoned = True
        await self.store.save(session_id, messages)
        self.is_poisoned = False
