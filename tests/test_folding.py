"""Violations of one defect are told apart from defects of their own."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import Backend
from sessionstore_contract.contract import CLAUSES, PLACE
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.expect import REFUSAL
from sessionstore_contract.folding import fold, lines, numbers, with_owners, with_reasons
from sessionstore_contract.history import OPERATIONS
from sessionstore_contract.known_defects import KnownDefect, blanked, known_defects
from sessionstore_contract.runs import check_sync
from sessionstore_contract.verdict import Finding, Verdict

from . import full_defects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BY_ID = {clause.id: clause for clause in CLAUSES}
MERGE, LAST, NULL, FOLDS = (
    "cost.merge-is-shallow",
    "cost.last-write-wins",
    "cost.null-is-a-value",
    "cost.folds-like-a-dict",
)
SAVED, MISSING = "messages.save-then-load", "lifecycle.missing-is-not-empty"
RACE = "concurrency.disjoint-updates-survive-across-instances"
BOTH = "concurrency.save-and-update-keep-both"
LIST, TAKEN = "messages.must-be-a-list", "lifecycle.create-refuses-a-taken-id"
MODEL = "sequence.instances-follow-the-model"
INSTANCES, PROCESSES = "sharing.writes-are-seen-at-once", "sharing.processes-see-each-other"

DEEP = KnownDefect("Deep", MERGE, "it merges deep", {LAST: "it merges deep", FOLDS: "N is N"})
REPLACES = KnownDefect("Replaces", MERGE, "it replaces", {NULL: "the others are gone"})
LATE = KnownDefect("Late", LAST, "the first one wins", {})


def undecided(reason: str, owner: str) -> Finding:
    return Finding(BY_ID[BOTH], Verdict.INCONCLUSIVE, reason=f"{reason}: see {owner}", owner=owner)


def violated(clause: str, headline: str, judged: str = "get_cost_data", **rest: Any) -> Finding:
    found = Finding(BY_ID[clause], Verdict.VIOLATED, headline=headline, judged=judged)
    return replace(found, **rest)


def raised(clause: str, text: str, judged: str) -> Finding:
    return violated(clause, f"{judged} raised {text}", judged, answered=f"raised {text}")


def held(*clauses: str) -> list[Finding]:
    return [Finding(BY_ID[clause], Verdict.HELD) for clause in clauses]


def folded(
    findings: Iterable[Finding], *known: KnownDefect
) -> dict[str, tuple[list[str], list[str]]]:
    """Each root with its known and its probable consequences."""
    return {
        one.root.clause.id: (
            [finding.clause.id for finding in one.known],
            [finding.clause.id for finding in one.probable],
        )
        for one in fold(in_order(findings), known)
    }


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: PLACE[one.clause.id])


def test_nothing_violated_is_no_defect() -> None:
    """Also where something could not be decided."""
    undecided = Finding(BY_ID[MERGE], Verdict.INCONCLUSIVE, owner=SAVED)
    assert fold([*held(SAVED), undecided]) == []


def test_what_a_known_defect_breaks_is_its_consequence() -> None:
    """The diagnosis and the words of the consequence are those of a store with this defect."""
    found = [violated(MERGE, "it merges deep"), violated(LAST, "it merges deep")]
    assert folded(found, DEEP) == {MERGE: ([LAST], [])}


def test_another_diagnosis_of_the_same_clause_has_other_consequences() -> None:
    """What a defect does not break by itself is a defect of its own."""
    found = [violated(MERGE, "it replaces"), violated(LAST, "the first one wins")]
    assert folded(found, DEEP, REPLACES, LATE) == {MERGE: ([], []), LAST: ([], [])}


def test_a_named_defect_is_no_consequence_in_other_words() -> None:
    """The clause is one that the defect breaks, but it says what another defect says."""
    found = [violated(MERGE, "it merges deep"), violated(LAST, "the first one wins")]
    assert folded(found, DEEP, LATE) == {MERGE: ([], []), LAST: ([], [])}


def test_a_race_follows_in_whatever_words() -> None:
    """Which of two calls comes first decides what is lost: one lock is missing all the same."""
    locks = KnownDefect("Locks", RACE, "N of N stand", {BOTH: "they lose cost data"})
    other = KnownDefect("Other", BOTH, "they lose the messages", {})
    found = [violated(RACE, "5 of 20 stand"), violated(BOTH, "they lose the messages")]
    assert folded(found, locks, other) == {RACE: ([BOTH], [])}


def test_a_consequence_in_words_that_nobody_knows_is_probable() -> None:
    """The defect is known to break the clause; what is said there was never seen."""
    found = [violated(MERGE, "it merges deep"), violated(LAST, "quite another answer")]
    assert folded(found, DEEP, LATE) == {MERGE: ([], [LAST])}


def test_numbers_and_ids_make_no_other_diagnosis() -> None:
    """`blanked` takes them out on both sides."""
    known = KnownDefect("Late", MERGE, blanked("1 of 20 stand of 'b2c41d0f9e5a4c0c8a7e'"), {})
    assert known.headline == "N of N stand of 'ID'"
    found = [violated(MERGE, "3 of 20 stand of 'aaaaaaaaaaaaaaaaaaaaaaaa'"), violated(NULL, "hmm")]
    assert folded(found, replace(known, consequences={NULL: "hmm"})) == {MERGE: ([NULL], [])}


def test_a_property_follows_whatever_values_were_drawn() -> None:
    """Its words depend on the seed, so that the clause alone counts."""
    found = [violated(MERGE, "it merges deep"), violated(FOLDS, "{} is not {'a': 1}")]
    assert folded(found, DEEP) == {MERGE: ([FOLDS], [])}


def test_a_property_follows_an_unknown_defect_of_the_same_operation() -> None:
    """It demands of drawn values what the others demand of theirs."""
    strange = violated(LAST, "nobody knows this")
    assert folded([strange, violated(FOLDS, "{}")], DEEP) == {LAST: ([], [FOLDS])}
    by_update = violated(FOLDS, "{}", "update")
    assert folded([strange, by_update], DEEP) == {LAST: ([], []), FOLDS: ([], [])}


@pytest.mark.parametrize("clause", [MODEL, "concurrency.histories-are-linearisable"])
def test_a_sequence_follows_what_a_part_of_it_may_show(clause: str) -> None:
    """A wrong answer there comes from any defect of what it covers."""
    assert folded([violated(SAVED, "lost", "load"), violated(clause, "no", "exists")]) == {
        SAVED: ([], [clause])
    }


def test_an_exception_in_a_sequence_follows_only_the_same_exception() -> None:
    """Of whatever operation; the ids in it are drawn. A wrong answer elsewhere raises nothing."""
    locked = raised(MODEL, "OperationalError: database is locked", "save")
    takes = violated(LIST, "save takes None", "save", demanded=REFUSAL, answered="None")
    assert folded([takes, locked]) == {LIST: ([], []), MODEL: ([], [])}
    lost = violated(SAVED, "lost", "save", answered="[]")
    assert folded([lost, locked]) == {SAVED: ([], []), MODEL: ([], [])}
    full = raised(SAVED, "OperationalError: disk is full", "load")
    assert folded([full, locked]) == {SAVED: ([], []), MODEL: ([], [])}

    found = [raised(SAVED, "KeyError: 'a'", "load"), raised(MODEL, "KeyError: 'b'", "update")]
    assert folded(found) == {SAVED: ([], [MODEL])}


def test_what_is_not_refused_shows_in_a_sequence_where_it_is_taken() -> None:
    """A sequence hands nothing over that is no list, but it makes a session that is there."""
    wrong = violated(MODEL, "load answers [] after save", "load")
    takes = violated(LIST, "save takes None", "save", demanded=REFUSAL, answered="None")
    assert folded([takes, wrong]) == {LIST: ([], []), MODEL: ([], [])}
    taken = violated(TAKEN, "create takes it", "create", demanded=REFUSAL, answered="'a'")
    again = violated(MODEL, "create after create answers", "create")
    assert folded([taken, again]) == {TAKEN: ([], [MODEL])}


def test_the_defect_that_explains_the_most_is_taken_first() -> None:
    """The diagnosis of a consequence may be one that other defects have for their own."""
    found = [violated(MERGE, "it merges deep"), violated(LAST, "it merges deep")]
    alone = KnownDefect("Alone", LAST, "it merges deep", {MERGE: "it merges deep", SAVED: "lost"})
    assert folded([*found, *held(SAVED)], alone, DEEP) == {MERGE: ([LAST], [])}


@pytest.mark.parametrize("text", ["OSError: disk full", "KeyError: '4ab5b3f5a5c94fa2b1f6'"])
def test_one_exception_of_one_operation_is_one_defect(text: str) -> None:
    """It is shown under the clause that owns the operation, or else under the first."""
    other_id = text.replace("4ab5", "0000")
    found = [raised(MISSING, text, "load"), raised(SAVED, other_id, "load")]
    assert folded(found) == {SAVED: ([], [MISSING])}
    of_update = [raised(MISSING, text, "update"), raised(NULL, other_id, "update")]
    assert folded(of_update) == {MISSING: ([], [NULL])}


@pytest.mark.parametrize("answered", ["did not answer in time", "the process ended with 3"])
def test_an_operation_that_does_not_come_back_is_one_defect(answered: str) -> None:
    """In however many clauses it was called."""
    found = [violated(clause, "h", "load", answered=answered) for clause in (MISSING, SAVED)]
    assert folded(found) == {SAVED: ([], [MISSING])}


FIRST_CALLS = (
    ("lifecycle.create-keeps-the-given-id", "create"),
    (MISSING, "load"),
    ("messages.save-creates-a-missing-session", "save"),
    ("cost.update-without-fields-writes-nothing", "update"),
)


def first_calls(text: str, *, steps: int = 1) -> list[Finding]:
    witness = tuple(f"step {number}" for number in range(steps))
    return [
        replace(raised(clause, text, operation), witness=witness)
        for clause, operation in FIRST_CALLS
    ]


def test_a_store_that_does_not_open_has_one_defect() -> None:
    """Whatever is called first raises the same: it is shown under the first of the clauses."""
    (root, *others) = [clause for clause, _ in FIRST_CALLS]
    assert folded(first_calls("ParserError: near 'at'")) == {root: ([], others)}


def test_what_raises_the_same_and_is_not_the_first_call_stays_apart() -> None:
    """Nor what few operations raise, nor what is not implemented; other words are other defects."""
    assert len(folded(first_calls("ParserError: near 'at'", steps=2))) == len(FIRST_CALLS)
    assert len(folded(first_calls("ParserError: near 'at'")[1:])) == len(FIRST_CALLS) - 1
    assert len(folded(first_calls("NotImplementedError"))) == len(FIRST_CALLS)
    different = [*first_calls("OSError: gone")[:3], *first_calls("OSError: full")[3:]]
    assert len(folded(different)) == len(FIRST_CALLS)


def test_other_exceptions_and_other_operations_are_other_defects() -> None:
    """Only what is equal is folded."""
    found = [raised(MISSING, "OSError: full", "load"), raised(SAVED, "OSError: gone", "load")]
    assert len(folded(found)) == 2
    found = [raised(MISSING, "OSError: full", "load"), raised(SAVED, "OSError: full", "save")]
    assert len(folded(found)) == 2


def test_a_clause_follows_the_same_under_fewer_conditions() -> None:
    """Instances that do not see each other's writes are no other defect in processes."""
    found = [violated(INSTANCES, "stale", "load"), violated(PROCESSES, "stale too", "load")]
    assert folded(found) == {INSTANCES: ([], [PROCESSES])}
    other = [violated(INSTANCES, "stale", "load"), violated(PROCESSES, "stale", "exists")]
    assert len(folded(other)) == 2


