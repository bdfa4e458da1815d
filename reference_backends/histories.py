"""Long histories to and from JSON text, in pieces between which the event loop serves others.

Wording ten megabytes takes some 100 ms, and no thread would help: the interpreter's JSON parser
lets nobody else run before it has ended.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, AnyStr, Final, Generic, NamedTuple

from reference_backends import json_text, rules

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json

PIECE: Final = 0.004
"""Seconds of work after which the others have their turn."""

IN_ONE_GO: Final = 0.012
"""Seconds of work up to which a history is worded before the others have their turn, where that
will do: to copy what is left of one takes about as long as to word it."""

GROUP: Final = 2**16
"""Characters that are worded, or read, in one call of the library, as far as can be foreseen."""

MOST_IN_GROUP: Final = 1024


async def worded(messages: object, *, with_floats: Callable[[Json], str] = json_text.encode) -> str:
    """Check the messages, and answer them as JSON text.

    The text is of the moment of the call, whatever becomes of the messages meanwhile.
    `with_floats` words those in which there may be a float, for whoever has them worded in a way.

    Raises:
        UnstorableValueError: they can't be kept.
    """
    return "".join(await _parts(messages, _TEXT, with_floats))


async def parts_in_utf8(messages: object) -> list[bytes]:
    """Do what `worded` does, and answer the text in parts, none of them long, in UTF-8.

    To join them is for the caller, for whom that may be part of a larger text: a copy of the whole
    takes milliseconds.
    """
    return await _parts(messages, _UTF8, json_text.encode_utf8)


class _Wording(NamedTuple, Generic[AnyStr]):
    """What JSON text is made of, as characters or as bytes."""

    encode: Callable[[Json], AnyStr]
    opening: AnyStr
    comma: AnyStr
    closing: AnyStr


_TEXT: Final = _Wording(json_text.encode, "[", ",", "]")
_UTF8: Final = _Wording(json_text.encode_utf8, b"[", b",", b"]")


async def _parts(
    messages: object, wording: _Wording[AnyStr], with_floats: Callable[[Json], AnyStr]
) -> list[AnyStr]:
    kept: list[Json] = rules.check_list(messages)
    count, is_ours, limit = len(kept), False, PIECE
    start: int = 0
    width: int = 1
    pace = _Pace()
    texts = [wording.opening]
    while start < count:
        if pace.spent > limit:
            if limit == PIECE and not is_ours and pace.spent * count < IN_ONE_GO * start:
                limit = IN_ONE_GO
            else:
                if not is_ours:
                    kept, is_ours = [*kept[:start], *map(_copied, kept[start:])], True
                limit = PIECE
                await pace.pause()
        group = kept[start : start + width]
        encode = with_floats if rules.check_members(group, start) else wording.encode
        texts += (encode(group)[1:-1], wording.comma)
        start += width
        width = _next_width(width, len(texts[-2]))
    await pace.pause_if_due()  # whoever stores the text has some work to do with it
    return _closed(texts, wording)


async def joined(messages: list[Json]) -> str:
    """Answer as JSON text what a store has answered: nobody else has it."""
    pace = _Pace()
    texts = ["["]
    start, width = 0, 1
    while start < len(messages):
        await pace.pause_if_due()
        texts += (json_text.encode_unchecked(messages[start : start + width])[1:-1], ",")
        start += width
        width = _next_width(width, len(texts[-2]))
    return "".join(_closed(texts, _TEXT))


async def checked(messages: object) -> list[Json]:
    """Answer the messages, which nobody else has, or raise UnstorableValueError."""
    kept = rules.check_list(messages)
    pace = _Pace()
    for start in range(0, len(kept), MOST_IN_GROUP):
        await pace.pause_if_due()
        rules.check_members(kept[start : start + MOST_IN_GROUP], start)
    return kept


async def is_as_worded(text: bytes) -> bool:
    """Answer whether `worded` answers this text of some messages; False says nothing.

    Then nothing can be lost by whoever takes it for the messages, and all of it can be kept.
    """
    if not (text.startswith(b"[") and text.endswith(b"]")):
        return False
    pace = _Pace()
    start, end = 1, len(text) - 1
    while start < end:
        await pace.pause_if_due()
        cut = _plain_until(text, start, end)
        if cut is None:
            return False
        start = cut + 1
    return True


def _plain_until(text: bytes, start: int, end: int) -> int | None:
    """Answer where some messages from `start` on end that are worded as ours, about GROUP bytes.

    They are cut where one object seems to follow another. That may be inside a text, or deeper:
    something is left open then, and it is no JSON.
    """
    cut, most = start + GROUP, _MOST_IN_VAIN
    while most > 0:
        brace = text.find(b"},{", cut, end)
        cut = end if brace < 0 else brace + 1
        try:
            found = json_text.read_back(b"".join((b"[", text[start:cut], b"]")))
        except json_text.WordedOtherwiseError:
            return None
        except ValueError:
            if cut == end:
                return None
            most -= cut - start
        else:
            return cut if found.is_plain else None
    return None


async def read(text: str | bytes, decoder: json.JSONDecoder | None = None) -> Json:
    """Answer what `json.loads` with this decoder would, or raise what it would."""
    if decoder is None and len(text) <= json_text.DECODED_AT_ONCE:
        return json_text.decode(text)
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    decoder = _DECODER if decoder is None else decoder
    if len(text) > GROUP:
        try:
            return await _read_in_pieces(text, decoder)
        except (ValueError, IndexError, RecursionError):
            pass  # read as a whole it is refused in the library's own words
    return read_at_once(text, decoder)


def read_at_once(text: str, decoder: json.JSONDecoder) -> Json:
    """Answer what `json.loads` would, with a decoder that is made once."""
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
    return decoder.decode(text)


_DECODER: Final = json.JSONDecoder()
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_SPACES: Final = frozenset(" \t\n\r")
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_ALIKE: Final = 7
"""Characters by which one message is known to begin as another does."""
_MOST_IN_VAIN: Final = 2**21
"""Characters that are read in vain, up to wrong cuts, before a text is read as a whole. Counted by
characters, since somebody may write a text in which they are far from its beginning."""


class _Pace:
    """How long the loop has been kept from its other tasks."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def spent(self) -> float:
        return time.perf_counter() - self._began

    async def pause(self) -> None:
        await asyncio.sleep(0)
        self._began = time.perf_counter()

    async def pause_if_due(self) -> None:
        if self.spent > PIECE:
            await self.pause()


