"""The command that begins an author's tests: it shows what it writes, and overwrites nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import WITH, WITHOUT, Refusal, split

if TYPE_CHECKING:
    from .first_files import Subject


@click.command()
@click.argument("target", metavar="[TARGET]", required=False)
@click.option(
    "--storage",
    type=click.Choice(["file", "postgres", "platform", "none"]),
    help="Where the places of a callable are. [default: file]",
)
@click.option("--profile", metavar="NAME", help="What a callable claims.")
@click.option("--with", "adding", multiple=True, metavar="CAPABILITY", callback=split, help=WITH)
@click.option("--without", multiple=True, metavar="CAPABILITY", callback=split, help=WITHOUT)
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--yes", is_flag=True, help="Write without asking.")
def init(**given: Any) -> None:
    """Begin the contract tests of TARGET in the project in this folder.

    Writes a test file, a job for GitHub Actions and a baseline that admits nothing, after it has
    shown them. A file that is there is left as it is. TARGET is module:attribute, a Backend or
    anything that can be called with a place and answers a store; without it, the test file says
    where to name one.
    """
    from .first_files import first_files  # noqa: PLC0415 - `--help` must not wait for it

    subject = _subject(given)
    project = Path.cwd()
    files = first_files(subject, project)
    new = {name: text for name, text in files.items() if not _is_there(project / name)}
    for name, text in files.items():
        if name not in new:
            click.echo(f"=== {name} is there, and is left as it is")
            continue
        click.echo(f"+++ {name}")
        for line in text.splitlines():
            click.echo(f"+{line}")
    if given["dry_run"] or not new:
        click.echo(f"{len(new)} to be written" if new else "nothing to write", err=True)
        return
    if not given["yes"]:
        _ask(len(new))
    for name, text in new.items():
        _write(project / name, text, name)
    _say_what_is_next(subject, project)


def _subject(given: dict[str, Any]) -> Subject:
    from ..backend import Backend, BackendError, Claims, find_backend  # noqa: PLC0415
    from ..names import NotFoundError, find  # noqa: PLC0415
    from .first_files import NO_TARGET, Subject  # noqa: PLC0415
    from .options import require_known  # noqa: PLC0415

    target = given["target"]
    require_known(given, ())
    arguments = _arguments(given)
    storage = given["storage"] or "file"
    if target is None:
        return Subject(NO_TARGET, arguments, storage, is_named=False)
    if ":" not in target:
        raise Refusal(f"{target!r} names no module:attribute")
    sys.path.insert(0, "")  # as the other commands have it
    claims = Claims(given["storage"], given["profile"], given["adding"], given["without"])
    try:
        found = find_backend(target, claims)
        is_backend = isinstance(find(target), Backend)
    except (BackendError, NotFoundError) as error:
        raise Refusal(str(error)) from None
    if is_backend and claims != Claims():
        raise Refusal(f"{target!r} is a Backend and says itself what it claims")
    return Subject(target, arguments, found.storage_name, is_backend=is_backend)


def _arguments(given: dict[str, Any]) -> str:
    """Word what is claimed as arguments of Backend."""
    words = [f'storage="{given["storage"] or "file"}"']
    words += [f'profile="{given["profile"]}"'] if given["profile"] else []
    for option, names in (("adding", given["adding"]), ("without", given["without"])):
        if names:
            listed = ", ".join(f'"{name}"' for name in names)
            words.append(f"{option}=[{listed}]")
    return ", ".join(words)


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _ask(count: int) -> None:
    if not sys.stdin.isatty():
        raise Refusal("nothing was written: there is nobody to ask; say --yes, or --dry-run")
    try:
        is_wanted = click.confirm(f"write {'it' if count == 1 else f'these {count} files'}?")
    except click.Abort:
        click.echo(err=True)  # the question is still on the line
        is_wanted = False
    if not is_wanted:
        raise Refusal("nothing was written")


def _write(path: Path, text: str, name: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Refusal(f"{name} was not written: {error.strerror or error}") from None
    click.echo(f"written: {name}", err=True)


def _say_what_is_next(subject: Subject, project: Path) -> None:
    from .first_files import BASELINE, JOB, TEST_FILE  # noqa: PLC0415

    if not subject.is_named:
        click.echo(f"next: name your store in {TEST_FILE}", err=True)
    click.echo(f"next: python -m pytest {TEST_FILE}", err=True)
    target = subject.target if subject.is_named else "TARGET"
    admitting = f"sessionstore-contract run {target} --write-baseline {BASELINE}"
    click.echo(f"to admit what is violated: {admitting}", err=True)
    if not (project / ".git").exists() and any((one / ".git").exists() for one in project.parents):
        click.echo(f"GitHub reads {JOB} at the root of the repository: move it there", err=True)
