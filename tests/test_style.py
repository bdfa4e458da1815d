"""Habits that a reader relies on, kept true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SOURCES = [
    path for name in ("src", "reference_backends") for path in sorted((ROOT / name).rglob("*.py"))
]
PROSE = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

NAMELESS = {"utils", "helpers", "common", "base", "manager"}
"""Module names that say nothing of what is inside."""

SELLING = re.compile(
    r"\b(comprehensive|robust|seamless|powerful|smart|simply|easily|just|production-ready)(ly)?\b",
    re.IGNORECASE,
)
"""Words that claim what a reader can't check."""

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")

EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_source = pytest.mark.parametrize("path", SOURCES, ids=_name)
every_text = pytest.mark.parametrize("path", SOURCES + PROSE, ids=_name)


@every_source
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    """Names that say nothing are no names."""
    assert path.stem not in NAMELESS
    assert path.parent.name not in NAMELESS


@every_source
def test_a_module_says_what_it_is(path: Path) -> None:
    """Each begins with a sentence."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    first = docstring.partition("\n\n")[0]
    assert first.endswith(".")


@every_text
def test_no_text_sells(path: Path) -> None:
    """Every sentence can be checked, and nothing waits in a comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for pattern in (SELLING, UNFINISHED, EMOJI):
        found = [
            f"{number}: {line}" for number, line in enumerate(lines, 1) if pattern.search(line)
        ]
        assert found == []