def _closed(texts: list[AnyStr], wording: _Wording[AnyStr]) -> list[AnyStr]:
    """Answer them with a bracket in the place of the last comma."""
    return (texts if len(texts) == 1 else texts[:-1]) + [wording.closing]


def _next_width(width: int, characters: int) -> int:
    """Answer how many messages are likely to be GROUP characters, when so many were these."""
    return min(MOST_IN_GROUP, max(1, GROUP * width // (characters + 1)))


def _copied(value: Json, depth: int = 1) -> Json:
    # What is deeper is refused when its turn comes, and what holds itself is deeper.
    if depth > rules.MAX_DEPTH:
        return value
    if isinstance(value, dict):
        return {
            key: item if type(item) in _SCALARS else _copied(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [item if type(item) in _SCALARS else _copied(item, depth + 1) for item in value]
    return value


async def _read_in_pieces(text: str, decoder: json.JSONDecoder) -> Json:
    """Read an array, or an object whose members may be arrays, or raise what says nothing."""
    reading = _Reading(text, decoder)
    position = reading.after_space(0)
    value: Json
    if text[position] == "[":
        value, position = await reading.array(position)
    elif text[position] == "{":
        value, position = await reading.object(position)
    else:
        value, position = decoder.raw_decode(text, position)
    if reading.after_space(position) != len(text):
        raise ValueError("more text after the value")
    return value


class _Reading:
    def __init__(self, text: str, decoder: json.JSONDecoder) -> None:
        self._text = text
        self._decoder = decoder
        # What makes an object of its members; None is the library's own way.
        self._hook: Any = getattr(decoder, "object_pairs_hook", None)
        self._decode = json_text.decode if decoder is _DECODER else decoder.decode
        self._pace = _Pace()

    def after_space(self, position: int) -> int:
        # Most often there is none. Where there are megabytes, others would wait for a loop of ours.
        if self._text[position : position + 1] not in _SPACES:
            return position
        found = _SPACE.match(self._text, position)
        return position if found is None else found.end()

    async def array(self, position: int) -> tuple[list[Json], int]:
        """Read the array that begins here, some elements at a time.

        They are cut apart where it looks as between the first two. A cut that is inside a text, or
        deeper, leaves something open, which no `]` at its end can close: so it is no JSON, and the
        next one is tried.
        """
        text, decoder = self._text, self._decoder
        start = self.after_space(position + 1)
        if text[start] == "]":
            return [], start + 1
        item, end = decoder.raw_decode(text, start)
        items = [item]
        separated = self.after_space(end)
        if text[separated] != ",":
            return items, self._closed(separated, "]")
        start = self.after_space(separated + 1)
        gap = start - end
        between = text[end - 1 : start + _ALIKE]
        while (cut := text.find(between, start + GROUP) + 1) > 0:
            await self._pace.pause_if_due()
            items += self._elements(start, cut, between)
            start = self._cut + gap
        await self._pace.pause_if_due()
        rest, end = decoder.raw_decode("[" + text[start:])
        return items + rest, start + end - 1

    def _elements(self, start: int, cut: int, between: str) -> list[Json]:
        most = _MOST_IN_VAIN
        while most > 0:
            try:
                found: list[Json] = self._decode(f"[{self._text[start:cut]}]")
            except ValueError:
                most -= cut - start
                cut = self._text.index(between, cut) + 1
            else:
                self._cut = cut
                return found
        raise ValueError("no way to cut it was found")

    async def object(self, position: int) -> tuple[Json, int]:
        members: list[tuple[str, Json]] = []
        position = self.after_space(position + 1)
        while True:
            if self._text[position] != '"':
                raise ValueError("a name is due")
            name, position = self._decoder.raw_decode(self._text, position)
            position = self.after_space(self._closed(self.after_space(position), ":"))
            value: Json
            if self._text[position] == "[":
                value, position = await self.array(position)
            else:
                value, position = self._decoder.raw_decode(self._text, position)
            members.append((name, value))
            position = self.after_space(position)
            if self._text[position] != ",":
                position = self._closed(position, "}")
                return (dict(members) if self._hook is None else self._hook(members)), position
            position = self.after_space(position + 1)

    def _closed(self, position: int, by: str) -> int:
        if self._text[position] != by:
            raise ValueError(f"{by} is due")
        return position + 1
