"""`turn_tests` in a project of an author's own, and the command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from sessionstore_contract import turn_tests
from sessionstore_contract.cli import main
from sessionstore_contract.turn import CLAUSES

from .reference import ACCUMULATOR, SERVER

if TYPE_CHECKING:
    from click.testing import Result

test_accounting = turn_tests(ACCUMULATOR)
test_chat_server = turn_tests(SERVER, clauses="streaming*")

TEST_FILE = """
from sessionstore_contract import Accumulator, turn_tests

class Forgetful:
    def __init__(self, store):
        self.store = store

    async def record(self, session, turn):
        await self.store.update(session, cost_data={**turn.usage.fields(), "turn_count": 1})

test_mine = turn_tests(
    Accumulator("mine", build=Forgetful, record=Forgetful.record),
    clauses=["turn.usage-is-accumulated", "streaming-counts-the-same", "concurrent-servers*"],
)
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["turn", *words])


def test_a_failure_reads_as_that_of_a_store(pytester: pytest.Pytester) -> None:
    """The diagnosis, the turns and the totals; what asks for a server is skipped with a reason."""
    pytester.makepyfile(test_turns=TEST_FILE)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rs")
    result.assert_outcomes(failed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "totals answers *",
            "MUST turn.usage-is-accumulated does not hold for mine:",
            "*turn('chat', usage={'input_tokens': 100, *",
            "*totals('chat')*",
            "to fix it",
            "*asks for chat-server, which mine has not*",
        ]
    )


def test_an_unknown_clause_is_named() -> None:
    """With the nearest that there are."""
    with pytest.raises(ValueError, match=r"did you mean .*turn.first-turns-at-once"):
        turn_tests(ACCUMULATOR, clauses="turn.first-turn-at-once")


def test_the_command_lists_and_explains() -> None:
    """Without a target."""
    assert run("--list").output.count("turn.") >= len(CLAUSES)
    assert "MUST turn.first-turns-at-once" in run("--explain", "--clause", "first*").output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--clause", "usage*", "tests.turn.reference:ACCUMULATOR"), 3, "1 held"),
        (("tests.turn.broken_accumulators:CountsTwice",), 2, "no ChatServer and no Accumulator"),
        (("tests.turn.reference:NOTHING",), 2, "no attribute"),
        ((), 2, "takes a TARGET"),
        (("--clause", "nothing", "x:y"), 2, "no clause 'nothing'"),
    ],
)
def test_the_command_says_what_was_found(words: Any, code: int, said: str) -> None:
    """A selection is no verdict on the whole; a mistake is one line."""
    result = run(*words)
    assert result.exit_code == code
    assert said in result.output


def test_the_command_is_judged_by_a_baseline(tmp_path: Path) -> None:
    """One that admits what holds is stale; a mistake in it is one line."""
    path = tmp_path / "b.toml"
    words = ("--clause", "usage*", "tests.turn.reference:ACCUMULATOR", "--baseline", str(path))
    path.write_text('[[admitted]]\nclause = "turn.usage-is-accumulated"\nreason = "r"\n')
    result = run(*words)
    assert result.exit_code == 1
    assert "turn.usage-is-accumulated: the baseline is stale" in result.output

    path.write_text("[[admitted]]\n")
    result = run(*words)
    assert result.exit_code == 2
    assert "entry 1: no clause is named" in result.output


def test_the_readme_shows_what_there_is() -> None:
    """The number of clauses is counted, and the example is a program."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Chat servers\n")[2].partition("\n## ")[0]
    assert f"{len(CLAUSES)} clauses" in section
    compile(section.partition("```python\n")[2].partition("```")[0], "README.md", "exec")