def test_a_must_is_no_likely_consequence_of_a_should() -> None:
    """Who repairs what decides must not have to look for it under what does not."""
    kinds = violated("values.numbers-keep-their-kind", "1.0 is 1", "load")
    drawn = violated("values.json-round-trips", "no", "load")
    assert len(folded([kinds, drawn])) == 2


def test_consequences_of_consequences_have_one_root() -> None:
    """Nothing is folded under what is itself folded."""
    found = [
        violated(SAVED, "lost", "load"),
        violated(INSTANCES, "stale", "load"),
        violated(PROCESSES, "stale", "load"),
    ]
    known = KnownDefect("Lost", SAVED, "lost", {INSTANCES: "stale"})
    assert folded(found, known) == {SAVED: ([INSTANCES], [PROCESSES])}


def test_what_was_not_decided_belongs_to_the_root() -> None:
    """Where the clause that spoils a step is a consequence, its root is named."""
    undecided = Finding(BY_ID[NULL], Verdict.INCONCLUSIVE, owner=LAST)
    found = [violated(MERGE, "it merges deep"), violated(LAST, "it merges deep"), undecided]
    (defect,) = fold(in_order(found), [DEEP])
    assert defect.undecided == (undecided,)


def test_consequences_are_worded_by_what_is_known() -> None:
    """Within 80 columns; the report's reason says it too, and keeps what was there."""
    (known,) = (one for one in known_defects() if one.name == "cost.MergesNestedObjects")
    found = [
        violated(MERGE, known.headline),
        violated(LAST, known.consequences[LAST], reason="a remark"),
        violated(FOLDS, "{}"),
    ]
    (defect,) = fold(found)
    assert numbers([defect]) == "3 violated clauses, 1 defect"
    assert lines(defect) == [
        "    also violated, as with this defect alone: cost.last-write-wins",
        "    also violated, probably by the same defect: cost.folds-like-a-dict",
    ]
    assert [one.reason for one in with_reasons(found)] == [
        None,
        "a consequence of cost.merge-is-shallow; a remark",
        "probably a consequence of cost.merge-is-shallow",
    ]


