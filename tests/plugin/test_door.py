"""The contract in somebody's project: an ordinary test function, whatever plugins they use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = """
import json, os, sqlite3, time, uuid
from datetime import UTC
from sessionstore_contract import Backend, contract_tests

class MyStore:
    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("CREATE TABLE IF NOT EXISTS s (id TEXT PRIMARY KEY, messages TEXT, "
                        "cost TEXT DEFAULT '{}', at REAL)")

    async def create(self, session_id=None):
        session_id = session_id or uuid.uuid4().hex
        self.db.execute("INSERT INTO s (id, messages, at) VALUES (?, '[]', ?)",
                        (session_id, time.time()))
        return session_id

    async def load(self, session_id):
        row = self.db.execute("SELECT messages FROM s WHERE id = ?", (session_id,)).fetchone()
        return row and json.loads(row[0])

    async def save(self, session_id, messages):
        self.db.execute("INSERT OR REPLACE INTO s (id, messages, at) VALUES (?, ?, ?)",
                        (session_id, json.dumps(messages), time.time()))

    async def update(self, session_id, *, cost_data=None):
        old = await self.get_cost_data(session_id)
        return self.db.execute("UPDATE s SET cost = ?, at = ? WHERE id = ?", (
            json.dumps({**old, **(cost_data or {})}), time.time(), session_id)).rowcount == 1

    async def get_cost_data(self, session_id):
        row = self.db.execute("SELECT cost FROM s WHERE id = ?", (session_id,)).fetchone()
        return json.loads(row[0]) if row else {}

    async def delete(self, session_id):
        return self.db.execute("DELETE FROM s WHERE id = ?", (session_id,)).rowcount == 1

    async def exists(self, session_id):
        return self.db.execute("SELECT 1 FROM s WHERE id = ?", (session_id,)).fetchone() is not None

    async def delete_before(self, cutoff):
        cutoff = cutoff if cutoff.tzinfo else cutoff.replace(tzinfo=UTC)
        return self.db.execute("DELETE FROM s WHERE at < ?", (cutoff.timestamp(),)).rowcount

    async def close(self):
        self.db.close()

test_mystore = contract_tests(
    Backend("mystore", open=MyStore), clauses=["cost.merge-is-shallow", "messages.save-*"]
)
"""
RIGHT = 4
WRONG = "messages.save-keeps-cost-data"
NOT_CLAIMED = "messages.save-owns-only-messages"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Somebody's project, with a store that resets cost data in save."""
    monkeypatch.setenv("COLUMNS", "160")  # pytest cuts its summary to the width of the terminal
    pytester.makepyfile(PROJECT)
    return pytester


def run(project: pytest.Pytester, *arguments: str, optimised: bool = False) -> pytest.RunResult:
    """Run their tests in a process of their own, as they would."""
    flags = ["-O"] if optimised else []
    command = [sys.executable, *flags, "-m", "pytest", "-p", "no:pytester"]
    # What it imports at every start would be paid for by each of these runs.
    command += ["-p", "no:schemathesis", *arguments]
    return project.run(*command, timeout=300)


SETTINGS = {
    "plain": (),
    "asyncio strict": ("-o", "asyncio_mode=strict"),
    "asyncio auto": ("-o", "asyncio_mode=auto"),
    "without asyncio": ("-p", "no:asyncio"),
    "without anyio": ("-p", "no:anyio"),
    "anyio alone": ("-p", "no:asyncio", "-o", "anyio_mode=auto"),
    "two workers": ("-n", "2"),
    "without cache": ("-p", "no:cacheprovider"),
    "importlib": ("--import-mode=importlib",),
    "warnings are errors": ("-W", "error", "-o", "asyncio_default_fixture_loop_scope=function"),
    "without our plugin": ("-p", "no:sessionstore-contract"),
}


