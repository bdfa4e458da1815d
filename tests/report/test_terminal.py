"""The summary that a terminal shows."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from sessionstore_contract.baseline import Baseline, Entry
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.report.terminal import show, wide_enough
from sessionstore_contract.verdict import Finding, Verdict

from .findings import HINT, INCONCLUSIVE, MERGE, VIOLATED, backend, report, whole_contract

if TYPE_CHECKING:
    from sessionstore_contract.report.document import BackendReport, Report

EVIL = "[red][/] [link=x]\x1b[31m\x07:smile:"
ESCAPED = r"[red][/] [link=x]\x1b[31m\x07:smile:"


def shown(*backends: BackendReport, width: int = 80, is_terminal: bool = False) -> str:
    return worded(report(*backends), width=width, is_terminal=is_terminal)


def worded(
    told: Report,
    *,
    width: int = 80,
    is_terminal: bool = False,
    is_quiet: bool = False,
    durations: int | None = None,
) -> str:
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=is_terminal,
        color_system="standard" if is_terminal else None,
        legacy_windows=False,
    )
    show(told, console, is_quiet=is_quiet, durations=durations)
    return file.getvalue()


def rows(text: str) -> list[list[str]]:
    """The cells of the table's lines, heading first."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip().startswith("backend "))
    end = next(n for n in range(start, len(lines)) if not lines[n].strip())
    return [lines[n].split() for n in range(start, end) if "─" not in lines[n]]


COUNTS = ["held", "viol.", "adm.", "inc.", "n/a"]
IN_FULL = ["held", "violated", "admitted", "inconclusive", "not", "applicable"]
HELD = str(len(CLAUSES))


def test_a_table_at_80_columns_loses_no_word() -> None:
    """Names, server, counts and verdict are whole."""
    text = shown(
        backend(*whole_contract(), name="memory", profile="ephemeral"),
        backend(
            *whole_contract(VIOLATED), name="postgres", profile="full", server="PostgreSQL-18.4"
        ),
    )
    assert rows(text) == [
        ["backend", "server", "profile", *COUNTS, "verdict"],
        ["memory", "-", "ephemeral", HELD, "0", "0", "0", "0", "conformant"],
        [
            "postgres",
            "PostgreSQL-18.4",
            "full",
            str(len(CLAUSES) - 1),
            "1",
            "0",
            "0",
            "0",
            "nonconformant",
        ],
    ]
    assert all(len(line) <= 80 for line in text.splitlines() if "run pkg:Mine" not in line)


def test_a_table_at_200_columns_names_the_server() -> None:
    """Where there is room, what served the places is shown."""
    text = shown(
        backend(*whole_contract(), server="SQLite-3.45.1"),
        backend(*whole_contract(), Finding(MERGE, Verdict.ADMITTED), name="other"),
        width=200,
    )
    assert rows(text) == [
        ["backend", "server", "profile", *IN_FULL, "verdict"],
        ["mine", "SQLite-3.45.1", "durable", HELD, "0", "0", "0", "0", "conformant"],
        ["other", "-", "durable", HELD, "0", "1", "0", "0", "conformant-with-admissions"],
    ]


def test_a_name_at_80_columns_is_not_broken_for_a_server() -> None:
    """The server breaks where its words do; a name that is very long is broken all the same."""
    served = {"server": "SQLite 3.40.1", "drivers": ("aiosqlite 0.22.1",)}
    told = report(backend(*whole_contract(), name="MergesNestedObjects", **served))
    long = report(backend(*whole_contract(), name="x" * 60, **served))

    lines = worded(told).splitlines()[:3]
    assert lines[1].startswith("MergesNestedObjects ")
    assert lines[1].rstrip().endswith(" conformant")
    assert " aiosqlite" in lines[2]
    assert all(len(line) <= 80 for line in worded(long).partition("\n\n")[0].splitlines())


def test_drivers_are_named_with_the_server() -> None:
    """Beside it where there is room, else below it."""
    one = backend(*whole_contract(), server="PostgreSQL 18.4", drivers=("asyncpg 0.32.0",))

    assert "PostgreSQL 18.4, asyncpg 0.32.0 durable" in shown(one, width=200)
    first, second = shown(one).splitlines()[1:3]
    assert first.split()[1:4] == ["PostgreSQL", "18.4", "durable"]
    assert second.split() == ["asyncpg", "0.32.0"]


def test_what_is_admitted_is_shown_with_its_reason() -> None:
    """The verdict breaks where a reader would; the diagnosis stays."""
    admitted = replace(VIOLATED, verdict=Verdict.ADMITTED, reason="known (https://x.org/1)")
    text = shown(backend(admitted, *whole_contract()[1:]))

    assert [line.split()[-1] for line in text.splitlines()[1:3]] == [
        "conformant-",
        "with-admissions",
    ]
    assert (
        "mine: admitted: cost.merges: update merges nested objects\n    known (https://x.org/1)\n"
    ) in text


