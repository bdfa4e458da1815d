"""The contract as a document: every clause, its digest, and finding clauses by name."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from typing import TYPE_CHECKING, Any

from .contract import CLAUSES
from .names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .clause import Clause


class UnknownClauseError(ValueError):
    """No clause matches; the message names the nearest that exist."""


def describe(clause: Clause) -> dict[str, Any]:
    """Describe a clause as plain data: what `list --json` prints and the digest is made of."""
    return {
        "id": clause.id,
        "level": str(clause.level),
        "needs": sorted(clause.needs),
        "moot_with": sorted(clause.moot_with),
        "scope": str(clause.scope),
        "sentence": clause.sentence,
    }


def digest() -> str:
    """Answer a digest of what the contract demands; it changes with a sentence, level or need."""
    whole = json.dumps([describe(clause) for clause in CLAUSES], sort_keys=True)
    return f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"


def select(globs: Iterable[str], levels: Iterable[str] = ()) -> list[Clause]:
    """Select clauses by id or glob, and by level; without any, all. In contract order.

    Raises:
        UnknownClauseError: a glob matches nothing.
    """
    globs, levels = tuple(globs), tuple(levels)
    ids = [clause.id for clause in CLAUSES]
    for glob in globs:
        if not any(_matches(one, glob) for one in ids):
            raise UnknownClauseError(f"no clause {glob!r}{nearest(glob, _candidates(glob))}")
    return [
        clause
        for clause in CLAUSES
        if (not globs or any(_matches(clause.id, glob) for glob in globs))
        and (not levels or clause.level in levels)
    ]


def _matches(clause_id: str, glob: str) -> bool:
    return clause_id.partition(".")[0] == glob or fnmatch.fnmatchcase(clause_id, glob)


def _candidates(glob: str) -> list[str]:
    areas = list(dict.fromkeys(clause.area for clause in CLAUSES))
    is_plain_id = "." in glob and not set("*?[") & set(glob)
    return [clause.id for clause in CLAUSES] if is_plain_id else areas
