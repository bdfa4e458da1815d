"""Equality and copying of what nearly all values are made of, several times as fast.

For `values`, which knows the rest: what is not plain, nests too deeply, or is too much raises
here. A small value can hold one list in a million places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .interface import Json

MOST = 1_000_000
"""Members that are looked at."""


class NotPlainError(Exception):
    """It is for somebody else."""


def are_equal(left: Json, right: Json) -> bool:
    """Answer whether both are the same JSON value.

    Raises:
        Exception: that is not known here, for whatever reason.
    """
    left_to_see = MOST

    def are_alike(a: Json, b: Json) -> bool:
        nonlocal left_to_see
        kind = type(a)
        if kind is not type(b):
            raise NotPlainError
        if kind is str or kind is int or kind is bool or a is None:
            return bool(a == b)
        if kind is not list and kind is not dict:
            raise NotPlainError
        left_to_see -= len(a)
        if left_to_see < 0:
            raise NotPlainError
        if kind is list:
            return len(a) == len(b) and all(map(are_alike, a, b))
        for key in a:
            if type(key) is not str:
                raise NotPlainError
        return len(a) == len(b) and all(
            key in b and are_alike(value, b[key]) for key, value in a.items()
        )

    return are_alike(left, right)


def copy(value: Json) -> Json:
    """Copy a JSON value.

    Raises:
        Exception: that can't be done here, for whatever reason.
    """
    left_to_see = MOST

    def twin(original: Json) -> Json:
        nonlocal left_to_see
        kind = type(original)
        if kind is str or kind is int or kind is float or kind is bool or original is None:
            return original
        if kind is not list and kind is not dict:
            raise NotPlainError
        left_to_see -= len(original)
        if left_to_see < 0:
            raise NotPlainError
        if kind is list:
            return list(map(twin, original))
        return {key: twin(item) for key, item in original.items()}

    return twin(value)
