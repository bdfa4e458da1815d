"""Where two JSON values begin to differ, for answers too long to be shown side by side."""

from __future__ import annotations

from typing import Any

from .values import are_equal, word

LIMIT = 60


def first_difference(answer: Any, demanded: Any) -> str:
    """Word the outermost member that is missing or too many, or the innermost that differs.

    Both are JSON values, and differ.
    """
    path = ""
    while type(answer) is type(demanded) and isinstance(demanded, dict | list):
        if odd := _odd_member(answer, demanded):
            return f"{odd}{path and f' in {path}'}"
        members: Any = demanded if isinstance(demanded, dict) else range(len(demanded))
        different = [one for one in members if not are_equal(answer[one], demanded[one])]
        if not different:
            break
        key = different[0]
        answer, demanded, path = answer[key], demanded[key], f"{path}[{word(key, limit=LIMIT)}]"
    if type(answer) is type(demanded) is str and (at := _alike(answer, demanded)):
        answer, demanded, path = answer[at:], demanded[at:], f"{path}[{at}:]"
    return f"{path} is {word(answer, limit=LIMIT)}, not {word(demanded, limit=LIMIT)}"


def _odd_member(answer: Any, demanded: Any) -> str:
    if isinstance(demanded, list):
        found, wanted = len(answer), len(demanded)
        return f"{found:,} members, not {wanted:,}" if found != wanted else ""
    for key in demanded:
        if key not in answer:
            return f"the key {word(key, limit=LIMIT)} is missing"
    for key in answer:
        if key not in demanded:
            return f"the key {word(key, limit=LIMIT)} is nobody's"
    return ""


def _alike(answer: str, demanded: str) -> int:
    """Answer how many characters both begin with."""
    pairs = enumerate(zip(answer, demanded, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(answer), len(demanded)))
