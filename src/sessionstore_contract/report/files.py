"""The files of a report: the page, the JSON, the Markdown and the badges."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .assembly import assemble
from .badge import badge
from .document import UnwritableError, document, write_plain, write_text
from .markdown import markdown
from .page import page
from .reading import recorded
from .record import RunRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .assembly import Assembly
    from .document import Report
    from .record import ProofRecord

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable that names the file to which a job of GitHub adds its summary."""


def make_folder(folder: Path) -> None:
    """Make the folder of a report, before there is anything to be lost.

    Raises:
        UnwritableError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableError(f"{folder}: {error.strerror or error}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UnwritableError(f"{folder}: nothing can be written in it")


def write_run(report: Report, folder: Path) -> None:
    """Write all files of a run into a folder.

    Raises:
        UnwritableError: one of them can't be written.
    """
    write_runs([report], folder)


def write_runs(reports: Sequence[Report], folder: Path) -> None:
    """Write all files of runs on several contracts into a folder, as one page.

    The JSON of the first is `report.json`, that of another `report-wire.json` or the like.

    Raises:
        UnwritableError: one of them can't be written.
    """
    runs = []
    for number, report in enumerate(reports):
        said: dict[str, Any] = document(report)
        name = f"report-{report.contract.name}.json" if number else "report.json"
        write_plain(said, folder / name)
        run = recorded(said)
        if isinstance(run, RunRecord):
            runs.append(run)
    write_all(assemble(runs), [], folder)


def write_all(assembly: Assembly, proofs: Sequence[ProofRecord], folder: Path) -> None:
    """Write page, Markdown and badges into a folder, and add to the summary of a job.

    Raises:
        UnwritableError: one of them can't be written.
    """
    write_text(page(assembly, proofs), folder / "index.html")
    if not assembly.runs:
        return
    words = markdown(assembly)
    write_text(words, folder / "summary.md")
    write_text(badge(assembly).svg(), folder / "badge.svg")
    write_text(badge(assembly).shields(), folder / "badge.json")
    add_to_summary(words)


def add_to_summary(words: str) -> None:
    """Add Markdown to the summary of the job that this runs in, if it runs in one.

    Raises:
        UnwritableError: there is one, and it can't be written.
    """
    name = os.environ.get(SUMMARY)
    if not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(words + "\n")
    except OSError as error:
        raise UnwritableError(f"{SUMMARY} {name}: {error.strerror or error}") from None
