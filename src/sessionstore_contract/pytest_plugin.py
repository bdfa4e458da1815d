"""The plugin that pytest loads at every start: options, fixtures, the folder that a run shares.

It imports next to nothing: most runs that load it do not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

FOLDER = pytest.StashKey[str]()
FOUND = pytest.StashKey[dict[str, Any]]()
"""What a contract test has found, as plain data: its report takes it to the summary."""
TOLD = pytest.StashKey[str]()
"""The same as text, whole and with what was tried: of a session that writes a report."""
SEED = pytest.StashKey[int]()
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
    written = "write index.html, report.json, summary.md, badge.svg and badge.json there"
    group.addoption("--sessionstore-report", metavar="DIR", help=written)
    parser.addini("sessionstore_report", written, type="string")


def pytest_configure(config: pytest.Config) -> None:
    """Tell a mistake in an option, or in the file that it names, in one line before any test."""
    folder = report_folder(config)
    if folder is not None and not hasattr(config, "workerinput"):
        from .plugin.report import SessionReport  # noqa: PLC0415
        from .report.document import UnwritableError  # noqa: PLC0415

        try:
            config.pluginmanager.register(SessionReport(folder), "sessionstore_report")
        except UnwritableError as error:
            raise pytest.UsageError(str(error)) from None
    if config.getoption("sessionstore_baseline", None) or config.getini("sessionstore_baseline"):
        from .baseline import BaselineError  # noqa: PLC0415
        from .plugin.baselines import configured  # noqa: PLC0415

        try:
            configured(config)
        except BaselineError as error:
            raise pytest.UsageError(str(error)) from None
    server = config.getoption("sessionstore_postgres", "auto")
    if server != "auto":
        from .storage import StorageUnavailableError  # noqa: PLC0415
        from .storage.selection import require_known  # noqa: PLC0415

        try:
            require_known(server)
        except StorageUnavailableError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all xdist workers one folder, for what is started for the run, and one seed."""
    node.workerinput["sessionstore_folder"] = run_folder(node.config)
    node.workerinput["sessionstore_seed"] = run_seed(node.config)


def run_folder(config: pytest.Config) -> str:
    """Answer the folder that the processes of this run share; it goes with the run."""
    given: str | None = getattr(config, "workerinput", {}).get("sessionstore_folder")
    if given is not None:
        return given
    if FOLDER not in config.stash:
        config.stash[FOLDER] = _new_folder(config)
    return config.stash[FOLDER]


def run_seed(config: pytest.Config) -> int:
    """Answer the seed of this run: one, in however many processes."""
    given: int | None = config.getoption("sessionstore_seed", None)
    if given is None:
        given = getattr(config, "workerinput", {}).get("sessionstore_seed")
    if given is not None:
        return given
    if SEED not in config.stash:
        from .seed import new_seed  # noqa: PLC0415

        config.stash[SEED] = new_seed()
    return config.stash[SEED]


def report_folder(config: pytest.Config) -> Path | None:
    """Answer the folder in which this run is to be reported, if it is: given, or the project's."""
    given: str | None = config.getoption("sessionstore_report", None)
    if given is not None:
        # An empty name is none at all.
        return config.invocation_params.dir / given if given else None
    # Where the plugin came too late to add its options there are none.
    named = (
        config.getini("sessionstore_report")
        if hasattr(config.option, "sessionstore_report")
        else ""
    )
    home = config.inipath.parent if config.inipath else config.rootpath
    return home / named if named else None


def _new_folder(config: pytest.Config) -> str:
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    from .storage.in_memory import folder_for_places  # noqa: PLC0415

    folder: str = tempfile.mkdtemp(prefix="sessionstore-run-", dir=folder_for_places())
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
    from .plugin.storages import fresh_place, storages_of  # noqa: PLC0415

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
        if TOLD in item.stash:
            report.sessionstore_told = item.stash[TOLD]  # type: ignore[attr-defined]
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
        from .plugin.summary import lines_of  # noqa: PLC0415

        terminalreporter.section("defects of session stores")
        for line in lines_of(reports):
            terminalreporter.write_line(line)
