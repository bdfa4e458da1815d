"""The contract as a document: every clause, its digest, and finding clauses by name."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .capabilities import Capability
from .clause import Scope
from .contract import CLAUSES
from .effort import THOROUGH
from .known_defects import failure_of
from .names import nearest
from .turn import CLAUSES as TURN_CLAUSES
from .turn import VERSION as TURN_VERSION
from .turn.clauses import TurnClause
from .turn.system import Ability
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

TURN_PREAMBLE = (
    "What a chat server does with the usage of each turn. Generated from the clauses (`make "
    "docs`). MUST decides conformance; SHOULD is reported, and decides only under `--strict`. "
    "`turn_tests(...)` tries it on any ASGI chat server that can be built from a store and an "
    "agent, and on an accumulator alone; the stores are the kit's, and fail as they are told to. "
    "Of a server that is no ASGI application, as one on WSGI or of aiohttp, the accumulator alone "
    "can be handed over: what its clients are answered is not tried then. Not tried at all are the "
    "histories of turns of one session at once. "
    "Where a defect was seen is a public thread; `seed` is the request that this contract began "
    "with, and `origin` the server that the interface comes from."
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
    clauses: tuple[Clause, ...] = field(repr=False)
    """Every clause, in contract order."""
    claims: frozenset[str] = field(default=frozenset(Capability), repr=False)
    """What the clauses may ask of what is tried."""


STORE = Contract("store", "The contract", CONTRACT_VERSION, PREAMBLE, "run", CLAUSES)
WIRE = Contract(
    "wire", "The contract of a platform", WIRE_VERSION, WIRE_PREAMBLE, "wire", WIRE_CLAUSES
)
TURN = Contract(
    *("turn", "The turn contract", TURN_VERSION, TURN_PREAMBLE, "turn"),
    clauses=TURN_CLAUSES,
    claims=frozenset(Ability),
)
CONTRACTS = {one.name: one for one in (STORE, WIRE, TURN)}


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
        **({"asks": sorted(clause.asks)} if isinstance(clause, TurnClause) else {}),
    }


def digest(contract: Contract = STORE) -> str:
    """Answer a digest of what the contract demands; it changes with a sentence, level or need."""
    whole = json.dumps([describe(clause) for clause in contract.clauses], sort_keys=True)
    return f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"


def select(
    globs: Iterable[str], levels: Iterable[str] = (), *, contract: Contract | None = STORE
) -> list[Clause]:
    """Select clauses by id or glob, and by level; without any, all. In contract order.

    Of every contract, the store's first, where `contract` is None. On turns, `turn.` may be left
    out where only these are meant.

    Raises:
        UnknownClauseError: a glob matches nothing.
    """
    globs, levels = tuple(globs), tuple(levels)
    contracts = CONTRACTS.values() if contract is None else (contract,)
    clauses = tuple(clause for one in contracts for clause in one.clauses)
    for given in globs:
        glob = _with_area(given) if contract is TURN else given
        if not any(_matches(clause.id, glob) for clause in clauses):
            near = nearest(glob, _candidates(glob, clauses))
            raise UnknownClauseError(f"no clause {given!r}{near}")
    if contract is TURN:
        globs = tuple(_with_area(glob) for glob in globs)
    return [
        clause
        for clause in clauses
        if (not globs or any(_matches(clause.id, glob) for glob in globs))
        and (not levels or clause.level in levels)
    ]


def _matches(clause_id: str, glob: str) -> bool:
    return clause_id.partition(".")[0] == glob or fnmatch.fnmatchcase(clause_id, glob)


def _with_area(glob: str) -> str:
    is_whole = glob == TURN.name or glob.startswith((f"{TURN.name}.", "*"))
    return glob if is_whole else f"{TURN.name}.{glob}"


def _candidates(glob: str, clauses: tuple[Clause, ...]) -> list[str]:
    areas = list(dict.fromkeys(clause.area for clause in clauses))
    is_plain_id = "." in glob and not set("*?[") & set(glob)
    return [clause.id for clause in clauses] if is_plain_id or len(areas) == 1 else areas


def page(contract: Contract = STORE) -> str:
    """Word a contract as a Markdown page: `docs/contract.md`, `wire.md` and `turn.md`."""
    lines = [
        f"# {contract.title}, version {contract.version}",
        "",
        contract.preamble,
    ]
    for area in dict.fromkeys(clause.area for clause in contract.clauses):
        lines += ["", f"## {area}"]
        for clause in contract.clauses:
            if clause.area == area:
                lines += ["", *entry(clause)]
    return "\n".join(lines) + "\n"


def explain(clause: Clause) -> str:
    """Word one clause for a terminal: what it demands, why, how to hold it, how it fails."""
    lines = [f"{clause.level.upper()} {clause.id}", "", *_wrapped(clause.sentence)]
    lines += ["", "applies", *_wrapped(_applies(clause))]
    lines += ["", "because", *_wrapped(clause.because), "", "to hold it", *_wrapped(clause.remedy)]
    example = failure_of(clause.id)
    if example:
        shown = (f"  {line}".rstrip() for line in example)
        lines += ["", f"what a {_held(clause)} that does not hold it is told", *shown]
    if clause.evidence:
        lines += ["", "seen in", *_wrapped(", ".join(clause.evidence))]
    lines += ["", "procedure", f"  {clause.where()}"]
    return "\n".join(lines)


def entry(clause: Clause) -> list[str]:
    """Word one clause for a page."""
    lines = [f"### `{clause.id}`", "", f"**{clause.level.upper()}.** {clause.sentence}", ""]
    lines += [f"Applies {_applies(clause)}.", ""]
    lines += [f"Because: {clause.because}", "", f"To hold it: {clause.remedy}"]
    lines += ["", f"Seen in: {', '.join(clause.evidence)}."] if clause.evidence else []
    example = failure_of(clause.id)
    if example:
        summary = f"<summary>What a {_held(clause)} that does not hold it is told</summary>"
        lines += ["", "<details>", summary, "", "```text", *example, "```", "", "</details>"]
    return lines


def _held(clause: Clause) -> str:
    """Answer what is held to the clause."""
    return {"wire": "platform", "turn": "system"}.get(clause.area, "store")


def _applies(clause: Clause) -> str:
    if isinstance(clause, TurnClause):
        return clause.applies()
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
    for path, contract in zip(sys.argv[1:], CONTRACTS.values(), strict=False):
        Path(path).write_text(page(contract), encoding="utf-8")