# two known defects in one store ------------------------------------------------------------------


def together(one: KnownDefect, other: KnownDefect) -> list[Finding]:
    """What a store with both is told: all that each of them breaks, in its words."""
    said: Mapping[str, str] = {
        **one.consequences,
        **other.consequences,
        one.clause: one.headline,
        other.clause: other.headline,
    }
    found = [said_by_a_store(clause, headline) for clause, headline in said.items()]
    return in_order([*found, *held(*(set(BY_ID) - set(said)))])


def said_by_a_store(clause: str, headline: str) -> Finding:
    """Make the finding that has a headline, with what the headline tells of the answer."""
    failure = re.search(rf"({'|'.join(OPERATIONS)}) (raised [A-Z].*)", headline)
    if failure:
        return violated(clause, headline, failure[1], answered=failure[2])
    return violated(clause, headline, headline.partition(" ")[0], answered=headline)


def broken(known: KnownDefect) -> set[str]:
    return {known.clause, *known.consequences}


def is_told_by_a_third(one: KnownDefect, other: KnownDefect) -> bool:
    """Whether a third defect alone has the words of both: then nobody can tell them apart."""
    said = {finding.clause.id: finding.headline for finding in together(one, other)}
    return any(
        said.get(third.clause) == third.headline
        and all(
            any(clause in broken(each) and said.get(clause) == words for clause, words in all_of)
            for each in (one, other)
        )
        for third in known_defects()
        if third not in (one, other)
        for all_of in [[(third.clause, third.headline), *third.consequences.items()]]
    )


