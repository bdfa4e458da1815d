"""What a soak found, in one line below the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what the tests recorded; with several workers it is in their reports."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    counted = [
        sum(
            int(str(value))
            for report in reports
            for key, value in report.user_properties
            if key == name
        )
        for name in ("soak-lots", "soak-trials", "soak-accusations")
    ]
    if any(counted):
        lots, trials, accusations = counted
        terminalreporter.write_line(
            f"soak: {lots:,} lots, {trials:,} trials, {accusations:,} accusations"
        )
