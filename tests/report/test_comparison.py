"""What changed between two reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionstore_contract.report.comparison import Comparison, IncomparableError, compare
from sessionstore_contract.report.record import RunRecord
from sessionstore_contract.verdict import NOT_SELECTED, STOPPED, Finding, Verdict

from .findings import applied, backend, clause, record_of, violated

BROKEN = violated("cost.merge-is-shallow", "update merges nested objects")
SHOULD = next(one.clause for one in applied() if one.clause.level == "should")


def run(*findings: Finding, name: str = "mine") -> RunRecord:
    return record_of(backend(*applied(*findings), name=name), source="a.json")


def finding(clause_id: str, verdict: Verdict, reason: str | None = None) -> Finding:
    return Finding(clause(clause_id), verdict, reason=reason)


def told(comparison: Comparison) -> list[str]:
    return list(comparison.lines())


def test_nothing_changed() -> None:
    """Which is said."""
    assert told(compare(run(BROKEN), run(BROKEN))) == ["nothing changed"]


def test_a_clause_that_is_newly_violated_is_a_regression() -> None:
    """It is told with its diagnosis, and so is the backend's verdict."""
    found = compare(run(), run(BROKEN))
    assert told(found) == [
        "verdicts:",
        "! mine: conformant -> nonconformant",
        "newly violated:",
        "! mine: cost.merge-is-shallow: held -> violated: update merges nested objects",
        "2 regressions, marked with !",
    ]


@pytest.mark.parametrize(
    "verdict", [Verdict.ADMITTED, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE, Verdict.FAULTED]
)
def test_whatever_it_was_before(verdict: Verdict) -> None:
    """What was not violated then is newly violated now."""
    found = compare(run(finding("cost.merge-is-shallow", verdict, "why")), run(BROKEN))
    assert [one.kind for one in found.changes if one.is_regression][-1] == "newly violated"


def test_a_clause_that_is_newly_held_is_none() -> None:
    """Nor is a better verdict."""
    found = compare(run(BROKEN), run())
    assert found.regressions == 0
    assert told(found) == [
        "verdicts:",
        "  mine: nonconformant -> conformant",
        "newly held:",
        "  mine: cost.merge-is-shallow: violated -> held",
        "no regression",
    ]


def test_a_should_clause_counts_when_it_is_asked_for() -> None:
    """It is told all the same."""
    after = run(violated(SHOULD.id))
    line = f"mine: {SHOULD.id} (SHOULD): held -> violated: it does otherwise"
    assert told(compare(run(), after)) == ["newly violated:", f"  {line}", "no regression"]
    assert compare(run(), after, is_strict=True).regressions == 1


def test_what_was_held_and_is_no_longer_claimed_is_lost() -> None:
    """Who relied on it can't any more."""
    after = finding("cost.merge-is-shallow", Verdict.NOT_APPLICABLE, "needs cost-read")
    assert told(compare(run(), run(after))) == [
        "other changes:",
        "! mine: cost.merge-is-shallow: held -> not-applicable: needs cost-read",
        "1 regression, marked with !",
    ]


def test_what_could_not_be_found_out_makes_the_verdict_worse() -> None:
    """The clause itself is no regression."""
    found = compare(run(), run(finding("cost.merge-is-shallow", Verdict.FAULTED, "no server")))
    assert told(found) == [
        "verdicts:",
        "! mine: conformant -> incomplete",
        "other changes:",
        "  mine: cost.merge-is-shallow: held -> faulted: no server",
        "1 regression, marked with !",
    ]


def test_an_admission_is_a_worse_verdict() -> None:
    """Than none."""
    after = finding("cost.merge-is-shallow", Verdict.ADMITTED, "#12")
    assert compare(run(), run(after)).regressions == 1
    assert compare(run(BROKEN), run(after)).regressions == 0


def test_backends_that_are_in_one_only() -> None:
    """Each is told with the file that it is in."""
    assert told(compare(run(name="old"), run(name="new"))) == [
        "tried differently:",
        "  old: only in a.json",
        "  new: only in a.json, conformant",
        "no regression",
    ]


def test_several_backends_of_one_name() -> None:
    """The second is compared with the second."""
    before = record_of(backend(*applied()), backend(*applied()))
    after = record_of(backend(*applied()), backend(*applied(BROKEN)))
    assert "! mine (2): conformant -> nonconformant" in told(compare(before, after))


