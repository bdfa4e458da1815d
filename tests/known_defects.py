"""The file of known defects, from what every mutant was found to break.

    python -m tests.known_defects

tries the contract on each of them, in as many processes as there are cores, and writes the file.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import re
import uuid
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import strategies

from sessionstore_contract import drawing
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.contract.procedures import activity, leaks, network
from sessionstore_contract.known_defects import FILE, blanked
from sessionstore_contract.report.explanation import failure
from sessionstore_contract.verdict import Finding, Verdict

from .places import in_memory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionstore_contract.clause import Clause

CHANGING = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"
    r"|(?P<time>datetime\.datetime\([\d, ]+)"
    r"|(?P<text>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})"
    r"|(?<=object at 0x)[0-9a-f]+"
    r"|(?<=')[\w-]{22}(?=')|(?<=['_])(?!0123456789abcdef)[0-9a-f]{12,}(?=')"
)
"""What a store or a clock made in a witness."""

MARK = re.compile(r"[a-z]-\d+-([0-9a-f]{12})(?![0-9a-f])")
"""What the kit has drawn for the ids of one trial; a store may have made anything of the rest."""

PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")

SHOWN = 8
"""Steps of a witness that an example shows."""


def record(name: str, clause: str, findings: Iterable[Finding]) -> dict[str, Any]:
    """Word what is kept of a mutant: the defect, and a failure of the clause that names it."""
    violated = {one.clause.id: one for one in findings if one.verdict is Verdict.VIOLATED}
    if clause not in violated:
        raise LookupError(f"{clause} does not name {name}")
    headlines = {one: blanked(finding.headline or "") for one, finding in violated.items()}
    return {
        "name": name,
        "defect": {
            "clause": clause,
            "headline": headlines.pop(clause),
            "consequences": dict(sorted(headlines.items())),
        },
        "steps": len(violated[clause].witness),
        "failure": failure(settled(violated[clause]), longest=SHOWN, width=78),
    }


def settled(finding: Finding) -> Finding:
    """Replace what differs from run to run, each by a stand-in of its own."""
    stand_ins: dict[str, str] = {}
    told = (*finding.witness, finding.headline, finding.demanded, finding.answered)
    marks = dict.fromkeys(mark for text in told for mark in MARK.findall(text or ""))

    def stand_in(found: re.Match[str]) -> str:
        text = found.group()
        if text in stand_ins:
            return stand_ins[text]
        day = len(stand_ins) + 1
        if found["time"]:
            return stand_ins.setdefault(text, f"datetime.datetime(2026, 1, {day}, ")
        if found["text"]:
            return stand_ins.setdefault(text, f"2026-01-{day:02}T12:00:00.000000")
        digits = hashlib.sha256(f"id {len(stand_ins)}".encode()).hexdigest()
        made = str(uuid.UUID(digits[:32])) if found["uuid"] else digits[: len(text)]
        return stand_ins.setdefault(text, made)

    def settle(text: str | None) -> str:
        plain = (text or "").encode("ascii", "backslashreplace").decode()
        # What was revived may tell of the machine on which it was.
        plain = plain.replace(str(Path.cwd()), "/srv/chat")
        plain = PORT.sub("40000", plain)
        for number, mark in enumerate(marks):
            plain = plain.replace(mark, f"{number:x}b4d08367467"[:12])
        return CHANGING.sub(stand_in, plain)

    return replace(
        finding,
        witness=tuple(map(settle, finding.witness)),
        headline=settle(finding.headline),
        demanded=settle(finding.demanded),
        answered=settle(finding.answered),
    )


def document(
    records: Iterable[dict[str, Any]], clauses: Iterable[Clause] = CLAUSES
) -> dict[str, Any]:
    """Word the file: the defects by name, and for each clause the shortest of its failures."""
    records = sorted(records, key=lambda one: str(one["name"]))
    failures: dict[str, list[str]] = {}
    for clause in (one.id for one in clauses):
        known = [one for one in records if one["defect"]["clause"] == clause]
        shortest = min(known, key=lambda one: (int(one["steps"]), sum(map(len, one["failure"]))))
        failures[clause] = shortest["failure"]
    return {
        "defects": {one["name"]: one["defect"] for one in records},
        "failures": failures,
    }


def measured(number: int) -> dict[str, Any]:
    """Try the contract on one mutant."""
    from .test_mutants import MUTANTS, all_findings, name_of, the_defect

    activity.GAPS = (0.01,)  # type: ignore[assignment]  # the long one is for coarse clocks
    leaks.PATIENCE = 0.2
    network.BOUND = 0.5
    drawing.MOST_SECONDS_OF_SHRINKING = 600.0
    warnings.simplefilter("ignore")
    store = MUTANTS[number]
    with in_memory():
        findings = all_findings(store)
    return record(name_of(store), the_defect(store).caught_by, findings)


@hypothesis.given(strategies.text())
def draw_once(_: str) -> None:
    """Have hypothesis read what it wants to know of the modules, once for all processes."""


def main() -> None:
    """Write the file."""
    from .test_mutants import MUTANTS

    draw_once()
    # Each in a process of its own: what one has left behind, and what of it goes away, is counted
    # with the others.
    with multiprocessing.Pool(maxtasksperchild=1) as processes:
        records = processes.map(measured, range(len(MUTANTS)), chunksize=1)
    FILE.write_text(
        json.dumps(document(records), indent=1, ensure_ascii=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
