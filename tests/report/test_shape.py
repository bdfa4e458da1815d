"""The shape of a report: the kit's own reading of its schema agrees with the library's."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from sessionstore_contract.report.reading import schema
from sessionstore_contract.report.shape import KNOWN, misfit
from sessionstore_contract.verdict import Finding, Verdict

from .findings import INCONCLUSIVE, MERGE, VIOLATED, backend, said_of
from .schema import VALIDATOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPORT = said_of(
    backend(VIOLATED, INCONCLUSIVE, Finding(MERGE, Verdict.HELD), server="SQLite 3.45.1"),
    backend(VIOLATED, is_strict=True),
)
PROOF: dict[str, Any] = {
    **{key: value for key, value in REPORT.items() if key != "backends"},
    "proof": {
        "backend": {
            "name": "mine",
            "target": "pkg:Mine",
            "storage": "file",
            "server": None,
            "profile": "durable",
            "capabilities": ["durable"],
        },
        "counts": {"caught": 1, "survived": 0, "undecided": 0, "not-applicable": 0},
        "notes": ["one"],
        "left_out": [{"clause": "cost.merges", "verdict": "violated", "reason": None}],
        "defects": [
            {
                "name": "merge-goes-deep",
                "sentence": "It goes deep.",
                "meant": "cost.merges",
                "outcome": "caught",
                "caught": True,
                "by": [{"clause": "cost.merges", "level": "must", "headline": "it merges"}],
                "tried": 1,
                "reason": None,
            }
        ],
    },
}
ODD: tuple[Any, ...] = (None, True, -1, 0.5, "odd", [], {})


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value inside another."""
    yield path
    members = value.items() if isinstance(value, dict) else []
    for key, member in enumerate(value) if isinstance(value, list) else members:
        yield from spots(member, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def spoiled(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The document with one thing changed or left out, for each thing in it."""
    for *above, key in (path for path in spots(document) if path):
        for odd in ODD:
            changed = copy.deepcopy(document)
            at(changed, tuple(above))[key] = odd
            yield f"{above} {key} is {odd!r}", changed
        changed = copy.deepcopy(document)
        del at(changed, tuple(above))[key]
        yield f"{above} without {key}", changed


def test_the_schema_is_one() -> None:
    """It is valid itself, and has no keyword that the kit's own reading does not know."""
    jsonschema.Draft202012Validator.check_schema(dict(schema()))

    def keywords(part: Any) -> Iterator[str]:
        for key, member in part.items():
            yield key
            if key in {"properties", "$defs"}:
                for one in member.values():
                    yield from keywords(one)
            elif isinstance(member, dict):
                yield from keywords(member)

    assert set(keywords(schema())) <= KNOWN


@pytest.mark.parametrize("document", [REPORT, PROOF], ids=["run", "proof"])
def test_what_the_kit_words_has_the_shape(document: dict[str, Any]) -> None:
    """The library says so, and the kit."""
    VALIDATOR.validate(document)
    assert misfit(document, schema()) is None


@pytest.mark.parametrize("document", [REPORT, PROOF], ids=["run", "proof"])
def test_both_refuse_the_same(document: dict[str, Any]) -> None:
    """Whatever is changed or left out, the kit refuses it where the library does."""
    refused = 0
    for what, changed in spoiled(document):
        is_valid = VALIDATOR.is_valid(changed)
        assert (misfit(changed, schema()) is None) is is_valid, what
        refused += not is_valid
    assert refused > 100


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("schema",), 2, "schema is 2; known is 1"),
        (("seed",), "7", "seed is '7', not integer"),
        (("seed",), -1, "seed is -1, less than 0"),
        (("duration_s",), float("inf"), "duration_s is inf, not number"),
        (("environment", "packages", "httpx"), 1, "environment.packages.httpx is 1, not string"),
        (
            ("backends", 0, "clauses", 1, "level"),
            "musty",
            "backends[0].clauses[1].level is 'musty'; known is 'must', 'should', 'may'",
        ),
        (("backends", 1, "server"), 3, "backends[1].server is 3, not string or null"),
        (("proof",), PROOF["proof"], "it has not one of 'backends' and 'proof'"),
    ],
)
def test_the_first_misfit_is_named(path: tuple[Any, ...], value: Any, words: str) -> None:
    """Where it is, what is there, and what should be."""
    changed = copy.deepcopy(REPORT)
    at(changed, path[:-1])[path[-1]] = value
    assert misfit(changed, schema()) == words


def test_a_member_that_is_missing_is_named() -> None:
    """With what it is missing in."""
    changed = copy.deepcopy(REPORT)
    del changed["backends"][0]["counts"]["held"]
    assert misfit(changed, schema()) == "backends[0].counts has no 'held'"
    assert misfit({}, schema()) == "it has no 'schema'"


def test_what_is_added_is_no_misfit() -> None:
    """A later kit may say more."""
    changed = {**copy.deepcopy(REPORT), "more": [1]}
    assert misfit(changed, schema()) is None
