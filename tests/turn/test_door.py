"""`turn_tests` in a project of an author's own, and the command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner

from sessionstore_contract import turn_tests
from sessionstore_contract.cli import main
from sessionstore_contract.stopping import StoppedError
from sessionstore_contract.turn import CLAUSES
from sessionstore_contract.turn_runs import TurnRun
from tests.report.schema import valid

from .broken_accumulators import CountsTwice
from .defect import system_of
from .reference import ACCUMULATOR, SERVER

if TYPE_CHECKING:
    from click.testing import Result

test_accounting = turn_tests(ACCUMULATOR)
test_chat_server = turn_tests(SERVER, clauses="streaming*")

COUNTS_TWICE = system_of(CountsTwice)

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
            "*asks for chat-server, which it has not*",
        ]
    )


def test_an_unknown_clause_is_named() -> None:
    """With the nearest that there are."""
    with pytest.raises(ValueError, match=r"did you mean .*turn.first-turns-at-once"):
        turn_tests(ACCUMULATOR, clauses="turn.first-turn-at-once")


def test_the_command_writes_what_a_run_on_a_store_writes(tmp_path: Path) -> None:
    """Report, page and badge; each clause with a verdict, and `verify` finds it as it must be."""
    words = ("--clause", "usage*", "tests.turn.reference:ACCUMULATOR", "--report", str(tmp_path))
    assert run(*words, "--seed", "3", "-q").exit_code == 3
    said = valid(tmp_path / "report.json")

    assert said["contract"]["name"] == "turn"
    (backend,) = said["backends"]
    assert [one["id"] for one in backend["clauses"]] == [one.id for one in CLAUSES]
    assert (backend["profile"], backend["verdict"]) == ("turn", "incomplete")
    assert backend["capabilities"] == sorted(ACCUMULATOR.abilities)
    assert "turn contract" in (tmp_path / "badge.svg").read_text(encoding="utf-8")
    assert "turn contract" in (tmp_path / "index.html").read_text(encoding="utf-8")

    verified = CliRunner().invoke(main, ["verify", str(tmp_path / "report.json")])
    assert verified.output.endswith("clauses, counts and verdicts are as they must be\n")


def test_a_failure_is_shown_once_with_what_repeats_it() -> None:
    """In the words of a run on a store."""
    words = ("--clause", "usage*", "--seed", "3", "--durations", "1")
    result = run("tests.turn.test_door:COUNTS_TWICE", *words)

    assert result.exit_code == 1
    assert result.stdout.startswith("each turn is counted twice\n")
    again = "turn tests.turn.test_door:COUNTS_TWICE --clause turn.usage-is-accumulated --seed 3\n"
    assert f"    sessionstore-contract {again}" in result.stdout
    assert "slowest 1 of " in result.stdout
    assert "CountsTwice: nonconformant, " in result.stderr


def test_a_run_on_turns_is_stopped_between_clauses() -> None:
    """The report says of the others that they were not tried."""

    def stop() -> None:
        raise StoppedError

    turns = TurnRun(ACCUMULATOR, "x:y", seed=3)
    with pytest.raises(StoppedError):
        turns.run(stop)
    reasons = {one.reason for one in turns.report.backends[0].findings}
    assert "the run was stopped before it" in reasons
    assert turns.report.exit_code == 3


def test_the_command_lists_and_explains() -> None:
    """Without a target."""
    assert run("--list").output.count("turn.") >= len(CLAUSES)
    assert "MUST turn.first-turns-at-once" in run("--explain", "--clause", "first*").output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--clause", "usage*", "tests.turn.reference:ACCUMULATOR"), 3, " 1     0 "),
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
    assert result.exit_code == 2
    assert "turn.usage-is-accumulated: the baseline is stale" in result.output
    assert f"{path} is stale: it admits turn.usage-is-accumulated of " in result.stderr

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


async def test_the_server_of_the_readme_answers_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands there, with a file in the folder that it is started in."""
    monkeypatch.chdir(tmp_path)
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec("# chat.py" + readme.partition("```python\n# chat.py")[2].partition("```")[0], names)
    app = names["app"]
    asked = {"session_id": "mine", "messages": [{"role": "user", "content": "hello"}]}
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://chat") as client,
    ):
        for number in (1, 3):
            answer = (await client.post("/v1/chat/completions", json=asked)).json()
            assert answer["choices"][0]["message"]["content"] == f"That was message {number}."
        usage = (await client.get("/v1/sessions/mine/usage")).json()
    assert (usage["turn_count"], usage["input_tokens"], usage["model"]) == (2, 24, "counter")
