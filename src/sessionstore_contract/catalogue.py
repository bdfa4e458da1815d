"""The contract as a document: every clause, its digest, and finding clauses by name."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .capabilities import Capability
from .clause import Scope
from .contract import CLAUSES
from .effort import THOROUGH
from .known_defects import failure_of
from .names import nearest
from .version import CONTRACT_VERSION, WIRE_VERSION
from .wire import CLAUSES as WIRE_CLAUSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .clause import Clause


PREAMBLE = (
    "Generated from the clauses (`make docs`). MUST decides conformance; SHOULD is reported, and "
    "decides only under `--strict`. A clause that names capabilities applies to backends that "
    "claim them. Where a defect was seen is a public thread; `seed` is the request that this "
    "contract began with, and `origin` the stores that the interface comes from."
)


WIRE_PREAMBLE = (
    "Generated from the clauses (`make docs`). What a REST service under `/v1/sessions` is held "
    "to, by `sessionstore-contract wire URL`, in whatever language it is written. A platform "
    "claims `cost-read`, `retention` and `auth` by `--with`; each clause says which it needs. "
    "Every session that a run makes has a fresh UUID in its id and is removed in the end, and no "
    "other is touched, but for one clause: `wire.delete-before`, tried with `--with retention` "
    "only, removes sessions that are idle, whoever's they are, where the platform is disposable: "
    "on a loopback address, or with `--disposable`. On a platform that others use, leave "
    "`retention` out, or say `--not-disposable` if it is reached by a loopback address."
)


@dataclass(frozen=True)
class Contract:
    """A set of clauses with a version of its own."""

    name: str
    title: str
    version: str
    preamble: str
    command: str
    """The command that tries it."""

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Every clause, in contract order."""
        return WIRE_CLAUSES if self.name == "wire" else CLAUSES


STORE = Contract("store", "The contract", CONTRACT_VERSION, PREAMBLE, "run")
WIRE = Contract("wire", "The contract of a platform", WIRE_VERSION, WIRE_PREAMBLE, "wire")


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


def digest(contract: Contract = STORE) -> str:
    """Answer a digest of what the contract demands; it changes with a sentence, level or need."""
    whole = json.dumps([describe(clause) for clause in contract.clauses], sort_keys=True)
    return f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"


def select(
    globs: Iterable[str], levels: Iterable[str] = (), *, contract: Contract | None = STORE
) -> list[Clause]:
    """Select clauses by id or glob, and by level; without any, all. In contract order.

    Of every contract, the store's first, where `contract` is None.

    Raises:
        UnknownClauseError: a glob matches nothing.
    """
    globs, levels = tuple(globs), tuple(levels)
    clauses = CLAUSES + WIRE_CLAUSES if contract is None else contract.clauses
    for glob in globs:
        if not any(_matches(clause.id, glob) for clause in clauses):
            raise UnknownClauseError(
                f"no clause {glob!r}{nearest(glob, _candidates(glob, clauses))}"
            )
    return [
        clause
        for clause in clauses
        if (not globs or any(_matches(clause.id, glob) for glob in globs))
        and (not levels or clause.level in levels)
    ]


def _matches(clause_id: str, glob: str) -> bool:
    return clause_id.partition(".")[0] == glob or fnmatch.fnmatchcase(clause_id, glob)


def _candidates(glob: str, clauses: tuple[Clause, ...]) -> list[str]:
    areas = list(dict.fromkeys(clause.area for clause in clauses))
    is_plain_id = "." in glob and not set("*?[") & set(glob)
    return [clause.id for clause in clauses] if is_plain_id or len(areas) == 1 else areas


def page(contract: Contract = STORE) -> str:
    """Word a contract as a Markdown page: `docs/contract.md` is this, and `docs/wire.md`."""
    lines = [
        f"# {contract.title}, version {contract.version}",
        "",
        contract.preamble,
    ]
    for area in dict.fromkeys(clause.area for clause in contract.clauses):
        lines += ["", f"## {area}"]
        for clause in contract.clauses:
            if clause.area == area:
                lines += ["", *entry(clause, _applies(clause))]
    return "\n".join(lines) + "\n"


def explain(
    clause: Clause,
    applies: str | None = None,
    example: list[str] | None = None,
    *,
    whom: str | None = None,
) -> str:
    """Word one clause for a terminal: what it demands, why, how to hold it, how it fails."""
    lines = [f"{clause.level.upper()} {clause.id}", "", *_wrapped(clause.sentence)]
    applies = applies or _applies(clause)
    if applies:
        lines += ["", "applies", *_wrapped(applies)]
    lines += ["", "because", *_wrapped(clause.because), "", "to hold it", *_wrapped(clause.remedy)]
    example = failure_of(clause.id) if example is None else example
    if example:
        shown = (f"  {line}".rstrip() for line in example)
        lines += ["", f"what a {whom or _held(clause)} that does not hold it is told", *shown]
    if clause.evidence:
        lines += ["", "seen in", *_wrapped(", ".join(clause.evidence))]
    lines += ["", "procedure", f"  {clause.where()}"]
    return "\n".join(lines)


def entry(
    clause: Clause, applies: str, example: list[str] | None = None, *, whom: str | None = None
) -> list[str]:
    """Word one clause for a page; `applies` says to what."""
    lines = [f"### `{clause.id}`", "", f"**{clause.level.upper()}.** {clause.sentence}", ""]
    lines += [f"Applies {applies}.", ""] if applies else []
    lines += [f"Because: {clause.because}", "", f"To hold it: {clause.remedy}"]
    lines += ["", f"Seen in: {', '.join(clause.evidence)}."] if clause.evidence else []
    example = failure_of(clause.id) if example is None else example
    if example:
        summary = f"<summary>What a {whom or _held(clause)} that does not hold it is told</summary>"
        lines += ["", "<details>", summary, "", "```text", *example, "```", "", "</details>"]
    return lines


def _held(clause: Clause) -> str:
    """Answer what is held to the clause."""
    return "platform" if clause.area == "wire" else "store"


def _applies(clause: Clause) -> str:
    if clause.area == "wire":
        claimed = sorted(clause.needs - {Capability.PERSISTENCE})
        return f"where {', '.join(claimed)} is claimed" if claimed else "to every platform"
    match clause.scope:
        case Scope.EPHEMERAL:
            return "to stores that do not claim persistence"
        case Scope.ANY if not clause.needs:
            return "to every store"
    claims = ", ".join(sorted(clause.needs))
    unless = f", unless {' and '.join(sorted(clause.moot_with))} are" if clause.moot_with else ""
    alone = f", with `--effort {THOROUGH.name}`" if clause.is_thorough else ""
    return f"where {claims} {'are' if len(clause.needs) > 1 else 'is'} claimed{unless}{alone}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, 80, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )


if __name__ == "__main__":
    for path, contract in zip(sys.argv[1:], (STORE, WIRE), strict=False):
        Path(path).write_text(page(contract), encoding="utf-8")
