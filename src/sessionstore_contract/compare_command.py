"""The command that says what changed between two reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from .options import Refusal

A_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("before", metavar="A.json", type=A_FILE)
@click.argument("after", metavar="B.json", type=A_FILE)
@click.option("--strict", is_flag=True, help="A SHOULD clause that is newly violated counts too.")
def compare(before: Path, after: Path, strict: bool) -> NoReturn:
    """Say what changed from the report A.json to the report B.json.

    A regression is a MUST clause that is newly violated, or held and is no longer claimed, and a
    backend whose verdict is worse than it was. Backends are matched by name.

    Exit code: 0 no regression; 1 a regression; 2 the command was wrong, or a report malformed.
    """
    from .report import comparison, reading  # noqa: PLC0415 - `--help` must not wait for it

    try:
        found = comparison.compare(
            reading.read_run(before), reading.read_run(after), is_strict=strict
        )
    except (reading.UnreadableError, comparison.IncomparableError) as error:
        raise Refusal(str(error)) from None
    for line in found.lines():
        click.echo(line)
    sys.exit(1 if found.regressions else 0)