def test_what_an_admitted_defect_breaks_besides_is_told_as_that() -> None:
    """It counts all the same: nobody has admitted it."""
    clauses = {clause.id: clause for clause in CLAUSES}
    merge, last = "cost.merge-is-shallow", "cost.last-write-wins"
    deep = "update merges nested objects"
    text = shown(
        backend(
            Finding(clauses[merge], Verdict.ADMITTED, headline=deep, reason="r"),
            Finding(clauses[last], Verdict.VIOLATED, headline=deep),
        )
    )
    assert f"mine: {last}: {deep}\n" in text
    assert f"    probably the same defect as {merge}, which is admitted\n" in text


def test_what_the_baseline_says_of_nothing_that_was_found_is_shown() -> None:
    """Of a clause without a verdict, and of a backend that was not tried."""
    told = report(backend(INCONCLUSIVE))
    told.baseline = Baseline("b.toml", (Entry("cost.merges", "r"), Entry("x.y", "r", "yours")))
    text = worded(told)

    assert "mine: b.toml admits cost.merges, not found out: inconclusive: see lifecycle" in text
    assert "b.toml admits x.y of 'yours', which was not tried" in text


def test_what_has_expired_is_told_at_the_violation() -> None:
    """In the explanation and in the list."""
    text = shown(backend(replace(VIOLATED, reason="b.toml admitted it until 2020-01-01: r")))

    assert text.count("b.toml admitted it until 2020-01-01: r") == 2


def test_quiet_leaves_out_the_explanations() -> None:
    """The table and a line for each defect stay."""
    remark = Finding(HINT, Verdict.HELD, reason="3 rounds")
    stale = replace(remark, reason="the baseline is stale", is_stale=True)
    text = worded(report(backend(VIOLATED, remark, stale)), is_quiet=True)

    assert text.startswith("backend")
    assert "3 rounds" not in text
    assert "mine: cost.hints: the baseline is stale\n" in text
    assert "mine: cost.merges: update merges nested objects\n" in text


def test_a_fault_has_a_column_when_there_is_one() -> None:
    """The verdict of the kit on itself is not hidden."""
    text = shown(backend(Finding(MERGE, Verdict.FAULTED, reason="no server")))

    assert rows(text)[0] == ["backend", "server", "profile", *COUNTS[:4], "fault", "n/a", "verdict"]


@pytest.mark.parametrize("width", [80, 200])
def test_ten_megabytes_are_cut(width: int) -> None:
    """Wherever a store's words stand."""
    much = "<b>\ud800\u202e\n" * 1_500_000
    finding = replace(VIOLATED, headline=much, demanded=None, answered=None, reason=much)
    text = shown(backend(finding, name=much[:1000], server=much), width=width)

    assert len(text) < 60_000
    assert {"\ud800", "\u202e"}.isdisjoint(text)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_terminal_is_too_narrow(width: int) -> None:
    """A table that does not fit is still printed."""
    assert "seed 7" in shown(backend(VIOLATED), backend(INCONCLUSIVE), width=width)


def test_a_violation_is_shown_in_full_and_again_in_one_line() -> None:
    """The line names the clause, the diagnosis, and the command that tries it alone."""
    text = shown(backend(VIOLATED))
    assert "MUST cost.merges does not hold for mine:" in text
    assert (
        "mine: cost.merges: update merges nested objects\n"
        "    sessionstore-contract run pkg:Mine --clause cost.merges --with shared --seed 7\n"
    ) in text
    assert text.endswith(", seed 7, effort normal, 1.2 s\n")


def test_a_should_is_marked_as_one() -> None:
    """A violation that does not decide is told apart."""
    assert "mine: cost.hints (SHOULD): hmm\n" in shown(
        backend(Finding(HINT, Verdict.VIOLATED, headline="hmm"))
    )


def test_consequences_are_counted_at_their_cause() -> None:
    """A defect that keeps others from a verdict is told once, with how many."""
    consequence = replace(INCONCLUSIVE, clause=HINT, owner=MERGE.id)
    text = shown(backend(VIOLATED, consequence, consequence))
    assert "nested objects\n    2 more clauses could not be decided because of it\n" in text
    assert "mine: cost.hints and 1 more: see cost.merges\n" in text


def test_a_reason_is_told_in_full_where_nothing_is_found_at_what_it_points_to() -> None:
    """As where a store refuses what is larger than that clause makes it."""
    refused = replace(
        INCONCLUSIVE, clause=HINT, owner=MERGE.id, reason=f"save() raised: see {MERGE.id}"
    )
    text = shown(backend(Finding(MERGE, Verdict.HELD), refused))
    assert "mine: cost.hints: inconclusive: save() raised: see cost.merges\n" in text


