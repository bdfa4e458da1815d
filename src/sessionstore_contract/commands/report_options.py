"""The options that say what becomes of a report, and the end of each command that makes one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import click

from .baseline_options import loaded
from .options import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..report.document import Report
    from ..stopping import StopRequest

F = TypeVar("F", bound="Callable[..., Any]")

JSON = click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report to this file, also when the run is stopped.",
)
FOLDER = click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write index.html, report.json, summary.md, badge.svg and badge.json there.",
)
DURATIONS = click.option(
    "--durations",
    type=click.IntRange(0),
    metavar="N",
    help="Say which N clauses took longest, and how long; with 0 of all.",
)
QUIET = click.option(
    "-q", "--quiet", "is_quiet", is_flag=True, help="No explanations, remarks, progress."
)


def of_a_report(command: F) -> F:
    """Add the options that say what is shown of a report, and where it is written."""
    for option in (QUIET, DURATIONS, FOLDER, JSON):
        command = option(command)
    return command


def json_path(given: dict[str, Any]) -> Path | None:
    """Answer where the JSON goes: in the folder it is there as soon as there is anything to say."""
    path: Path | None = given["json_path"] or (given["folder"] and given["folder"] / "report.json")
    return path


def prepare_folder(given: dict[str, Any]) -> None:
    """Make the folder of the report, if one is wanted: a mistake is told before an hour's work."""
    from ..report.document import UnwritableError  # noqa: PLC0415 - `--help` must not wait for it
    from ..report.files import make_folder  # noqa: PLC0415

    try:
        if given["folder"] is not None:
            make_folder(given["folder"])
    except UnwritableError as error:
        raise Refusal(str(error)) from None


def finish(
    report: Report, given: dict[str, Any], stop: StopRequest, *, is_stopped: bool
) -> NoReturn:
    """Show a report, write its folder if one is wanted, and end with its exit code."""
    from ..report.document import UnwritableError  # noqa: PLC0415
    from ..report.files import write_run  # noqa: PLC0415

    if report.backends:
        _show(report, given)
        try:
            if given["folder"] is not None:
                write_run(report, given["folder"])
        except UnwritableError as error:
            raise Refusal(str(error)) from None
    if is_stopped:
        click.echo("the run was stopped; what was not tried by then is inconclusive", err=True)
    if stale := report.stale():
        click.echo(f"sessionstore-contract: {stale}", err=True)
    stop.stop_listening()
    sys.exit(report.exit_code or (3 if is_stopped else 0))


def show_what_is_known(report: Report, given: dict[str, Any]) -> None:
    """Show a report that can't be written any more, unless nothing was tried by then."""
    if any(one.duration for backend in report.backends for one in backend.findings):
        _show(report, given)


def _show(report: Report, given: dict[str, Any]) -> None:
    from ..report.terminal import show, wide_enough  # noqa: PLC0415

    how = {name: given[name] for name in ("is_quiet", "durations")}
    show(report, wide_enough(sys.stdout), **how)


class Run(Protocol):
    """A run on one subject, in this process."""

    report: Report

    def run(self, before: Callable[[], None], after: Callable[[], None]) -> object: ...


def carry_out(run: Run, given: dict[str, Any]) -> NoReturn:
    """Try one subject, tell how far it has come, and finish; the JSON is there from the start."""
    from ..report.document import UnwritableError, write  # noqa: PLC0415
    from ..report.progress import Progress  # noqa: PLC0415
    from ..stopping import StoppedError, StopRequest  # noqa: PLC0415
    from ..verdict import STOPPED  # noqa: PLC0415

    baseline, path = loaded(given), json_path(given)
    prepare_folder(given)
    stop = StopRequest()
    stop.listen()
    progress = Progress(sys.stderr, is_quiet=given["is_quiet"])
    (backend,) = run.report.backends
    is_stopped = False
    try:
        if path is not None:
            write(run.report, path, is_last=False)
        progress.begin(backend.name, sum(one.reason == STOPPED for one in backend.findings))
        try:
            run.run(before=stop.check, after=progress.step)
        except StoppedError:
            is_stopped = True
        run.report.judge(baseline)
        progress.end(backend.conclusion)
        if path is not None:
            write(run.report, path)
    except UnwritableError as error:
        show_what_is_known(run.report, given)
        raise Refusal(str(error)) from None
    finish(run.report, given, stop, is_stopped=is_stopped)
