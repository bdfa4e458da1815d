"""What a run says while it goes on."""

from __future__ import annotations

import io

import pytest

from sessionstore_contract.report import progress
from sessionstore_contract.report.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO, *, is_quiet: bool = False) -> str:
    saying = Progress(stream, is_quiet=is_quiet)
    saying.begin("mi\x1bne", 2)
    saying.step()
    saying.end("conformant")
    saying.say("postgres: no \x1bserver")
    return stream.getvalue()


def test_one_clause_is_one() -> None:
    """As `run --clause ID` tries."""
    stream = io.StringIO()
    Progress(stream).begin("mine", 1)
    assert stream.getvalue() == "mine: trying 1 clause\n"


def test_a_log_has_a_line_at_both_ends() -> None:
    """Nothing is overwritten where nothing can be."""
    first, second, third = told(io.StringIO()).splitlines()

    assert first == r"mi\x1bne: trying 2 clauses"
    assert second.startswith(r"mi\x1bne: conformant, ")
    assert third == r"postgres: no \x1bserver"


def test_a_terminal_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count is gone at the end, also of a run that is stopped; a dumb terminal has none."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    assert "\r\x1b[Kmi\\x1bne: 1 of 2\r\x1b[K" in told(Terminal())

    monkeypatch.setenv("TERM", "dumb")
    assert "\r" not in told(Terminal())


def test_quiet_says_what_is_no_progress() -> None:
    """And nothing else."""
    assert told(io.StringIO(), is_quiet=True) == "postgres: no \\x1bserver\n"
