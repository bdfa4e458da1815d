"""The command line."""

from __future__ import annotations

import io
import json
import sys
from typing import Any, NoReturn

import click

from . import catalogue
from .baseline_options import loaded, rewrite, with_a_baseline
from .bench_command import bench
from .clause import Level
from .compare_command import compare
from .effort import EFFORTS
from .init_command import init
from .options import (
    DURATIONS,
    EFFORT,
    Refusal,
    on_a_target,
    prepare_folder,
    require_known,
    to_a_folder,
    write_folder,
)
from .prove_command import prove
from .report_command import report
from .serve_command import serve
from .turn_command import turn
from .verify_command import verify
from .version import CONTRACT_VERSION, __version__
from .wire_command import wire


class OneLineGroup(click.Group):
    """Tells every mistake in one line, click's own findings too."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            # What a terminal can't show is escaped: it must not cost the verdict.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        if not kwargs.get("standalone_mode", True):
            return super().main(*args, **kwargs)
        try:
            super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.Exit as ended:
            sys.exit(ended.exit_code)
        except click.ClickException as error:
            click.echo(f"sessionstore-contract: {error.format_message()}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(3)
        sys.exit(0)


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=f"%(version)s (contract {CONTRACT_VERSION})")
def main() -> None:
    """Try the contract of async chat session stores."""


main.add_command(bench)
main.add_command(prove)
main.add_command(turn)
main.add_command(wire)
main.add_command(serve)
main.add_command(report)
main.add_command(compare)
main.add_command(verify)
main.add_command(init)


@main.command()
@click.argument("targets", metavar="[TARGET ...]", nargs=-1)
@on_a_target
@click.option("--clause", "globs", multiple=True, metavar="GLOB", help="Try these clauses only.")
@click.option(
    "--level",
    "levels",
    multiple=True,
    type=click.Choice([str(one) for one in Level]),
    help="Try the clauses of this level only.",
)
@click.option("--strict", is_flag=True, help="SHOULD clauses decide as well.")
@EFFORT
@to_a_folder
@with_a_baseline
@DURATIONS
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="No explanations, remarks, progress.")
def run(**given: Any) -> NoReturn:
    """Try the contract on TARGETs; without one, on every installed backend.

    TARGET is the name of an installed backend (null, memory, sqlite, postgres, http), or
    module:attribute: a Backend, or anything that can be called with a place and answers a store.

    Exit code: 0 conformant; 1 not; 2 the command was wrong; 3 could not be found out.
    """
    from rich.console import Console  # noqa: PLC0415 - `list` and `--help` must not wait for it

    from .conduct import Conductor  # noqa: PLC0415
    from .report.document import UnwritableError  # noqa: PLC0415
    from .report.progress import Progress  # noqa: PLC0415
    from .report.terminal import show  # noqa: PLC0415
    from .stopping import StoppedError, StopRequest  # noqa: PLC0415
    from .trial_worker import RefusedError  # noqa: PLC0415

    prepare_folder(given["folder"])
    stop = StopRequest()
    stop.listen()
    conductor = Conductor(_plan(given), stop, Progress(sys.stderr, is_quiet=given["is_quiet"]))
    is_stopped = False
    try:
        conductor.run()
    except (RefusedError, UnwritableError) as error:
        raise Refusal(str(error)) from None
    except StoppedError:
        is_stopped = True
    if given["write_path"] is not None:
        rewrite(given["write_path"], conductor, is_whole=not is_stopped)
    if conductor.report.backends:
        shown = {name: given[name] for name in ("is_quiet", "durations")}
        show(conductor.report, Console(file=sys.stdout), **shown)
        write_folder(conductor.report, given["folder"])
    if is_stopped:
        click.echo("the run was stopped; what was not tried by then is inconclusive", err=True)
    stop.stop_listening()
    sys.exit(conductor.report.exit_code or (3 if is_stopped else 0))


def _plan(given: dict[str, Any]) -> Any:
    from .backend import Claims, installed  # noqa: PLC0415
    from .conduct import Plan  # noqa: PLC0415
    from .runs import new_seed  # noqa: PLC0415

    targets = given["targets"] or tuple(_reference_first(installed()))
    if not given["targets"] and given["storage"]:
        raise Refusal("--storage is for a callable: name one as module:attribute")
    require_known(given, targets)
    try:
        clauses = catalogue.select(given["globs"], given["levels"])
    except catalogue.UnknownClauseError as error:
        raise Refusal(str(error)) from None
    return Plan(
        targets=targets,
        claims=Claims(given["storage"], given["profile"], given["adding"], given["without"]),
        clauses=tuple(clauses),
        postgres=given["postgres"],
        effort=EFFORTS[given["effort"]],
        seed=new_seed() if given["seed"] is None else given["seed"],
        workers=given["workers"],
        is_strict=given["strict"],
        # In the folder it is there as soon as there is anything to say.
        json_path=given["json_path"] or (given["folder"] and given["folder"] / "report.json"),
        baseline=loaded(given),
    )


def _reference_first(names: list[str]) -> list[str]:
    order = ["null", "memory", "sqlite", "postgres", "http"]
    return [name for name in order if name in names] + [name for name in names if name not in order]


@main.command(name="list")
@click.argument("globs", metavar="[GLOB ...]", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Every clause as JSON.")
def list_clauses(globs: tuple[str, ...], as_json: bool) -> None:
    """List the clauses of stores and of platforms; GLOB selects by id or area."""
    try:
        clauses = catalogue.select(globs, contract=None)
    except catalogue.UnknownClauseError as error:
        raise Refusal(str(error)) from None
    if as_json:
        click.echo(json.dumps([catalogue.describe(clause) for clause in clauses], indent=1))
        return
    for clause in clauses:
        needs = f"  [{', '.join(sorted(clause.needs))}]" if clause.needs else ""
        click.echo(f"{clause.level.upper():6} {clause.id}{needs}\n       {clause.sentence}")


@main.command()
@click.argument("clause_id", metavar="ID")
def explain(clause_id: str) -> None:
    """Explain a clause: what it demands, why, and how to hold it."""
    try:
        clauses = catalogue.select([clause_id], contract=None)
    except catalogue.UnknownClauseError as error:
        raise Refusal(str(error)) from None
    click.echo("\n\n".join(catalogue.explain(clause) for clause in clauses))


@main.command()
def doctor() -> None:
    """Say what can run here, and what is missing."""
    from .doctor import examine  # noqa: PLC0415

    for line in examine():
        click.echo(line)
