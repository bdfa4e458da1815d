"""Defects that are known: each with all clauses that it breaks, and a failure of each clause.

Measured on stores with one defect, the mutants of the kit's own tests; `make docs` writes the file.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_name("known_defects.json")
"""Of stores."""
WIRE_FILE = Path(__file__).with_name("wire_defects.json")
"""Of platforms."""
TURN_FILE = Path(__file__).parent / "turn" / "failures.json"
"""Of chat servers and accumulators: failures alone."""
FILES = {"wire": WIRE_FILE, "turn": TURN_FILE}
"""By area, where it is not that of stores."""

CHANGING = (
    (re.compile(r"'/[^']*'"), "'PATH'"),
    (re.compile(r"(?<![\w'/])/[\w.-]+(?:/[\w.-]+)+"), "PATH"),
    (re.compile(r"'[\w-]{16,}'"), "'ID'"),
    (re.compile(r"\b[0-9a-f]{12,}\b"), "ID"),
    (re.compile(r"\d+"), "N"),
)
"""What differs from run to run in the words of one defect."""


@dataclass(frozen=True)
class KnownDefect:
    """A defect, and what a store says that has this one alone."""

    name: str
    clause: str
    """The clause that names it."""
    headline: str
    """What is said of it there, blanked."""
    consequences: Mapping[str, str]
    """The other clauses that it breaks, each with its headline, blanked."""


LONGEST = 10_000
"""Characters of a text that are compared: no answer is worded in more."""


def blanked(text: str) -> str:
    """Take out of a text what differs from run to run: ids, paths and numbers."""
    text = text[:LONGEST]
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return text


@functools.cache
def known_defects(file: Path = FILE) -> tuple[KnownDefect, ...]:
    """Answer every known defect of stores, or of what another file is of."""
    return tuple(KnownDefect(name, **known) for name, known in _read(file)["defects"].items())


def failure_of(clause_id: str) -> list[str]:
    """Answer the lines of a failure of the clause, one whose witness is short; [] if none is known.

    They are what a store with one defect was told, but for ids and times.
    """
    file = FILES.get(clause_id.partition(".")[0], FILE)
    lines: list[str] = _read(file)["failures"].get(clause_id, [])
    return lines


@functools.cache
def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
