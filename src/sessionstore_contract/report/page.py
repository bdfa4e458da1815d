"""Reports and proofs as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..values import printable
from ..verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .assembly import Assembly, Row
    from .record import BackendRecord, ClauseRecord, DefectRecord, ProofRecord

HERE = Path(__file__).parent

CODES = {
    Verdict.HELD: "h",
    Verdict.VIOLATED: "v",
    Verdict.INCONCLUSIVE: "i",
    Verdict.NOT_APPLICABLE: "n",
    Verdict.ADMITTED: "a",
    Verdict.FAULTED: "f",
}
ABSENT = "-"
"""Stands for a clause that the contract of a run has not."""

MOST_LINES = 200
"""Lines of a history, or of a program, that a page has; of a longer one the first and the last."""
LANE = re.compile(r"\w+ {2,}[ |=\->\d]*[|=\-][ |=\->\d]*")
"""A line of a history that is drawn."""


def page(assembly: Assembly, proofs: Sequence[ProofRecord] = ()) -> str:
    """Word reports and proofs as a page that loads nothing from anywhere.

    What a store answered is data in it, never HTML: escaped, cut, and shown as text.
    """
    script = _file("page.js")
    title = _title(assembly, proofs)
    parts = {
        "title": html.escape(title),
        "style": _file("page.css"),
        "script-hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "data": _embedded(_data(assembly, proofs)),
        "script": script,
    }
    # In one pass: a part that has the name of another in it stays as it is.
    return re.sub(r"\{\{([\w-]+)\}\}", lambda found: parts[found[1]], _file("page.html"))


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _embedded(data: Mapping[str, Any]) -> str:
    """Word data as JSON that can't end the script element that it stands in."""
    plain = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _title(assembly: Assembly, proofs: Sequence[ProofRecord]) -> str:
    if not assembly.backends and proofs:
        return f"What the contract catches on {_text(proofs[0].subject.name, 80)}"
    if len(assembly.backends) == 1:
        return f"{assembly.names[0]} and the {' and the '.join(assembly.titles())}"
    return f"{len(assembly.backends)} backends and the {' and the '.join(assembly.titles())}"


def _data(assembly: Assembly, proofs: Sequence[ProofRecord]) -> dict[str, Any]:
    return {
        "subtitle": _subtitle(assembly, proofs),
        "clauses": [_row(row) for row in assembly.rows],
        "backends": [
            {"name": name, **_backend(backend, assembly.rows)}
            for name, backend in zip(assembly.names, assembly.backends, strict=True)
        ],
        "proofs": [_proof(proof) for proof in proofs],
    }


def _subtitle(assembly: Assembly, proofs: Sequence[ProofRecord]) -> list[str]:
    heads = [run.head for run in assembly.runs] + [proof.head for proof in proofs]
    said = [f"{len(assembly.rows)} clauses"] if assembly.rows else []
    days = sorted({head.started_at[:10] for head in heads})
    said += [f"{days[0]} to {days[-1]}" if len(days) > 1 else day for day in days[:1]]
    said += [f"kit {kit}" for kit in sorted({head.kit for head in heads})]
    strangers = len(assembly.strangers())
    if strangers:
        are = "runs are" if strangers > 1 else "run is"
        said.append(f"{strangers} {are} of another version of the contract than this page's words")
    return [_text(one, 200) for one in said]


def _row(row: Row) -> dict[str, Any]:
    clause = row.clause
    unknown = "A clause of another version of the contract; this kit does not know its words."
    return {
        "id": _text(row.id, 120),
        "area": _text(row.area, 120),
        "level": str(row.level),
        "sentence": clause.sentence if clause else unknown,
        "because": clause.because if clause else None,
        "remedy": clause.remedy if clause else None,
        "needs": sorted(clause.asked()) if clause else [],
        "evidence": list(clause.evidence) if clause else [],
    }


def _backend(backend: BackendRecord, rows: Sequence[Row]) -> dict[str, Any]:
    records = [backend.by_id.get(row.id) for row in rows]
    return {
        "server": _text(backend.subject.server or "", 80),
        "python": _text(backend.head.python, 40),
        "profile": _text(backend.subject.profile, 40),
        "verdict": str(backend.conclusion),
        "counts": {str(one): backend.counts[one] for one in Verdict},
        "cells": "".join(CODES[one.verdict] if one else ABSENT for one in records),
        "told": {
            number: told
            for number, record in enumerate(records)
            if record is not None and (told := _told(record))
        },
        "facts": [[name, _text(value, 600)] for name, value in _facts(backend) if value],
    }


def _told(record: ClauseRecord) -> dict[str, Any]:
    """Answer what there is to say of a verdict, without what is not there."""
    witness = _lines(record.witness)
    told = {
        "headline": record.headline and _text(record.headline, 400),
        "reason": record.reason and _text(record.reason, 2000),
        "witness": witness,
        "drawn": any(LANE.fullmatch(line) for line in witness),
        "program": _lines(record.program),
        "demanded": None if record.demanded is None else _text(record.demanded, 4000),
        "answered": None if record.answered is None else _text(record.answered, 4000),
    }
    return {name: value for name, value in told.items() if value or value == ""}


def _lines(lines: Sequence[str]) -> list[str]:
    shown = list(lines)
    if len(shown) > MOST_LINES:
        half = MOST_LINES // 2
        shown[half:-half] = [f"... {len(shown) - 2 * half:,} more lines ..."]
    return [_text(line, 1200) for line in shown]


def _facts(backend: BackendRecord) -> list[tuple[str, str]]:
    head, subject = backend.head, backend.subject
    return [
        ("target", subject.target),
        ("storage", subject.storage),
        ("server", subject.server or ""),
        ("drivers", ", ".join(subject.drivers)),
        ("profile", subject.profile),
        ("claims", ", ".join(subject.capabilities)),
        ("SHOULD clauses", "decide as well" if backend.is_strict else "are reported"),
        ("contract", f"{head.contract} {head.version}, {head.digest}"),
        ("kit", head.kit),
        ("python", f"{head.python} on {head.platform}"),
        ("packages", ", ".join(f"{name} {one}" for name, one in head.packages.items())),
        ("begun", f"{head.started_at}, {head.duration:.1f} s"),
        ("seed", f"{head.seed}, effort {head.effort}"),
        # Where it lay is nobody's business; what its folder is called may tell runs apart.
        ("read from", "/".join(Path(head.source).parts[-2:])),
    ]


def _proof(proof: ProofRecord) -> dict[str, Any]:
    notes = list(proof.notes)
    if proof.left_out:
        ids = ", ".join(proof.left_out)
        notes.append(f"Without a defect these do not hold, and so catch nothing: {ids}.")
    return {
        "name": _text(proof.subject.name, 80),
        "notes": [_text(note, 4000) for note in notes],
        "defects": [_defect(one) for one in proof.defects],
    }


def _defect(defect: DefectRecord) -> dict[str, Any]:
    return {
        "name": _text(defect.name, 120),
        "sentence": _text(defect.sentence, 400),
        "outcome": str(defect.outcome),
        "by": [[_text(one.clause, 120), _text(one.headline or "", 200)] for one in defect.catches],
        "reason": defect.reason and _text(defect.reason, 600),
    }


def _text(text: str, limit: int) -> str:
    return printable(text, limit=limit)
