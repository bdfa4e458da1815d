"""JSON read as RFC 8259 has it, and no member of an object twice."""

from __future__ import annotations

import json
import math
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NoReturn

from reference_backends import histories, rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionstore_contract.interface import Json


def read_json(body: bytes) -> Json:
    """Read one JSON value, or raise ValueError.

    Python's parser takes more than JSON: NaN, other encodings, a member twice of which it drops
    one, numbers that become infinite. What is read in one way here and in another by the next
    service is refused.
    """
    if (read := rules.decoded_fast(body)) is not None and _names_no_member_twice(body, read):
        return read
    try:
        return histories.read_at_once(body.decode("utf-8"), _STRICT)
    except RecursionError:
        # Cut off from the parser's own exception, whose traceback is a thousand frames long.
        pass
    raise ValueError("nested too deeply")


async def read_in_pieces(body: bytes) -> Json:
    """Do the same for a body that may be long, and let others have their turn meanwhile."""
    if len(body) <= rules.DECODED_AT_ONCE // 2:  # for it is gone through twice
        return read_json(body)
    try:
        return await histories.read(body.decode("utf-8"), _STRICT)
    except RecursionError:
        pass
    raise ValueError("nested too deeply")


def _names_no_member_twice(body: bytes, read: Json) -> bool:
    """Answer whether every member of the text is in what was read; False says nothing.

    Each has a colon, and there are those in texts. A member that is named twice is missing, with
    its colon, from what was read. Only a text in which a colon is escaped can have more of them.
    """
    return b"\\u003" not in body and body.count(b":") == _colons(read)


def _colons(value: Json) -> int:
    count, level = 0, [value]
    while level:
        objects = [one for one in level if type(one) is dict]
        arrays = (one for one in level if type(one) is list)
        texts = (one for one in level if type(one) is str)
        count += sum(map(len, objects)) + _in(texts) + _in(chain.from_iterable(objects))
        level = [*chain.from_iterable(arrays), *chain.from_iterable(map(dict.values, objects))]
    return count


def _in(texts: Iterable[Any]) -> int:
    return "".join(texts).count(":")


def _refuse_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no JSON number")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError("a number is too large for a double")
    return number


def _object(members: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("an object names a member twice")
    return found


_STRICT: Final = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object
)
