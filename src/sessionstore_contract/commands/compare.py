"""The command that says what changed between two reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from .options import Refusal

if TYPE_CHECKING:
    from ..report.comparison import Comparison
    from ..report.record import ProofRecord, RunRecord

A_FILE = click.Path(path_type=Path)


@click.command(name="compare")
@click.argument("before", metavar="A.json", type=A_FILE)
@click.argument("after", metavar="B.json", type=A_FILE)
@click.option("--strict", is_flag=True, help="A SHOULD clause that is newly violated counts too.")
def compare_reports(before: Path, after: Path, strict: bool) -> NoReturn:
    """Say what changed from the report A.json to the report B.json: of two runs, or two proofs.

    A regression is a MUST clause that is newly violated, or held and is no longer claimed, and a
    backend whose verdict is worse than it was; of proofs, a defect that newly survives, or was
    caught and can no longer be seen. Backends are matched by name. What a report did not try, since
    it was not selected, is not compared.

    Exit code: 0 no regression; 1 a regression; 2 the command was wrong, or a report malformed.
    """
    from ..report import comparison, reading  # noqa: PLC0415 - `--help` must not wait for it

    try:
        found = _compared(reading.read(before), reading.read(after), is_strict=strict)
    except (reading.UnreadableError, comparison.IncomparableError) as error:
        raise Refusal(str(error)) from None
    for line in found.lines():
        click.echo(line)
    sys.exit(1 if found.regressions else 0)


def _compared(
    before: RunRecord | ProofRecord, after: RunRecord | ProofRecord, *, is_strict: bool
) -> Comparison:
    from ..report.comparison import IncomparableError, compare  # noqa: PLC0415
    from ..report.proof_comparison import compare_proofs  # noqa: PLC0415
    from ..report.record import ProofRecord, RunRecord  # noqa: PLC0415

    if isinstance(before, RunRecord) and isinstance(after, RunRecord):
        return compare(before, after, is_strict=is_strict)
    if isinstance(before, ProofRecord) and isinstance(after, ProofRecord):
        return compare_proofs(before, after)
    kinds = ["proof" if isinstance(one, ProofRecord) else "run" for one in (before, after)]
    raise IncomparableError(
        f"{before.head.source} is of a {kinds[0]}, and {after.head.source} of a {kinds[1]}: "
        "compare takes two reports of one kind"
    )
