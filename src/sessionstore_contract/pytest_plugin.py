"""The plugin that pytest loads at every start: options, fixtures, the folder that a run shares.

It imports next to nothing: most runs that load it do not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

FOLDER = pytest.StashKey[str]()
FOUND = pytest.StashKey[dict[str, Any]]()
"""What a contract test has found, as plain data: its report takes it to the summary."""
SKIPPED = "sessionstore_skipped"
"""An attribute of a contract test's function: what a JUnit file has of the clauses it skips."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sessionstore", "the contract of session stores")
    group.addoption("--sessionstore-seed", type=int, metavar="N", help="try the same values again")
    group.addoption(
        "--sessionstore-effort",
        choices=("quick", "normal", "thorough"),
        default="normal",
        help="how much a clause tries",
    )
    group.addoption(
        "--sessionstore-postgres",
        default="auto",
        metavar="auto|embedded|container[:IMAGE]|DSN",
        help="auto: the DSN in SESSIONSTORE_POSTGRES_DSN, else an embedded server, else a "
        "container",
    )
    group.addoption(
        "--sessionstore-strict", action="store_true", help="SHOULD clauses decide as well"
    )
    admitted = "the violations that are admitted, as TOML; one that holds again fails"
    group.addoption("--sessionstore-baseline", metavar="FILE", help=admitted)
    parser.addini("sessionstore_baseline", admitted, type="string")


def pytest_configure(config: pytest.Config) -> None:
    """Tell a mistake in a baseline in one line, before the first test."""
    if config.getoption("sessionstore_baseline", None) or config.getini("sessionstore_baseline"):
        from .baseline import BaselineError  # noqa: PLC0415
        from .pytest_baseline import configured  # noqa: PLC0415

        try:
            configured(config)
        except BaselineError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all xdist workers one folder: they share what is started for the run."""
    node.workerinput["sessionstore_folder"] = run_folder(node.config)


def run_folder(config: pytest.Config) -> str:
    """Answer the folder that the processes of this run share; it goes with the run."""
    given: str | None = getattr(config, "workerinput", {}).get("sessionstore_folder")
    if given is not None:
        return given
    if FOLDER not in config.stash:
        config.stash[FOLDER] = _new_folder(config)
    return config.stash[FOLDER]


def _new_folder(config: pytest.Config) -> str:
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    folder: str = tempfile.mkdtemp(prefix="sessionstore-run-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


@pytest.fixture
def sessionstore_postgres(request: pytest.FixtureRequest) -> Iterator[str]:
    """The DSN of a PostgreSQL database of this test's own, which is dropped after it.

    The server is the one of the contract tests (`--sessionstore-postgres`): one for the whole run.
    """
    yield from _fresh_place(request, "postgres")


@pytest.fixture
def sessionstore_platform(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a reference platform of this test's own, over an empty store in memory."""
    yield from _fresh_place(request, "platform")


def _fresh_place(request: pytest.FixtureRequest, storage: str) -> Iterator[str]:
    from .pytest_storages import fresh_place, storages_of  # noqa: PLC0415

    storages = storages_of(request.config, run_folder(request.config))
    with fresh_place(storages, storage) as place:
        yield place


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report take what was found along; xdist carries such an attribute to the main."""
    report = yield
    if call.when == "call" and FOUND in item.stash:
        report.sessionstore_found = item.stash[FOUND]  # type: ignore[attr-defined]
    if call.when == "setup" and report.skipped and isinstance(item, pytest.Function):
        skipped = getattr(item.function, SKIPPED, {})
        if skipped:
            item.user_properties += skipped.get(item.callspec.params.get("clause_id"), [])
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which of the violated clauses are one defect."""
    reports = [
        report
        for category in ("passed", "failed", "xfailed")
        for report in terminalreporter.stats.get(category, ())
        if hasattr(report, "sessionstore_found")
    ]
    if any(report.sessionstore_found["verdict"] == "violated" for report in reports):
        from .pytest_summary import lines_of  # noqa: PLC0415

        terminalreporter.section("defects of session stores")
        for line in lines_of(reports):
            terminalreporter.write_line(line)
