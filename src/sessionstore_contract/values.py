"""Equality, copying and wording of JSON values.

In Python `{"n": 1}`, `{"n": True}` and `{"n": 1.0}` are equal. They are not the same JSON, so
nothing in the kit compares answers with `==`.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import plain_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .interface import Json

PLAIN_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),  # before int, of which it is a subclass
    (int, "integer"),
    (float, "float"),
    (str, "text"),
    (list, "array"),
    (dict, "object"),
)
KIND_OF = {type(None): "null", **dict(PLAIN_KINDS)}


def kind(value: Json) -> str:
    """Name the JSON kind of a value; of anything else the name of its type."""
    known = KIND_OF.get(type(value))
    if known is not None:
        return known
    for plain, name in PLAIN_KINDS:
        if _is(value, plain):
            return name
    return printable(type(value).__name__)


def _is(value: Any, plain: type) -> bool:
    """Answer as isinstance does, without asking the object, which may say anything or raise."""
    found = type(value)
    return found is plain or issubclass(found, plain)


def are_equal(left: Json, right: Json, *, kinds_of_numbers: bool = True) -> bool:
    """Answer whether both are the same JSON value: 1, True and 1.0 are three values.

    Without `kinds_of_numbers`, integers and floats are equal when their values are. Never raises,
    whatever a store answered.
    """
    with suppress(Exception):
        return plain_values.are_equal(left, right)
    pending = [(left, right)]
    # A value may hold itself: each pair is compared once. It is kept, so that its id stays its own.
    begun: dict[tuple[int, int], tuple[Json, Json]] = {}
    try:
        while pending:
            a, b = pending.pop()
            if (id(a), id(b)) in begun:
                continue
            if not _are_alike(a, b, kinds_of_numbers):
                return False
            if _is(a, list) or _is(a, dict):
                begun[id(a), id(b)] = a, b
                pending.extend(_members(a, b))
    except BaseException:  # noqa: BLE001 - a foreign object may raise anything from anywhere
        return False
    return True


def _are_alike(a: Json, b: Json, kinds_of_numbers: bool) -> bool:
    kinds = kind(a), kind(b)
    if kinds[0] != kinds[1]:
        return not kinds_of_numbers and set(kinds) == {"integer", "float"} and bool(a == b)
    match kinds[0]:
        case "null":
            return True
        case "array":
            return len(a) == len(b)
        case "object":
            return len(a) == len(b) and all(isinstance(key, str) and key in b for key in a)
        case "float" if kinds_of_numbers:
            return bool(a == b) and math.copysign(1, a) == math.copysign(1, b)
        case "boolean" | "integer" | "float" | "text":
            return bool(a == b)
    return False


def _members(a: Json, b: Json) -> Iterable[tuple[Json, Json]]:
    if _is(a, list):
        return zip(a, b, strict=True)
    return ((value, b[key]) for key, value in a.items())


def copy(value: Json) -> Json:
    """Copy a JSON value of any depth; whatever else is in it stays itself. Never raises."""
    with suppress(Exception):
        return plain_values.copy(value)
    twins: dict[int, tuple[Json, Json]] = {}
    pending: list[tuple[Json, list[Any]]] = []

    def twin(original: Json) -> Json:
        """Answer the copy, empty at first: its members are waiting in `pending`."""
        if id(original) in twins:
            return twins[id(original)][1]
        members = _listed(original)
        if members is None:
            return original
        made: Json = {} if _is(original, dict) else []
        twins[id(original)] = original, made
        pending.append((made, members))
        return made

    whole = twin(value)
    while pending:
        made, members = pending.pop()
        if isinstance(made, dict):
            made.update({key: twin(item) for key, item in members})
        else:
            made.extend(map(twin, members))
    return whole


def _listed(value: Json) -> list[Any] | None:
    try:
        if _is(value, list):
            return list(value)
        return list(value.items()) if _is(value, dict) else None
    except BaseException:  # noqa: BLE001 - a list of a store's own making may raise anything
        return None


def word(value: Any, *, limit: int = 400) -> str:
    """Word a value in one line of about `limit` characters at the most, as a Python literal.

    Anything at all can be worded: control characters are escaped, and what was left out is said.
    """
    text = ""
    for piece in _pieces(value, limit, 0):
        text += piece
        if len(text) > limit:
            return f"{text[:limit]}..."
    return text


def _pieces(value: Any, limit: int, depth: int) -> Iterator[str]:
    if depth > 20:
        yield "..."
    elif type(value) is str:
        yield _word_text(value, limit)
    elif type(value) is list:
        yield "["
        for index, item in enumerate(value):
            yield ", " if index else ""
            yield from _pieces(item, limit, depth + 1)
        yield "]"
    elif type(value) is dict:
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield ", " if index else ""
            yield from _pieces(key, limit, depth + 1)
            yield ": "
            yield from _pieces(item, limit, depth + 1)
        yield "}"
    else:
        yield _word_foreign(value)


def _word_text(text: str, limit: int) -> str:
    room = max(limit // 4, 40)
    if len(text) <= room:
        return repr(text)
    return f"{text[:room]!r}... ({len(text):,} characters)"


def _word_foreign(value: Any) -> str:
    if type(value) is int and value.bit_length() > WORDED_BITS:
        return f"<an integer of {value.bit_length():,} bits>"
    try:
        return printable(repr(value))
    except BaseException as error:  # noqa: BLE001 - the repr of a foreign object may do anything
        return f"<{printable(type(value).__name__)} whose repr raises {type(error).__name__}>"


WORDED_BITS = 8192
"""Of longer integers Python refuses to show the digits, or nobody reads them."""

LOG_COMMAND = re.compile(r"##\[|^\s*::(?=[\w-]+( .*)?::)")
"""What the log of a job on GitHub takes for a command: `::error::`, or `##[error]` anywhere."""


def printable(text: str, *, limit: int = 2000) -> str:
    """Cut a foreign text, and escape what a terminal, or a log, would act on or can't show."""
    cut = text[:limit] + ("..." if len(text) > limit else "")
    shown = cut
    if not cut.isprintable():
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)
    return LOG_COMMAND.sub(_as_words, shown)


def _as_words(command: re.Match[str]) -> str:
    return command[0].replace("[", r"\x5b").replace("::", r"\x3a:")
