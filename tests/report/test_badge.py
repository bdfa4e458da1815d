"""Reports as a badge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from sessionstore_contract.report.assembly import assemble
from sessionstore_contract.report.badge import COLOURS, badge
from sessionstore_contract.verdict import Conclusion, Finding, Verdict

from .findings import applied, backend, clause, record_of, violated

if TYPE_CHECKING:
    from sessionstore_contract.report.document import BackendReport

GOOD = backend(*applied(), name="good")
BAD = backend(*applied(violated("cost.merge-is-shallow")), name="bad")
ADMITTING = backend(
    *applied(Finding(clause("cost.merge-is-shallow"), Verdict.ADMITTED, reason="12")), name="so"
)
UNKNOWN = backend(
    *applied(Finding(clause("cost.merge-is-shallow"), Verdict.FAULTED, reason="12")), name="who"
)


@pytest.mark.parametrize(
    ("backends", "message", "conclusion"),
    [
        ([GOOD], "conformant, durable", Conclusion.CONFORMANT),
        ([ADMITTING], "conformant with admissions, durable", Conclusion.ADMITTING),
        ([BAD], "nonconformant, durable", Conclusion.NONCONFORMANT),
        ([UNKNOWN], "incomplete, durable", Conclusion.INCOMPLETE),
        ([GOOD, GOOD], "2 of 2 conformant", Conclusion.CONFORMANT),
        ([GOOD, ADMITTING], "2 of 2 conformant, with admissions", Conclusion.ADMITTING),
        ([GOOD, UNKNOWN, BAD], "1 of 3 conformant", Conclusion.NONCONFORMANT),
        ([GOOD, UNKNOWN], "1 of 2 conformant", Conclusion.INCOMPLETE),
        ([], "nothing tried", Conclusion.INCOMPLETE),
    ],
)
def test_a_badge_says_the_worst(
    backends: list[BackendReport], message: str, conclusion: Conclusion
) -> None:
    """In words and in its colour; never that all is well when it is not."""
    made = badge(assemble([record_of(*backends)] if backends else []))
    assert made.message == message
    assert made.colour == COLOURS[conclusion]
    assert json.loads(made.shields()) == {
        "schemaVersion": 1,
        "label": made.label,
        "message": message,
        "color": made.colour,
    }


def test_the_drawing_loads_nothing_and_reads_aloud() -> None:
    """It is well-formed, and has the words for a screen reader."""
    drawn = ET.fromstring(badge(assemble([record_of(GOOD)])).svg())
    assert drawn.attrib["aria-label"] == "sessionstore contract 1.0: conformant, durable"
    assert {part.tag.rpartition("}")[2] for part in drawn.iter()} == {
        *("svg", "title", "clipPath", "rect", "g", "text"),
    }


def test_a_hostile_profile_breaks_no_badge() -> None:
    """It is cut, escaped, and well-formed."""
    hostile = backend(*applied(), profile="</text><script>\x1b\ud800&" * 100_000)
    made = badge(assemble([record_of(hostile)]))
    svg = made.svg()
    assert len(svg) < 2000
    assert "<script" not in svg
    svg.encode("utf-8")
    ET.fromstring(svg)
