"""The command that makes one matrix of many reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import Refusal

if TYPE_CHECKING:
    from ..report.assembly import Assembly
    from ..report.record import ProofRecord

A_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("paths", metavar="REPORT.json ...", nargs=-1, required=True, type=A_FILE)
@click.option(
    "-o",
    "folder",
    type=A_FILE,
    metavar="DIR",
    help="Write all of it: index.html, summary.md, badge.svg, badge.json.",
)
@click.option("--html", "html_path", type=A_FILE, metavar="FILE", help="Write the page.")
@click.option("--markdown", "markdown_path", type=A_FILE, metavar="FILE", help="Write the table.")
@click.option(
    "--badge",
    "badge_path",
    type=A_FILE,
    metavar="FILE",
    help="Write the badge: as SVG, or for shields.io where FILE ends in .json.",
)
def report(paths: tuple[Path, ...], **given: Any) -> None:
    """Make one matrix of the reports of many runs: databases, versions, Pythons.

    The report of a proof adds its defects to the page. Without an option the table is printed, as
    Markdown. With -o it is added to the summary of a job of GitHub as well.

    Exit code: 0 written, whatever the verdicts; 2 the command was wrong, or a report malformed.
    """
    from ..report.assembly import assemble  # noqa: PLC0415 - `--help` must not wait for it
    from ..report.document import UnwritableError  # noqa: PLC0415
    from ..report.reading import UnreadableError, read  # noqa: PLC0415
    from ..report.record import ProofRecord, RunRecord  # noqa: PLC0415

    try:
        records = [read(path) for path in paths]
        runs = [one for one in records if isinstance(one, RunRecord)]
        proofs = [one for one in records if isinstance(one, ProofRecord)]
        _write(assemble(runs), proofs, given)
    except (UnreadableError, UnwritableError) as error:
        raise Refusal(str(error)) from None


def _write(assembly: Assembly, proofs: list[ProofRecord], given: dict[str, Path | None]) -> None:
    from ..report.badge import badge  # noqa: PLC0415
    from ..report.document import write_text  # noqa: PLC0415
    from ..report.files import make_folder, write_all  # noqa: PLC0415
    from ..report.markdown import markdown  # noqa: PLC0415
    from ..report.page import page  # noqa: PLC0415

    if (folder := given["folder"]) is not None:
        make_folder(folder)
        write_all(assembly, proofs, folder)
    if (path := given["html_path"]) is not None:
        write_text(page(assembly, proofs), path)
    if (path := given["markdown_path"]) is not None:
        write_text(markdown(assembly), path)
    if (path := given["badge_path"]) is not None:
        made = badge(assembly)
        write_text(made.shields() if path.suffix == ".json" else made.svg(), path)
    if not any(given.values()):
        click.echo(markdown(assembly), nl=False)