def covers(one: KnownDefect, other: KnownDefect) -> bool:
    """Whether the clause of one says of everything what that of the other says of a part."""
    areas = {clause.partition(".")[0] for clause in broken(other)}
    return bool(areas & set(BY_ID[one.clause].covers))


def follows(one: KnownDefect, other: KnownDefect) -> bool:
    """Whether what one is named by follows, in the same words, from what the other breaks.

    Who loses updates between instances loses them between processes: one defect explains both.
    """
    said = {other.clause: other.headline, **other.consequences}
    return any(said.get(clause) == one.headline for clause in BY_ID[one.clause].follows)


def raise_alike(one: KnownDefect, other: KnownDefect) -> bool:
    """Whether both raise the same of one operation, which is told as one defect on purpose."""
    failures, others = (
        {
            (finding.judged, finding.answered)
            for finding in together(each, each)
            if str(finding.answered).startswith("raised ")
        }
        for each in (one, other)
    )
    return bool(failures & others)


def independent_pairs() -> list[tuple[KnownDefect, KnownDefect]]:
    """Every 37th pair, if it is from different areas and breaks no clause in common."""
    pairs = [
        (one, other)
        for one, other in itertools.islice(itertools.combinations(known_defects(), 2), 0, None, 37)
        if one.clause.partition(".")[0] != other.clause.partition(".")[0]
        and not broken(one) & broken(other)
        and not covers(one, other)
        and not covers(other, one)
        and not follows(one, other)
        and not follows(other, one)
        and not raise_alike(one, other)
    ]
    return [pair for pair in pairs if not is_told_by_a_third(*pair)]


