"""Reports that the tests read are held to the schema, by the library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema

from sessionstore_contract.report.reading import schema

if TYPE_CHECKING:
    from pathlib import Path

VALIDATOR = jsonschema.Draft202012Validator(dict(schema()))


def valid(path: Path) -> dict[str, Any]:
    """Read a report that the kit wrote; it must have the shape of one."""
    said: dict[str, Any] = json.loads(path.read_text("utf-8"))
    VALIDATOR.validate(said)
    return said
