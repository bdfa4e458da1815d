"""The command that recomputes what a report says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from .options import Refusal
from .values import printable


@click.command()
@click.argument("path", metavar="REPORT.json", type=click.Path(path_type=Path))
def verify(path: Path) -> NoReturn:
    """Recompute the verdicts and counts of a report, and the digest of its clauses.

    A report in which a clause is missing, added, out of order or of another level is refused, and
    one that says more than follows from its clauses. What was tried can't be recomputed: a verdict
    on a single clause is taken as it stands.

    Exit code: 0 it is what it says; 1 it is not; 2 the command was wrong, or the report malformed.
    """
    from .report.assembly import title_of  # noqa: PLC0415 - as in `compare`
    from .report.reading import UnreadableError, read_run  # noqa: PLC0415
    from .report.verification import problems  # noqa: PLC0415

    try:
        run = read_run(path)
    except UnreadableError as error:
        raise Refusal(str(error)) from None
    found = problems(run)
    for problem in found:
        click.echo(printable(f"{path}: {problem}", limit=400), err=True)
    if found:
        sys.exit(1)
    backends = len(run.backends)
    click.echo(
        f"{path}: {title_of(run.head)}, {backends} backend{'s'[: backends != 1]}: "
        "clauses, counts and verdicts are as they must be"
    )
    sys.exit(0)
