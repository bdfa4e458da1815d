"""The command that recomputes what a report says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from ..values import printable
from .options import Refusal


@click.command()
@click.argument("path", metavar="REPORT.json", type=click.Path(path_type=Path))
def verify(path: Path) -> NoReturn:
    """Recompute what the report of a run or of a proof says, and the digest of its clauses.

    The report of a run in which a clause is missing, added, out of order or of another level is
    refused, and one that says more than follows from its clauses; so is that of a proof whose
    defects are not caught, or not by clauses of the contract, as it says. What was tried can't be
    recomputed: a verdict on a single clause is taken as it stands.

    Exit code: 0 it is what it says; 1 it is not; 2 the command was wrong, or the report malformed.
    """
    from ..report.assembly import title_of  # noqa: PLC0415 - as in `compare`
    from ..report.proof_verification import problems_of_proof  # noqa: PLC0415
    from ..report.reading import UnreadableError, read  # noqa: PLC0415
    from ..report.record import ProofRecord  # noqa: PLC0415
    from ..report.verification import problems  # noqa: PLC0415

    try:
        record = read(path)
    except UnreadableError as error:
        raise Refusal(str(error)) from None
    if isinstance(record, ProofRecord):
        found, number, kind = problems_of_proof(record), len(record.defects), "defect"
        so = "outcomes, counts and clauses"
    else:
        found, number, kind = problems(record), len(record.backends), "backend"
        so = "clauses, counts and verdicts"
    for problem in found:
        click.echo(printable(f"{path}: {problem}", limit=400), err=True)
    if found:
        sys.exit(1)
    counted = f"{number} {kind}{'s'[: number != 1]}"
    title = printable(f"{path}: {title_of(record.head)}")
    click.echo(f"{title}, {counted}: {so} are as they must be")
    sys.exit(0)