def test_two_independent_defects_stay_two() -> None:
    """No pair of known defects is folded into one, or into others."""
    pairs = independent_pairs()
    wrong = {
        (one.name, other.name): roots
        for one, other in pairs
        if (roots := {each.root.clause.id for each in fold(together(one, other))})
        != {one.clause, other.clause}
    }
    assert wrong == {}
    assert len(pairs) > 1000


# one defect in a store that claims everything -----------------------------------------------------

ROOTS = {
    full_defects.SaveResetsCosts: "messages.save-keeps-cost-data",
    full_defects.SaveAppends: SAVED,
    full_defects.SaveStoresNothing: SAVED,
    full_defects.ReplacesAllOfCostData: MERGE,
    full_defects.MergesNestedObjects: MERGE,
    full_defects.LosesUpdatesAtOnce: "concurrency.disjoint-updates-all-survive",
    full_defects.NullRemovesTheKey: NULL,
    full_defects.UpdateCreates: "cost.update-of-missing-creates-nothing",
    full_defects.CreateTakesATakenId: "lifecycle.create-refuses-a-taken-id",
    full_defects.MissingIsEmpty: MISSING,
    full_defects.DeleteSaysTrue: MISSING,
    full_defects.CostsOfTheMissingRaise: "cost.starts-empty",
    full_defects.CachesMessages: INSTANCES,
    full_defects.GoesByAge: "retention.goes-by-last-activity",
    full_defects.LoadIsBroken: SAVED,
    full_defects.NumbersAreFloats: "values.json-round-trips",
}


OFTEN = {full_defects.SaveResetsCosts, full_defects.LoadIsBroken}
"""Those that are tried each time; the whole contract on a full store takes seconds for each."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "store",
    [
        pytest.param(one, id=one.__name__, marks=() if one in OFTEN else pytest.mark.soak)
        for one in ROOTS
    ],
)
def test_one_defect_in_a_full_store_reads_as_one(store: Any) -> None:
    """Whatever it breaks of sharing, durability and concurrency is shown under it."""
    backend = Backend("spoiled", open=store, storage="file")
    report = check_sync(backend, seed=1, effort=EFFORTS["quick"])
    findings = report.backends[0].findings

    defects = fold(findings)
    assert [defect.root.clause.id for defect in defects] == [ROOTS[store]], told(findings)
    assert report.exit_code == 1


def told(findings: Iterable[Finding]) -> str:
    return "\n".join(
        f"{one.clause.id}: {one.headline}" for one in findings if one.verdict is Verdict.VIOLATED
    )


def test_what_has_no_verdict_leads_to_where_its_step_is_found_wrong() -> None:
    """The clause that owns reading costs holds on a store whose save resets them."""
    reset = violated(SAVED, "save resets cost data", judged="get_cost_data")
    starts = Finding(BY_ID["cost.starts-empty"], Verdict.HELD)
    found = with_owners([reset, starts, undecided("get_cost_data('a') {}", "cost.starts-empty")])
    assert found[:2] == [reset, starts]
    assert (found[2].owner, found[2].reason) == (SAVED, f"get_cost_data('a') {{}}: see {SAVED}")


def test_what_is_wrong_nowhere_is_still_led_to_its_owner() -> None:
    """Also where another operation is found wrong, and where the owner itself is."""
    other = violated(LIST, "save takes anything", judged="save")
    starts = Finding(BY_ID["cost.starts-empty"], Verdict.HELD)
    left = undecided("get_cost_data('a') {}", "cost.starts-empty")
    broken = violated("cost.starts-empty", "it does not")
    assert with_owners([other, starts, left])[2] == left
    assert with_owners([broken, violated(SAVED, "resets"), left])[2] == left
