"""The contract of turns as a document: every clause, its digest, and finding clauses by name."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import catalogue
from .catalogue import UnknownClauseError
from .names import nearest
from .turn import CLAUSES, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .turn.clauses import TurnClause

FAILURES = Path(__file__).parent / "turn" / "failures.json"
"""A failure of each clause; `make docs` writes the file."""

WHOM = "system"

PREAMBLE = (
    "What a chat server does with the usage of each turn. Generated from the clauses (`make "
    "docs`). MUST decides conformance; SHOULD is reported, and decides only under `--strict`. "
    "`turn_tests(...)` tries it on any ASGI chat server that can be built from a store and an "
    "agent, and on an accumulator alone; the stores are the kit's, and fail as they are told to. "
    "Where a defect was seen is a public thread; `seed` is the request that this contract began "
    "with, and `origin` the server that the interface comes from."
)


def describe(clause: TurnClause) -> dict[str, Any]:
    """Describe a clause as plain data: what the digest is made of."""
    return {
        "id": clause.id,
        "level": str(clause.level),
        "asks": sorted(clause.asks),
        "sentence": clause.sentence,
    }


def digest() -> str:
    """Answer a digest of what is demanded; it changes with a sentence, level or need."""
    whole = json.dumps([describe(clause) for clause in CLAUSES], sort_keys=True)
    return f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"


def select(globs: Iterable[str], levels: Iterable[str] = ()) -> list[TurnClause]:
    """Select clauses by id, with or without `turn.`, or glob, and by level; without any, all.

    Raises:
        UnknownClauseError: a glob matches nothing.
    """
    globs, levels = tuple(globs), tuple(levels)
    for glob in globs:
        if not any(_matches(clause, glob) for clause in CLAUSES):
            known = [clause.id for clause in CLAUSES]
            raise UnknownClauseError(f"no clause {glob!r}{nearest(glob, known)}")
    return [
        clause
        for clause in CLAUSES
        if (not globs or any(_matches(clause, glob) for glob in globs))
        and (not levels or clause.level in levels)
    ]


def _matches(clause: TurnClause, glob: str) -> bool:
    names = (clause.id, clause.id.partition(".")[2])
    return glob == "turn" or any(fnmatch.fnmatchcase(name, glob) for name in names)


def page() -> str:
    """Word the contract as a Markdown page: `docs/turn.md` is this."""
    lines = [f"# The turn contract, version {VERSION}", "", PREAMBLE]
    for clause in CLAUSES:
        lines += ["", *catalogue.entry(clause, clause.applies(), failure_of(clause.id), whom=WHOM)]
    return "\n".join(lines) + "\n"


def explain(clause: TurnClause) -> str:
    """Word one clause for a terminal: what it demands, why, how to hold it, how it fails."""
    return catalogue.explain(clause, clause.applies(), failure_of(clause.id), whom=WHOM)


def failure_of(clause_id: str) -> list[str]:
    """Answer the lines of a failure of the clause: what a system with one defect was told."""
    failures: dict[str, list[str]] = json.loads(FAILURES.read_text(encoding="utf-8"))
    return failures.get(clause_id, [])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
