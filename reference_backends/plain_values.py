"""Whether a value plainly keeps the value rule, found out a level at a time.

The rule itself is in `rules`, which says what is wrong and where. This says no more than that
nothing is, for the values that nearly everybody stores, at a fraction of the time: what is asked of
every member of a level is asked in one pass of the interpreter's own loops.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionstore_contract.interface import Json

_PLAIN: Final = frozenset({type(None), bool, int, float, str, list, dict})
_TEXTS: Final = frozenset({str})

MANY_OBJECTS: Final = 16
MOST_NAMES: Final = 32
"""From so many objects on, with so few names at most, it is faster to take them name by name."""

LARGEST_INTEGER: Final = 2**64
"""Up to here it is known at sight that an integer can be kept."""


def is_plain(value: Json, *, max_depth: int) -> bool:
    """Answer whether every value in it is of one of JSON's own types and can be kept.

    False says nothing: the value may be a subclass of a type, or large, or wrong.
    """
    return kinds_in(value, max_depth=max_depth) is not None


def kinds_in(value: Json, *, max_depth: int, max_members: int = 2**18) -> set[type] | None:
    """Answer of which types the values in it are, None where it is not plain."""
    level = [value]
    found: set[type] = set()
    for _ in range(max_depth + 1):
        kinds = set(map(type, level))
        found |= kinds
        if not (kinds <= _PLAIN and _are_scalars_plain(level, kinds)):
            return None
        if list not in kinds and dict not in kinds:
            return found
        objects = _of(dict, level, kinds)
        keys, members = _taken_apart(objects)
        if not (_TEXTS.issuperset(map(type, keys)) and _are_texts_plain(keys)):
            return None
        level = [*chain.from_iterable(_of(list, level, kinds)), *members]
        if len(level) > max_members:  # what holds itself would grow at each level
            return None
    return None


def _taken_apart(objects: list[dict[Any, Any]]) -> tuple[Iterable[Any], Iterable[Any]]:
    """Answer the names in all of the objects, and their values."""
    if len(objects) >= MANY_OBJECTS:
        names = tuple(objects[0])  # messages have the same few
        if len(names) <= MOST_NAMES and set(map(len, objects)) == {len(names)}:
            with suppress(KeyError):
                columns = [list(map(itemgetter(name), objects)) for name in names]
                return names, chain.from_iterable(columns)
    return set(chain.from_iterable(objects)), chain.from_iterable(map(dict.values, objects))


def _of(kind: type, level: list[Json], kinds: set[type]) -> list[Any]:
    if kind not in kinds:
        return []
    return level if len(kinds) == 1 else [item for item in level if type(item) is kind]


def _are_scalars_plain(level: list[Json], kinds: set[type]) -> bool:
    if int in kinds:
        integers = _of(int, level, kinds)
        if not (max(integers) < LARGEST_INTEGER and min(integers) > -LARGEST_INTEGER):
            return False
    if float in kinds and not all(map(isfinite, _of(float, level, kinds))):
        return False
    return str not in kinds or _are_texts_plain(_of(str, level, kinds))


def _are_texts_plain(texts: Iterable[str]) -> bool:
    together = "".join(texts)
    if "\x00" in together:
        return False
    if together.isascii():
        return True
    try:
        together.encode()
    except UnicodeEncodeError:  # a lone surrogate is no Unicode
        return False
    return True
