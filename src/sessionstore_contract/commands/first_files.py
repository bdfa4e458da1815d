"""The first files in an author's project: a test file, a job for GitHub Actions, a baseline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..baseline_file import EMPTY

if TYPE_CHECKING:
    from pathlib import Path

TEST_FILE = "tests/test_sessionstore_contract.py"
REPORT = "build/contract"
BASELINE = "tests/sessionstore-baseline.toml"
JOB = ".github/workflows/sessionstore-contract.yml"

OLDEST_POSTGRES, NEWEST_POSTGRES = "14", "18"

NO_TARGET = "mypkg.stores:MyStore"
"""What stands where the author has still to name the store."""


@dataclass(frozen=True)
class Subject:
    """What the author's tests are to try."""

    target: str
    """`module:attribute`; the attribute may be dotted."""
    arguments: str = 'storage="file"'
    """What follows the opener in the call of Backend, as Python; empty for a Backend."""
    storage: str = "file"
    is_backend: bool = False
    is_named: bool = True
    """Whether the author has named it."""

    @property
    def attribute(self) -> str:
        return self.target.partition(":")[2]

    @property
    def name(self) -> str:
        """The name of the backend, and of its test function."""
        return re.sub(r"\W+", "_", self.attribute).strip("_").lower() or "store"


def first_files(subject: Subject, project: Path) -> dict[str, str]:
    """Word the files, by where they go in the project."""
    return {
        TEST_FILE: _tests(subject),
        BASELINE: EMPTY,
        JOB: _job(subject, _installing(project)),
    }


def _tests(subject: Subject) -> str:
    module, _, attribute = subject.target.partition(":")
    yours = "" if subject.is_named else "  # your store: a class, or a function that opens one"
    lines = [
        f'"""The contract of session stores, tried on {attribute}: a test for each clause.',
        "",
        "`-k cost` tries a part of it, and `sessionstore-contract explain ID` says what a clause",
        "demands. What is known to be violated is admitted, with a reason, in the baseline.",
        '"""',
        "",
    ]
    given = attribute
    imported = f"from {module} import {attribute.partition('.')[0]}{yours}"
    if subject.is_backend:
        lines += ["from sessionstore_contract import contract_tests", "", imported]
    else:
        lines += ["from sessionstore_contract import Backend, contract_tests", "", imported, ""]
        arguments = f", {subject.arguments}" if subject.arguments else ""
        lines += [f'BACKEND = Backend("{subject.name}", open={attribute}{arguments})']
        given = "BACKEND"
    baseline = BASELINE.rpartition("/")[2]
    lines += ["", f'test_{subject.name} = contract_tests({given}, baseline="{baseline}")']
    return "\n".join(lines) + "\n"


def _installing(project: Path) -> str:
    if any((project / name).exists() for name in ("pyproject.toml", "setup.py")):
        return "-e . "
    return "-r requirements.txt " if (project / "requirements.txt").exists() else ""


def _job(subject: Subject, installing: str) -> str:
    is_postgres = subject.storage == "postgres"
    is_served = subject.storage in {"postgres", "platform"}
    kit = f"'sessionstore-contract[{subject.storage}]'" if is_served else "sessionstore-contract"
    lines = [
        "name: sessionstore-contract",
        "on: [push, pull_request]",
        "permissions:",
        "  contents: read",
        "jobs:",
        "  contract:",
        f"    runs-on: {'ubuntu-latest' if is_postgres else '${{ matrix.runner }}'}",
        "    strategy:",
        "      fail-fast: false",
        "      matrix:",
        '        python: ["3.11", "3.13"]',
        *(_POSTGRES if is_postgres else _FILE),
        "    steps:",
        "      - uses: actions/checkout@v4",
        "      - uses: actions/setup-python@v5",
        "        with:",
        "          python-version: ${{ matrix.python }}",
        f"      - run: python -m pip install {installing}{kit}",
        # The summary of the job has the table of it.
        f"      - run: python -m pytest {TEST_FILE} --sessionstore-report {REPORT}",
    ]
    if is_postgres:
        dsn = "postgresql://postgres:postgres@127.0.0.1:5432/postgres"
        lines += ["        env:", f"          SESSIONSTORE_POSTGRES_DSN: {dsn}"]
    return "\n".join(lines) + "\n"


_POSTGRES = (
    f'        postgres: ["{OLDEST_POSTGRES}", "{NEWEST_POSTGRES}"]',
    "    services:",
    "      postgres:",
    "        image: postgres:${{ matrix.postgres }}",
    "        env:",
    "          POSTGRES_PASSWORD: postgres",
    '        ports: ["5432:5432"]',
    "        options: >-",
    '          --health-cmd "pg_isready -U postgres" --health-interval 2s --health-retries 30',
)

_FILE = (
    "        # An older and a newer system: each brings the libraries of its databases.",
    '        runner: ["ubuntu-22.04", "ubuntu-24.04"]',
)
