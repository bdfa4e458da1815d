"""The command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from . import catalogue
from .capabilities import PROFILES, UnknownCapabilityError, named
from .clause import Level
from .effort import EFFORTS
from .names import nearest
from .version import CONTRACT_VERSION, __version__

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

WRONG = 2
"""Exit code when the command was wrong."""


class Refusal(click.ClickException):
    """A user's mistake, told in one line."""

    exit_code = WRONG


class OneLineGroup(click.Group):
    """Tells every mistake in one line, click's own findings too."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
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


def _split(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for part in given for name in part.split(",") if name)


def _on_a_target(command: F) -> F:
    """Add the options that say what is tried, and how, wherever a TARGET is."""
    for option in (
        click.option("-n", "workers", type=click.IntRange(1), default=1, metavar="WORKERS"),
        click.option("--seed", type=click.IntRange(0), metavar="N"),
        click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE"),
        click.option(
            "--postgres",
            default="auto",
            metavar="auto|embedded|DSN",
            help="auto: the DSN in SESSIONSTORE_POSTGRES_DSN, else an embedded server. "
            "[default: auto]",
        ),
        click.option("--without", multiple=True, metavar="CAPABILITY", callback=_split),
        click.option("--with", "adding", multiple=True, metavar="CAPABILITY", callback=_split),
        click.option("--profile", metavar="NAME", help=f"What is claimed: {', '.join(PROFILES)}."),
        click.option(
            "--storage",
            metavar="STORAGE",
            help="For a callable: file, postgres, platform, none, or a PLACE, which is used as it "
            "is and emptied. [default: file]",
        ),
    ):
        command = option(command)
    return command


@main.command()
@click.argument("targets", metavar="[TARGET ...]", nargs=-1)
@_on_a_target
@click.option("--clause", "globs", multiple=True, metavar="GLOB", help="Try these clauses only.")
@click.option("--level", "levels", multiple=True, type=click.Choice([str(one) for one in Level]))
@click.option("--strict", is_flag=True, help="SHOULD clauses decide as well.")
@click.option("--effort", type=click.Choice(list(EFFORTS)), default="normal", show_default=True)
def run(**given: Any) -> NoReturn:
    """Try the contract on TARGETs; without one, on every installed backend.

    TARGET is the name of an installed backend (null, memory, sqlite, postgres, http), or
    module:attribute: a Backend, or anything that can be called with a place and answers a store.

    Exit code: 0 conformant; 1 not; 2 the command was wrong; 3 could not be found out.
    """
    from rich.console import Console  # noqa: PLC0415 - `list` and `--help` must not wait for it

    from .conduct import Conductor  # noqa: PLC0415
    from .report.document import UnwritableError  # noqa: PLC0415
    from .report.terminal import show  # noqa: PLC0415
    from .stopping import StoppedError, StopRequest  # noqa: PLC0415
    from .trial_worker import RefusedError  # noqa: PLC0415

    stop = StopRequest()
    stop.listen()
    conductor = Conductor(_plan(given), stop, lambda text: click.echo(text, err=True))
    is_stopped = False
    try:
        conductor.run()
    except (RefusedError, UnwritableError) as error:
        raise Refusal(str(error)) from None
    except StoppedError:
        is_stopped = True
    if conductor.report.backends:
        show(conductor.report, Console())
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
    _require_known(given, targets)
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
        json_path=given["json_path"],
    )


def _reference_first(names: list[str]) -> list[str]:
    order = ["null", "memory", "sqlite", "postgres", "http"]
    return [name for name in order if name in names] + [name for name in names if name not in order]


def _require_known(given: dict[str, Any], targets: tuple[str, ...]) -> None:
    from .backend import installed, unknown  # noqa: PLC0415

    try:
        named(given["adding"])
        named(given["without"])
    except UnknownCapabilityError as error:
        raise Refusal(str(error)) from None
    if given["profile"] is not None and given["profile"] not in PROFILES:
        raise Refusal(f"no profile {given['profile']!r}{nearest(given['profile'], PROFILES)}")
    for target in targets:
        if ":" not in target and target not in installed():
            raise Refusal(str(unknown(target)))


@main.command()
@click.argument("target", metavar="TARGET", required=False)
@_on_a_target
@click.option(
    "--defect",
    "wanted",
    multiple=True,
    metavar="GLOB",
    help="Try these defects only, by name or area; module:Class is one of your own.",
)
@click.option(
    "--first", is_flag=True, help="Try no other clause once the one meant for a defect names it."
)
@click.option("--effort", type=click.Choice(list(EFFORTS)), default="quick", show_default=True)
@click.option("--list", "is_listing", is_flag=True, help="List the defects, and prove nothing.")
def prove(**given: Any) -> NoReturn:
    """Prove that the contract catches defects on TARGET.

    Each defect is wrapped around the stores of TARGET through their public interface, and the
    contract is tried on it. TARGET is named as for `run`.

    Exit code: 0 every defect that can be seen is caught; 1 one survived; 2 the command was wrong;
    3 could not be found out.
    """
    from . import defects  # noqa: PLC0415

    sys.path.insert(0, "")  # as the workers have it
    try:
        selected = tuple(defects.select(given["wanted"]))
    except defects.UnknownDefectError as error:
        raise Refusal(str(error)) from None
    if given["is_listing"]:
        _list_defects(selected)
    if given["target"] is None:
        raise Refusal("prove takes a TARGET: an installed backend, or module:attribute")
    _require_known(given, (given["target"],))
    _prove(_proof_plan(given, selected))


def _list_defects(defects: tuple[Any, ...]) -> NoReturn:
    for one in defects:
        needs = f"  [{', '.join(sorted(one.clause.needs | one.needs))}]"
        click.echo(f"{one.name}  {one.clause.id}{needs}\n       {one.sentence}")
    sys.exit(0)


def _proof_plan(given: dict[str, Any], defects: tuple[Any, ...]) -> Any:
    from .backend import Claims  # noqa: PLC0415
    from .prover import ProofPlan  # noqa: PLC0415
    from .runs import new_seed  # noqa: PLC0415

    return ProofPlan(
        target=given["target"],
        claims=Claims(given["storage"], given["profile"], given["adding"], given["without"]),
        defects=defects,
        postgres=given["postgres"],
        effort=EFFORTS[given["effort"]],
        seed=new_seed() if given["seed"] is None else given["seed"],
        workers=given["workers"],
        is_first_enough=given["first"],
        json_path=given["json_path"],
    )


def _prove(plan: Any) -> NoReturn:
    from rich.console import Console  # noqa: PLC0415

    from .prover import Prover  # noqa: PLC0415
    from .report.document import UnwritableError  # noqa: PLC0415
    from .report.matrix import show  # noqa: PLC0415
    from .stopping import StoppedError, StopRequest  # noqa: PLC0415
    from .trial_worker import RefusedError  # noqa: PLC0415

    stop = StopRequest()
    stop.listen()
    prover = Prover(plan, stop, lambda text: click.echo(text, err=True))
    try:
        prover.prove()
    except (RefusedError, UnwritableError) as error:
        raise Refusal(str(error)) from None
    except StoppedError:
        click.echo("the proof was stopped; what was not caught by then is undecided", err=True)
    if prover.proof.name:
        show(prover.proof, Console())
    stop.stop_listening()
    sys.exit(prover.proof.exit_code)


@main.command(name="list")
@click.argument("globs", metavar="[GLOB ...]", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Every clause as JSON.")
def list_clauses(globs: tuple[str, ...], as_json: bool) -> None:
    """List the clauses; GLOB selects by id or area."""
    try:
        clauses = catalogue.select(globs)
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
        clauses = catalogue.select([clause_id])
    except catalogue.UnknownClauseError as error:
        raise Refusal(str(error)) from None
    click.echo("\n\n".join(catalogue.explain(clause) for clause in clauses))


@main.command()
def doctor() -> None:
    """Say what can run here, and what is missing."""
    from .doctor import examine  # noqa: PLC0415

    for line in examine():
        click.echo(line)