def test_what_a_defect_breaks_besides_is_listed_under_it() -> None:
    """The consequence has no explanation and no line of its own; the count is told."""
    clauses = {clause.id: clause for clause in CLAUSES}
    merge, last, null = (
        "cost.merge-is-shallow",
        "cost.last-write-wins",
        "cost.null-is-a-value",
    )
    deep = "update merges nested objects"
    text = shown(
        backend(
            Finding(clauses[merge], Verdict.VIOLATED, headline=deep),
            Finding(clauses[last], Verdict.VIOLATED, headline=deep),
            Finding(clauses[null], Verdict.VIOLATED, headline="null removes its key"),
        )
    )
    assert text.count(" does not hold for mine:") == 2
    assert (
        "mine: 3 violated clauses, 2 defects; --clause ID shows each alone\n"
        f"mine: {merge}: {deep}\n"
        f"    also violated, as with this defect alone: {last}\n"
        f"    sessionstore-contract run pkg:Mine --clause {merge} --with shared --seed 7\n"
        f"mine: {null}: null removes its key\n"
    ) in text


def test_remarks_beside_a_verdict_are_shown() -> None:
    """A clause that held with a remark has a line; the others have none."""
    text = shown(
        backend(Finding(MERGE, Verdict.HELD, reason="3 rounds"), Finding(HINT, Verdict.HELD))
    )
    assert "mine: cost.merges: 3 rounds\n" in text
    assert "cost.hints" not in text


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_nothing_that_a_store_says_acts_on_the_terminal(verdict: Verdict, width: int) -> None:
    """Markup is shown as it is, control characters escaped, in every place of the summary."""
    finding = Finding(
        MERGE,
        verdict,
        headline=EVIL,
        witness=(EVIL,),
        demanded=EVIL,
        answered=EVIL,
        reason=EVIL,
    )
    text = shown(
        backend(finding, name=EVIL, target=EVIL, server=EVIL, profile="[red]"), width=width
    )
    assert "\x1b" not in text
    assert "\x07" not in text
    assert ESCAPED in text or verdict is Verdict.NOT_APPLICABLE
    assert "[red]" in text
    assert ":smile:" in text.replace("\n", "") or width == 80


def test_colours_are_the_kits_own() -> None:
    """On a terminal the verdict is coloured, and nothing that a store says is a colour."""
    text = shown(backend(replace(VIOLATED, headline="\x1b[35m[magenta]")), is_terminal=True)
    assert "\x1b[31mnonconformant" in text
    assert "\x1b[35m" not in text
    assert r"\x1b[35m[magenta]" in text


GOLDEN = """\
backend  server          profile held viol. adm. inc. n/a verdict
postgres PostgreSQL 18.4 full       1     2    1    2   1 nonconformant
         asyncpg 0.32.0
sqlite   SQLite 3.45.1   durable    3     0    0    0   0 conformant

postgres: 2 violated clauses, 1 defect; --clause ID shows each alone
postgres: messages.save-then-load: save stores nothing
    1 more clause could not be decided because of it
    also violated, probably by the same defect:
      messages.save-replaces-the-history
    sessionstore-contract run pkg:Mine --clause messages.save-then-load --with shared --seed 7
postgres: admitted: cost.merge-is-shallow: update merges nested objects
    see issue 12
postgres: lifecycle.many-sessions-are-all-there: see messages.save-then-load
postgres: cost.hints: inconclusive: not selected to be tried
Python 3, seed 7, effort normal, 1.2 s
"""


def test_a_run_reads_like_this() -> None:
    """The whole picture at 80 columns, without colour, as a log has it."""
    clauses = {clause.id: clause for clause in CLAUSES}
    stores_nothing = "save stores nothing"
    merge, many = "cost.merge-is-shallow", "lifecycle.many-sessions-are-all-there"
    save, replaces = "messages.save-then-load", "messages.save-replaces-the-history"
    findings = [
        Finding(clauses[save], Verdict.VIOLATED, headline=stores_nothing),
        Finding(clauses[replaces], Verdict.VIOLATED, headline=stores_nothing),
        replace(VIOLATED, clause=clauses[merge], verdict=Verdict.ADMITTED, reason="see issue 12"),
        Finding(clauses[many], Verdict.INCONCLUSIVE, reason="load() answered None", owner=save),
        Finding(HINT, Verdict.INCONCLUSIVE, reason="not selected to be tried"),
        Finding(clauses["cost.starts-empty"], Verdict.HELD),
        Finding(MERGE, Verdict.NOT_APPLICABLE, reason="needs migration"),
    ]
    held = [Finding(clause, Verdict.HELD) for clause in CLAUSES[:3]]
    postgres = backend(*findings, name="postgres", profile="full", server="PostgreSQL 18.4")
    postgres.drivers = ("asyncpg 0.32.0",)
    told = report(postgres, backend(*held, name="sqlite", server="SQLite 3.45.1"))
    lines = (line.rstrip() for line in worded(told, is_quiet=True).splitlines())

    assert re.sub(r"Python [^,]*", "Python 3", "\n".join(lines)) + "\n" == GOLDEN


@pytest.mark.parametrize(
    ("columns", "width"), [("0", 80), ("1", 60), ("40", 60), ("79", 79), ("200", 200)]
)
def test_a_verdict_is_cut_on_no_terminal(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too few columns, or with none, the table would lose its words."""
    monkeypatch.setenv("COLUMNS", columns)
    stream = io.StringIO()
    console = wide_enough(stream)
    show(report(backend(*whole_contract())), console)
    assert console.width == width
    assert "conformant" in stream.getvalue()
