"""The command that tries the contract of turns on a chat server, or on an accumulator."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .. import catalogue
from ..effort import EFFORTS
from .baseline_options import BASELINE
from .clauses import explain_all, list_all, selected
from .options import EFFORT, SEED, Refusal
from .report_options import carry_out, of_a_report

if TYPE_CHECKING:
    from ..turn.system import System


@click.command()
@click.argument("target", metavar="TARGET", required=False)
@click.option("--clause", "globs", multiple=True, metavar="GLOB", help="Try these clauses only.")
@click.option("--strict", is_flag=True, help="SHOULD clauses decide as well.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help=SEED)
@EFFORT
@of_a_report
@BASELINE
@click.option("--list", "is_listing", is_flag=True, help="List the clauses, and try nothing.")
@click.option("--explain", "is_explaining", is_flag=True, help="Explain them, and try nothing.")
def turn(**given: Any) -> NoReturn:
    """Try the contract of turns on TARGET.

    TARGET is module:attribute, a ChatServer or an Accumulator.

    Exit code: 0 conformant; 1 not; 2 the command was wrong; 3 could not be found out.
    """
    from ..turn_runs import TurnRun  # noqa: PLC0415 - `--help` must not wait for it

    clauses = selected(given["globs"], contract=catalogue.TURN)
    if given["is_explaining"] or given["is_listing"]:
        show = explain_all if given["is_explaining"] else list_all
        show(clauses)
        sys.exit(0)
    if given["target"] is None:
        raise Refusal("turn takes a TARGET, module:attribute: a ChatServer or an Accumulator")
    sys.path.insert(0, "")  # as the other commands have it
    run = TurnRun(
        _found(given["target"]),
        given["target"],
        clauses=clauses,
        seed=given["seed"],
        effort=EFFORTS[given["effort"]],
        is_strict=given["strict"],
    )
    carry_out(run, given)


def _found(target: str) -> System:
    from ..names import NotFoundError, find  # noqa: PLC0415
    from ..turn.system import Accumulator, ChatServer  # noqa: PLC0415

    try:
        found = find(target)
    except NotFoundError as error:
        raise Refusal(str(error)) from None
    if not isinstance(found, (ChatServer, Accumulator)):
        raise Refusal(f"{target} is {type(found).__name__}, no ChatServer and no Accumulator")
    return found