def test_another_contract_kit_server_and_claims_are_told() -> None:
    """They may be why."""
    before, after = run(), run()
    (backend_after,) = after.backends
    subject = replace(backend_after.subject, server="SQLite 9", capabilities=("durable", "census"))
    after = replace(
        after,
        head=replace(after.head, version="2.0", digest="sha256:0", kit="9"),
        backends=(replace(backend_after, subject=subject),),
    )
    kit = before.head
    assert told(compare(before, after)) == [
        "tried differently:",
        f"  contract version: {kit.version} -> 2.0",
        f"  contract digest: {kit.digest} -> sha256:0",
        f"  kit: {kit.kit} -> 9",
        "  mine: server - -> SQLite 9",
        "  mine: no longer claims cost-read, persistence, retention, shared",
        "  mine: claims census as well",
        "no regression",
    ]


def test_a_clause_that_only_one_contract_has() -> None:
    """A new one that is violated is a regression; one that went is told."""
    whole = run(BROKEN)
    (one,) = whole.backends
    without = tuple(two for two in one.clauses if two.id != "cost.merge-is-shallow")
    smaller = replace(whole, backends=(replace(one, clauses=without),))
    assert told(compare(smaller, whole))[:2] == [
        "newly violated:",
        "! mine: cost.merge-is-shallow: no clause then -> violated: update merges nested objects",
    ]
    assert told(compare(whole, smaller))[1] == (
        "  mine: cost.merge-is-shallow: violated -> no longer a clause"
    )


def test_reports_of_two_contracts_are_not_compared() -> None:
    """They have no clause in common."""
    wire = replace(run(), head=replace(run().head, contract="wire"))
    with pytest.raises(
        IncomparableError, match=r"a\.json is of the contract store, a\.json of wire"
    ):
        compare(run(), wire)


def selection(*tried: Finding, source: str = "b.json") -> RunRecord:
    """A run of which some clauses were chosen."""
    chosen = {one.clause for one in tried}
    left = [
        Finding(one.clause, Verdict.INCONCLUSIVE, reason=NOT_SELECTED)
        for one in applied()
        if one.verdict is Verdict.HELD and one.clause not in chosen
    ]
    return record_of(backend(*applied(*left, *tried)), source=source)


def test_what_was_not_selected_is_not_compared() -> None:
    """One line says of how much there is a comparison; the verdict on a part is no worse one."""
    held = Finding(clause("cost.merge-is-shallow"), Verdict.HELD)
    number = sum(one.verdict is Verdict.HELD for one in applied())
    part = (
        f"mine: b.json tried 1 of {number} clauses; the others are not compared, nor is the verdict"
    )
    nothing_else = ["tried differently:", f"  {part}", "no regression"]

    assert told(compare(run(), selection(held))) == nothing_else
    assert told(compare(selection(held), run())) == nothing_else
    assert told(compare(selection(held), selection(held))) == nothing_else
    assert told(compare(run(BROKEN), selection(held)))[:2] == [
        "newly held:",
        "  mine: cost.merge-is-shallow: violated -> held",
    ]


def test_what_is_violated_in_a_selection_is_a_regression() -> None:
    """It was tried in both."""
    found = compare(run(), selection(BROKEN))
    assert told(found)[:2] == [
        "newly violated:",
        "! mine: cost.merge-is-shallow: held -> violated: update merges nested objects",
    ]
    assert found.regressions == 1


def test_a_run_that_was_stopped_has_lost_its_verdict() -> None:
    """Which is a regression; the clauses that it did not come to are counted, and not listed."""
    left = [
        Finding(one.clause, Verdict.INCONCLUSIVE, reason=STOPPED)
        for one in applied()
        if one.verdict is Verdict.HELD
    ][3:]
    what = f"{len(left)} of {len(left) + 3} clauses"
    assert told(compare(run(), record_of(backend(*applied(*left)), source="b.json"))) == [
        "verdicts:",
        "! mine: conformant -> incomplete",
        "tried differently:",
        f"  mine: b.json was stopped before {what}; these are not compared",
        "1 regression, marked with !",
    ]


def test_what_a_store_says_is_printable() -> None:
    """A terminal acts on none of it."""
    hostile = violated("cost.merge-is-shallow", "\x1b[2J\u202e\n" + "x" * 10_000_000)
    lines = told(compare(run(), run(hostile)))
    assert all(line.isprintable() and len(line) < 2100 for line in lines)
