"""A report that was written as JSON, read again: refused in one line, or typed."""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..clause import Level
from ..proof import Outcome
from ..values import printable, word
from ..verdict import Conclusion, Verdict
from .record import (
    BackendRecord,
    CatchRecord,
    ClauseRecord,
    DefectRecord,
    Head,
    ProofRecord,
    RunRecord,
    SubjectRecord,
)
from .shape import misfit

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")


class UnreadableError(Exception):
    """No report; one line that names the file and says why."""


@functools.cache
def schema() -> Mapping[str, Any]:
    """Answer the JSON Schema of a report."""
    loaded: Mapping[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return loaded


def read(path: Path) -> RunRecord | ProofRecord:
    """Read a report.

    Raises:
        UnreadableError: there is none, or it is malformed.
    """
    try:
        said = json.loads(
            path.read_bytes().decode("utf-8-sig"),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
        )
    except OSError as error:
        raise _refusal(path, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise _refusal(path, "is not UTF-8, and so no JSON") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _refusal(path, f"is no JSON: {error.msg} at {place}") from None
    except ValueError as error:
        raise _refusal(path, f"is no JSON: {error}") from None
    except RecursionError:
        raise _refusal(path, "is no report: it is nested too deep") from None
    return recorded(said, str(path))


def recorded(said: Any, source: str = "the report") -> RunRecord | ProofRecord:
    """Type a report that is plain data.

    Raises:
        UnreadableError: it is malformed.
    """
    if not isinstance(said, dict):
        raise _refusal(source, f"is no report: it is {word(said, limit=40)}, not object")
    if "schema" in said and said["schema"] != 1:
        known = "this kit reads schema 1"
        raise _refusal(source, f"is of schema {word(said['schema'], limit=40)}; {known}")
    wrong = misfit(said, schema())
    if wrong is not None:
        raise _refusal(source, f"is no report: {wrong}")
    head = _head(said, source)
    if "proof" in said:
        return _proof(said["proof"], head)
    return RunRecord(head, tuple(_backend(one, head, source) for one in said["backends"]))


def _refusal(source: object, why: str) -> UnreadableError:
    return UnreadableError(printable(f"{source}: {why}", limit=400))


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of a key that is there twice, one reader takes the first and another the last.
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = next(
            key for key, number in Counter(key for key, _ in pairs).items() if number > 1
        )
        raise ValueError(f"{word(repeated, limit=40)} is there twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _head(said: Mapping[str, Any], source: str) -> Head:
    contract, environment = said["contract"], said["environment"]
    return Head(
        source=source,
        kit=said["kit"]["version"],
        contract=contract.get("name", "store"),
        version=contract["version"],
        digest=contract["digest"],
        python=environment["python"],
        platform=environment["platform"],
        packages=environment["packages"],
        seed=said["seed"],
        effort=said["effort"],
        started_at=said["started_at"],
        duration=said["duration_s"],
    )


def _subject(said: Mapping[str, Any]) -> SubjectRecord:
    return SubjectRecord(
        name=said["name"],
        target=said["target"],
        storage=said["storage"],
        server=said["server"],
        profile=said["profile"],
        capabilities=tuple(said["capabilities"]),
        drivers=tuple(said.get("drivers", ())),
    )


def _backend(said: Mapping[str, Any], head: Head, source: str) -> BackendRecord:
    clauses = tuple(_clause(one) for one in said["clauses"])
    repeated = [one for one, number in Counter(one.id for one in clauses).items() if number > 1]
    if repeated:
        name, clause = word(said["name"], limit=40), word(repeated[0], limit=80)
        raise _refusal(source, f"is no report: of backend {name}, clause {clause} is there twice")
    return BackendRecord(
        head=head,
        subject=_subject(said),
        conclusion=Conclusion(said["verdict"]),
        counts=said["counts"],
        clauses=clauses,
        is_strict=said.get("strict", False),
    )


def _clause(said: Mapping[str, Any]) -> ClauseRecord:
    return ClauseRecord(
        id=said["id"],
        level=Level(said["level"]),
        verdict=Verdict(said["verdict"]),
        headline=said["headline"],
        witness=tuple(said["witness"]),
        program=tuple(said["program"]),
        demanded=said["demanded"],
        answered=said["answered"],
        remedy=said["remedy"],
        reason=said["reason"],
        duration=said["duration_s"],
        is_stale=said.get("stale", False),
    )


def _proof(said: Mapping[str, Any], head: Head) -> ProofRecord:
    return ProofRecord(
        head=head,
        subject=_subject(said["backend"]),
        notes=tuple(said["notes"]),
        left_out={one["clause"]: Verdict(one["verdict"]) for one in said["left_out"]},
        counts=said["counts"],
        defects=tuple(_defect(one) for one in said["defects"]),
    )


def _defect(said: Mapping[str, Any]) -> DefectRecord:
    return DefectRecord(
        name=said["name"],
        sentence=said["sentence"],
        meant=said["meant"],
        outcome=Outcome(said["outcome"]),
        is_caught=said["caught"],
        catches=tuple(
            CatchRecord(one["clause"], Level(one["level"]), one["headline"]) for one in said["by"]
        ),
        reason=said["reason"],
    )
