"""JSON text of values, and values of JSON text: by the standard library, or a faster one.

With the extra `fast` a value is worded in a tenth of the time, and read in a third less; what that
library would lose or change without a word, the standard one words and reads.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from types import GenericAlias
from typing import Annotated, Any, Final, NamedTuple

from reference_backends.plain_values import is_plain
from reference_backends.rules import MAX_DEPTH
from sessionstore_contract.interface import Json

try:
    import msgspec
except ImportError:
    _FAST = None
else:

    def _shallow(levels: int) -> Any:
        """Answer the type of values of so many levels, with integers that are small."""
        small: Any = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
        scalar = kind = small | float | str | bool | None
        for _ in range(levels):
            kind = scalar | GenericAlias(list, (kind,)) | GenericAlias(dict, (str, kind))
        return kind

    class _Fast:
        encode = msgspec.json.Encoder().encode
        encode_into = msgspec.json.Encoder().encode_into
        decode = msgspec.json.Decoder().decode
        # By its type the library finds out on the way, at no cost, what takes as long as to read
        # it when each value is looked at. One level more makes twice as much of a decoder.
        decode_shallow = msgspec.json.Decoder(_shallow(levels=8)).decode

    _FAST = _Fast


DECODED_AT_ONCE: Final = 2**16 if _FAST is None else 2**22
"""Bytes of JSON text that are read in some 3 ms."""


def encode(value: Json) -> str:
    """Word a value that was checked as JSON text."""
    if _FAST is not None:
        # It words NaN as null and a tuple as a list, which the check has refused; what it does not
        # take, such as a subclass of a text, is worded below.
        with suppress(Exception):
            return _FAST.encode(value).decode()
    return encode_strictly(value)


def encode_utf8(value: Json) -> bytes:
    """Do what `encode` does, in UTF-8."""
    if _FAST is not None:
        with suppress(Exception):
            return _FAST.encode(value)
    return encode_strictly(value).encode()


def encode_unchecked(value: Json) -> str:
    """Do what `encode_strictly` does, faster for large values that plainly keep the rule."""
    return encode(value) if is_plain(value, max_depth=MAX_DEPTH) else encode_strictly(value)


def encode_strictly(value: Json) -> str:
    """Word a value that was not checked, or raise ValueError or TypeError."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode(text: str | bytes) -> Json:
    """Answer what `json.loads` answers, or raise what it raises."""
    if _FAST is not None:
        # It refuses some of what `json` reads, NaN and lone surrogates, and reads nothing else.
        with suppress(Exception):
            return _FAST.decode(text)
    return json.loads(text)


class ReadBack(NamedTuple):
    """A value that was read from a text that is worded as `encode` words it."""

    value: Json
    is_plain: bool
    """Whether all that is in it is known to keep the value rule."""


class WordedOtherwiseError(ValueError):
    """A text is not what `encode` words; it may be sound, and this says nothing about it."""


def read_back(text: bytes) -> ReadBack:
    """Answer the value of a text that is worded as `encode` words it.

    Nothing can be lost on the way then, such as the first of two members of one name.

    Raises:
        WordedOtherwiseError: it is not worded so.
        ValueError: it is no JSON, or there is no library that reads it fast.
    """
    if _FAST is None:
        raise ValueError("the extra `fast` is not installed")
    if _SPACED.search(text, 0, _LOOKED_AT):
        raise WordedOtherwiseError("worded otherwise")
    try:
        value, is_shallow = _decoded(_FAST, text)
        is_as_worded = _is_worded_so(_FAST, value, text)
    except Exception:  # noqa: BLE001 - whatever it was, the standard library says it better
        raise ValueError("not read") from None
    if not is_as_worded:
        raise WordedOtherwiseError("worded otherwise")
    # One character is found at once, six of them take a fifth of the whole reading.
    has_nul = b"\\" in text and b"\\u0000" in text
    return ReadBack(value, is_shallow and not has_nul)


def _is_worded_so(fast: type[_Fast], value: Json, text: bytes) -> bool:
    # Room that is kept, and not given back to the system and taken again, page by page, for each
    # text: to load 1.3 MB took 5 ms in some processes, and 3.2 in others. Whoever has taken it has
    # it alone.
    room = _ROOM.pop() if _ROOM else bytearray()
    fast.encode_into(value, room)
    is_so = room == text
    if len(room) <= _MOST_ROOM:
        _ROOM.append(room)
    return is_so


def _decoded(fast: type[_Fast], text: bytes) -> tuple[Json, bool]:
    try:
        return fast.decode_shallow(text), True
    except msgspec.ValidationError:
        return fast.decode(text), False


_ROOM: Final[list[bytearray]] = []
_MOST_ROOM: Final = 2**22
"""Bytes; with what was last read in it, room stays for as long as the process."""
_SPACED: Final = re.compile(rb'(?<!\\)": ')
"""What shows early that somebody else has worded a text: reading it twice would cost a half."""
_LOOKED_AT: Final = 256
