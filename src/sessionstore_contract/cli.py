"""The command line."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from .clause import Level
from .commands.baseline_options import loaded, rewrite, with_a_baseline
from .commands.bench import bench
from .commands.clauses import explain, list_clauses, selected
from .commands.compare import compare_reports
from .commands.init import init
from .commands.options import EFFORT, WRONG, Refusal, on_a_target, require_known
from .commands.prove import prove
from .commands.report import report
from .commands.report_options import (
    finish,
    json_path,
    of_a_report,
    prepare_folder,
    show_what_is_known,
)
from .commands.serve import serve
from .commands.streams import OutputLostError, secure
from .commands.turn import turn
from .commands.verify import verify
from .commands.wire import wire
from .effort import EFFORTS
from .stopping import INTERRUPTED
from .values import printable
from .version import CONTRACT_VERSION, __version__

LONGEST = 4000
"""Characters of a mistake that are told: most of a message is what others have said."""


class Interruption(click.ClickException):
    """Ctrl-C, where nobody listens for it who has anything to report."""

    exit_code = INTERRUPTED

    def __init__(self) -> None:
        super().__init__("interrupted")


class OneLineGroup(click.Group):
    """Tells every mistake in one line, click's own findings too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            # Else the whole help would be told as a mistake, or as none, by click's version.
            click.echo(ctx.get_help(), err=True)
            sys.exit(WRONG)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interruption from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        secure()
        if not kwargs.get("standalone_mode", True):
            return super().main(*args, **kwargs)
        try:
            try:
                super().main(*args, **{**kwargs, "standalone_mode": False})
            finally:
                sys.stdout.flush()
        except click.exceptions.Exit as ended:
            sys.exit(ended.exit_code)
        except click.ClickException as error:
            _tell(error.format_message())
            sys.exit(error.exit_code)
        except OutputLostError as error:
            _tell(f"standard output: {error.strerror}")
            sys.exit(WRONG)
        except click.Abort:  # Ctrl-C before a command was found
            _tell(Interruption().message)
            sys.exit(INTERRUPTED)
        sys.exit(0)


def _tell(mistake: str) -> None:
    """Say it in one line, whatever is in the name of a file or the value of an option."""
    click.echo(f"sessionstore-contract: {printable(mistake, limit=LONGEST)}", err=True)


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
main.add_command(compare_reports)
main.add_command(verify)
main.add_command(init)
main.add_command(list_clauses)
main.add_command(explain)


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
@of_a_report
@with_a_baseline
def run(**given: Any) -> NoReturn:
    """Try the contract on TARGETs; without one, on every installed backend.

    TARGET is the name of an installed backend (null, memory, sqlite, postgres, http), or
    module:attribute: a Backend, or anything that can be called with a place and answers a store.

    Exit code: 0 conformant; 1 not; 2 the command was wrong; 3 could not be found out.
    """
    from .conduct import Conductor  # noqa: PLC0415 - `list` and `--help` must not wait for it
    from .report.document import UnwritableError  # noqa: PLC0415
    from .report.progress import Progress  # noqa: PLC0415
    from .stopping import StoppedError, StopRequest  # noqa: PLC0415
    from .trial_worker import RefusedError  # noqa: PLC0415

    prepare_folder(given)
    stop = StopRequest()
    stop.listen()
    conductor = Conductor(_plan(given), stop, Progress(sys.stderr, is_quiet=given["is_quiet"]))
    is_stopped = False
    try:
        conductor.run()
    except (RefusedError, UnwritableError) as error:
        if isinstance(error, UnwritableError):
            show_what_is_known(conductor.report, given)
        raise Refusal(str(error)) from None
    except StoppedError:
        is_stopped = True
    if given["write_path"] is not None:
        rewrite(given["write_path"], conductor, is_whole=not is_stopped)
    finish(conductor.report, given, stop, is_stopped=is_stopped)


def _plan(given: dict[str, Any]) -> Any:
    from .backend import Claims, installed  # noqa: PLC0415
    from .conduct import Plan  # noqa: PLC0415
    from .seed import new_seed  # noqa: PLC0415

    targets = given["targets"] or tuple(_reference_first(installed()))
    if not given["targets"] and given["storage"]:
        raise Refusal("--storage is for a callable: name one as module:attribute")
    require_known(given, targets)
    clauses = selected(given["globs"], given["levels"])
    return Plan(
        targets=targets,
        claims=Claims(given["storage"], given["profile"], given["adding"], given["without"]),
        clauses=tuple(clauses),
        postgres=given["postgres"],
        effort=EFFORTS[given["effort"]],
        seed=new_seed() if given["seed"] is None else given["seed"],
        workers=given["workers"],
        is_strict=given["strict"],
        json_path=json_path(given),
        baseline=loaded(given),
    )


def _reference_first(names: list[str]) -> list[str]:
    order = ["null", "memory", "sqlite", "postgres", "http"]
    return [name for name in order if name in names] + [name for name in names if name not in order]


@main.command()
def doctor() -> None:
    """Say what can run here, and what is missing."""
    from .doctor import examine  # noqa: PLC0415

    for line in examine():
        click.echo(line)
