"""What the findings on all clauses amount to."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore_contract.clause import Clause, Level, must, should
from sessionstore_contract.verdict import Conclusion, Finding, Verdict, conclude, count


async def procedure(store: object) -> None:
    """Demand nothing."""


MUST: Clause = must("area.must", "It must.", because="b", remedy="r")(procedure)
SHOULD: Clause = should("area.should", "It should.", because="b", remedy="r")(procedure)

FINDINGS = st.builds(Finding, st.sampled_from([MUST, SHOULD]), st.sampled_from(list(Verdict)))


def musts(*verdicts: Verdict) -> list[Finding]:
    return [Finding(MUST, verdict) for verdict in verdicts]


@pytest.mark.parametrize(
    ("verdicts", "conclusion"),
    [
        ([], Conclusion.INCOMPLETE),
        ([Verdict.NOT_APPLICABLE], Conclusion.INCOMPLETE),
        ([Verdict.ADMITTED], Conclusion.INCOMPLETE),
        ([Verdict.INCONCLUSIVE], Conclusion.INCOMPLETE),
        ([Verdict.FAULTED], Conclusion.INCOMPLETE),
        ([Verdict.HELD], Conclusion.CONFORMANT),
        ([Verdict.HELD, Verdict.NOT_APPLICABLE], Conclusion.CONFORMANT),
        ([Verdict.HELD, Verdict.ADMITTED], Conclusion.ADMITTING),
        ([Verdict.HELD, Verdict.ADMITTED, Verdict.INCONCLUSIVE], Conclusion.INCOMPLETE),
        ([Verdict.HELD, Verdict.INCONCLUSIVE], Conclusion.INCOMPLETE),
        ([Verdict.HELD, Verdict.FAULTED], Conclusion.INCOMPLETE),
        ([Verdict.VIOLATED], Conclusion.NONCONFORMANT),
        (list(Verdict), Conclusion.NONCONFORMANT),
    ],
)
def test_a_conclusion_is_drawn(verdicts: list[Verdict], conclusion: Conclusion) -> None:
    """Nothing tried is never green, a violation decides, what is open stays open."""
    assert conclude(musts(*verdicts)) is conclusion


@pytest.mark.parametrize(
    ("verdict", "strictly"),
    [
        (Verdict.VIOLATED, Conclusion.NONCONFORMANT),
        (Verdict.INCONCLUSIVE, Conclusion.INCOMPLETE),
        (Verdict.FAULTED, Conclusion.INCOMPLETE),
        (Verdict.ADMITTED, Conclusion.ADMITTING),
        (Verdict.HELD, Conclusion.CONFORMANT),
    ],
)
def test_a_should_decides_only_when_strict(verdict: Verdict, strictly: Conclusion) -> None:
    """SHOULD clauses are reported, and decide under `--strict`."""
    findings = [*musts(Verdict.HELD), Finding(SHOULD, verdict)]
    assert conclude(findings) is Conclusion.CONFORMANT
    assert conclude(findings, is_strict=True) is strictly


def test_a_should_that_held_is_no_conformance() -> None:
    """Where no MUST clause held there is no claim."""
    assert conclude([Finding(SHOULD, Verdict.HELD)]) is Conclusion.INCOMPLETE


@given(st.lists(FINDINGS), st.booleans())
def test_green_is_earned(findings: list[Finding], is_strict: bool) -> None:
    """Conformant means that at least one clause held, and that none which decides is open."""
    if conclude(findings, is_strict=is_strict) is not Conclusion.CONFORMANT:
        return
    deciding = [one.verdict for one in findings if is_strict or one.clause.level is Level.MUST]
    assert Verdict.HELD in deciding
    assert set(deciding) <= {Verdict.HELD, Verdict.NOT_APPLICABLE}


@given(st.lists(FINDINGS))
def test_every_finding_is_counted_once(findings: list[Finding]) -> None:
    """The counts add up, and every verdict has one."""
    counts = count(findings)
    assert list(counts) == [str(verdict) for verdict in Verdict]
    assert sum(counts.values()) == len(findings)


def test_a_finding_comes_back_as_it_was() -> None:
    """Packed it is plain data, which another process reads."""
    finding = Finding(
        MUST,
        Verdict.VIOLATED,
        headline="h",
        witness=("create()  ->  1",),
        answered="1",
        judged="create",
        hung=("close",),
        duration=0.5,
    )
    said = json.loads(json.dumps(finding.packed()))
    assert said["clause"] == "area.must"
    found = Finding.unpacked(said, MUST)
    assert found == finding
    assert (found.hung, found.duration) == (finding.hung, finding.duration)
