"""The options of a baseline: judging a run by one, and writing one of what a run has found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .options import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..baseline import Baseline
    from ..conduct import Conductor

F = TypeVar("F", bound="Callable[..., Any]")

BASELINE = click.option(
    "--baseline",
    "baseline_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The violations that are admitted, as TOML, each with a reason; one that holds again is "
    "an error.",
)


def with_a_baseline(command: F) -> F:
    """Add the options by which a run is judged by a baseline, or writes one."""
    writing = click.option(
        "--write-baseline",
        "write_path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write what is violated now; of a FILE that is there, what stays is left as it is.",
    )
    return BASELINE(writing(command))


def loaded(given: dict[str, Any]) -> Baseline:
    """Read the baseline that was given, and see that the one to be written can be."""
    from ..baseline import NOTHING, BaselineError, load  # noqa: PLC0415 - `--help` must not wait
    from ..baseline_file import refreshed  # noqa: PLC0415
    from ..report.document import UnwritableError, require_writable  # noqa: PLC0415

    read, written = given["baseline_path"], given.get("write_path")
    if read is not None and written is not None:
        raise Refusal("--write-baseline reads FILE as well: leave out --baseline")
    try:
        if written is not None:
            if not written.parent.is_dir():
                raise Refusal(f"{written}: there is no folder {written.parent}")
            refreshed(written, {})  # a mistake in it is told before an hour's work
            require_writable(written)
        return NOTHING if read is None else load(read)
    except (BaselineError, UnwritableError) as error:
        raise Refusal(str(error)) from None


def rewrite(path: Path, conductor: Conductor, *, is_whole: bool) -> None:
    """Write the baseline of what a run has found, say what changed, and judge the run by it.

    Of a run that was stopped nothing is written.
    """
    from ..baseline import Baseline, BaselineError  # noqa: PLC0415
    from ..baseline_file import refreshed  # noqa: PLC0415
    from ..report.document import UnwritableError, write_text  # noqa: PLC0415

    if not is_whole:
        click.echo(f"{path}: not written", err=True)
        return
    found = {one.name: one.findings for one in conductor.report.backends}
    try:
        result = refreshed(path, found)
        write_text(result.text, path)  # whole or not at all: the reasons in it are by hand
        # Nobody has admitted yet what is new.
        admitted = tuple(one for one in result.kept if one.reason.strip())
        conductor.judge(Baseline(str(path), admitted))
    except (BaselineError, UnwritableError) as error:
        raise Refusal(str(error)) from None
    for line in result.lines(str(path)):
        click.echo(line, err=True)
