"""Whether plain data has the shape that a schema demands, and where it has not.

Of JSON Schema it knows what the schema of the report uses, so that reading one needs no library.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..values import are_equal, word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

KNOWN = frozenset(
    {
        *("$schema", "$defs", "title", "description"),
        *("$ref", "type", "const", "enum", "minimum", "items"),
        *("required", "properties", "additionalProperties", "oneOf"),
    }
)
"""Keywords that a schema may have."""


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


IS_OF: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == value // 1,
}


def misfit(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Say the first thing that is not as the schema demands; None when all is."""
    return next(_misfits(value, schema, schema, ""), None)


def _misfits(
    value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any], where: str
) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from _misfits(value, whole["$defs"][name], whole, where)
        return
    here = where or "it"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(IS_OF[kind](value) for kind in kinds):
        yield f"{here} is {word(value, limit=40)}, not {' or '.join(kinds)}"
        return
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices is not None and not any(_is_one(value, one) for one in choices):
        known = ", ".join(map(word, choices))
        yield f"{here} is {word(value, limit=40)}; known is {known}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{here} is {word(value)}, less than {schema['minimum']}"
    if isinstance(value, dict):
        yield from _misfits_of_members(value, schema, whole, where)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from _misfits(item, schema["items"], whole, f"{where}[{number}]")


def _misfits_of_members(
    value: dict[str, Any], schema: Mapping[str, Any], whole: Mapping[str, Any], where: str
) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{f'{where} has' if where else 'it has'} no {word(name)}"
    alternatives = [one["required"][0] for one in schema.get("oneOf", ())]
    if alternatives and sum(name in value for name in alternatives) != 1:
        yield f"it has not one of {' and '.join(map(word, alternatives))}"
    known = schema.get("properties", {})
    for name, member in value.items():
        demanded = known.get(name, schema.get("additionalProperties"))
        if demanded is not None:
            yield from _misfits(member, demanded, whole, f"{where}.{name}" if where else name)


def _is_one(value: Any, choice: Any) -> bool:
    return are_equal(value, choice, kinds_of_numbers=False)