@pytest.mark.parametrize("arguments", SETTINGS.values(), ids=SETTINGS.keys())
def test_the_verdict_is_the_same_whatever_the_project_uses(
    project: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """One clause is violated, the others hold, the unclaimed one is skipped aloud."""
    result = run(project, "-rA", *arguments)

    result.assert_outcomes(passed=RIGHT, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["save resets cost data"])


def test_the_verdict_is_the_same_without_asserts(project: pytest.Pytester) -> None:
    """Under `python -O` an assert says nothing; the clauses have none."""
    result = run(project, "-W", "ignore::pytest.PytestConfigWarning", optimised=True)

    result.assert_outcomes(passed=RIGHT, failed=1, skipped=1)


def test_the_failure_is_told_and_has_no_traceback(project: pytest.Pytester) -> None:
    """Diagnosis, sentence, history, demanded and answered, because, to fix it; then the seed."""
    result = run(project, "--sessionstore-seed", "7", "-k", WRONG)

    result.stdout.fnmatch_lines(
        [
            f"*test_mystore?{WRONG}?*",
            "save resets cost data",
            "",
            f"MUST {WRONG} does not hold for mystore:",
            "  `save` leaves cost data as it was.",
            "",
            "on a fresh store",
            "  1  create()  ->  '*'",
            "  2  update('*', cost_data={'turns': 1, 'model':*",
            "*",
            "  demanded  {'turns': 1, 'model': 'm'}",
            "  answered  {}",
            "",
            "because",
            "*",
            "to fix it",
            "*",
            "seed 7 (--sessionstore-seed)",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*trial.py*")
    result.stdout.fnmatch_lines([f"FAILED *?{WRONG}? - violated: save resets*"])


def test_a_clause_that_is_not_claimed_is_skipped_aloud(project: pytest.Pytester) -> None:
    """The reason names the capability."""
    result = run(project, "-rs", "-k", NOT_CLAIMED)

    result.stdout.fnmatch_lines(["SKIPPED*needs migration, reference-layout, which is not claimed"])


def test_the_test_counts_as_written_in_the_authors_file(project: pytest.Pytester) -> None:
    """Editors and reports lead to the line that called contract_tests."""
    result = run(project, "-v", "-k", WRONG)

    result.stdout.fnmatch_lines([f"*.py::test_mystore?{WRONG}? FAILED*"])
    result.stdout.no_fnmatch_line("*<-*")


def test_failures_can_be_selected_again(project: pytest.Pytester) -> None:
    """`--lf` runs the violated clause alone."""
    run(project)
    result = run(project, "--lf")

    result.assert_outcomes(failed=1)


def test_what_is_only_recommended_is_reported_and_does_not_fail(
    pytester: pytest.Pytester,
) -> None:
    """A violated SHOULD is xfailed; strict, or under --runxfail, it fails."""
    pytester.makepyfile(
        """
        import itertools
        from reference_backends.memory import MemorySessionStore
        from sessionstore_contract import Backend, contract_tests

        class Counts(MemorySessionStore):
            numbers = itertools.count()

            async def create(self, session_id=None):
                return await super().create(session_id or f"session-{next(self.numbers)}")

        test_it = contract_tests(
            Backend("counts", open=Counts, storage="none", profile="ephemeral",
                    adding=["persistence"]),
            clauses="lifecycle.fresh-ids-are-unguessable",
        )
        """
    )
    run(pytester, "-rx").assert_outcomes(xfailed=1)
    run(pytester, "--sessionstore-strict").assert_outcomes(failed=1)
    run(pytester, "--runxfail").assert_outcomes(failed=1)


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_store_that_hangs_or_exits_leaves_the_rest_of_the_tests_alone(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """Their own tests after it pass, and pytest ends by itself."""
    pytester.makepyfile(
        """
        import asyncio, os, time
        from reference_backends.memory import MemorySessionStore
        from sessionstore_contract import Backend, contract_tests

        class Exits(MemorySessionStore):
            async def load(self, session_id):
                os._exit(3)

        class Blocks(MemorySessionStore):
            async def load(self, session_id):
                time.sleep(3600)

        class Hangs(MemorySessionStore):
            async def load(self, session_id):
                await asyncio.Event().wait()

        def of(store):
            return contract_tests(
                Backend(store.__name__, open=store, storage="none", profile="ephemeral",
                        adding=["persistence"], timeout=0.5),
                clauses=["messages.save-then-load", "messages.save-replaces-the-history"],
            )

        test_exits, test_blocks, test_hangs = map(of, (Exits, Blocks, Hangs))

        def test_of_their_own():
            pass
        """
    )
    result = run(pytester, *arguments)

    result.assert_outcomes(passed=1, failed=6)


def test_a_clause_that_does_not_exist_is_told_when_it_is_written(tmp_path: Path) -> None:
    """The nearest one is named."""
    from sessionstore_contract import Backend, contract_tests

    with pytest.raises(ValueError, match=r"did you mean cost\.merge-is-shallow"):
        contract_tests(Backend("x", open=lambda: None), clauses="cost.merge-is-shalow")


DEFECTS = """
from reference_backends.memory import MemorySessionStore
from sessionstore_contract import Backend, contract_tests

class Merges(MemorySessionStore):
    async def update(self, session_id, *, cost_data=None):
        if isinstance(cost_data, dict):
            old = await self.get_cost_data(session_id)
            cost_data = {key: deep(old.get(key), value) for key, value in cost_data.items()}
        return await super().update(session_id, cost_data=cost_data)

    async def delete(self, session_id):
        await super().delete(session_id)
        return False

def deep(old, new):
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: deep(old.get(key), value) for key, value in new.items()}}

test_it = contract_tests(
    Backend("merges", open=Merges, storage="none", profile="ephemeral",
            adding=["persistence", "cost-read"]),
    clauses=["cost.merge-is-shallow", "cost.last-write-wins", "cost.null-is-a-value",
             "lifecycle.delete-answers-whether-it-existed"],
)

def test_of_their_own():
    pass
"""


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_the_summary_tells_which_violations_are_one_defect(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """Each defect once, with what else it breaks, also when workers have found it."""
    pytester.makepyfile(test_them=DEFECTS)
    result = run(pytester, *arguments)

    result.assert_outcomes(passed=2, failed=3)
    result.stdout.fnmatch_lines(
        [
            "*= defects of session stores =*",
            "test_them.py::test_it (merges): 3 violated clauses, 2 defects",
            "  lifecycle.delete-answers-whether-it-existed: delete does not say that it removed*",
            "  cost.merge-is-shallow: update merges nested objects",
            "    also violated, as with this defect alone: cost.last-write-wins",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_the_junit_file_says_of_each_test_which_clause_it_tried(
    project: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """Its level, the backend and the verdict, also where the clause is skipped; and no more."""
    run(project, "--junitxml=junit.xml", "-k", f"{WRONG} or {NOT_CLAIMED}", *arguments)
    cases = ET.parse(project.path / "junit.xml").getroot().iter("testcase")
    found = [
        [(one.get("name"), one.get("value")) for one in case.iter("property")] for case in cases
    ]
    assert sorted(found) == [
        [("clause", clause), ("level", "must"), ("backend", "mystore"), ("verdict", verdict)]
        for clause, verdict in ((WRONG, "violated"), (NOT_CLAIMED, "not-applicable"))
    ]


def test_the_junit_file_says_nothing_of_other_tests(pytester: pytest.Pytester) -> None:
    """They are the author's own, also when they are skipped."""
    pytester.makepyfile("import pytest\n\n@pytest.mark.skip\ndef test_it(): pass")
    run(pytester, "--junitxml=junit.xml")

    assert "<propert" not in (pytester.path / "junit.xml").read_text("utf-8")


def test_the_summary_says_nothing_of_defects_where_there_are_none(
    project: pytest.Pytester,
) -> None:
    """A section appears with the first violation."""
    result = run(project, "-k", "merge")

    result.stdout.no_fnmatch_line("*defects of session stores*")
