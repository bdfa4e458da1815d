"""The command that proves what the contract catches."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..effort import EFFORTS
from .options import Refusal, on_a_target, require_known
from .report_options import JSON

if TYPE_CHECKING:
    from ..defects import Defect
    from ..prover import ProofPlan


@click.command()
@click.argument("target", metavar="TARGET", required=False)
@on_a_target
@JSON
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
@click.option(
    "--effort",
    type=click.Choice(list(EFFORTS)),
    default="quick",
    show_default=True,
    help="How much a clause tries.",
)
@click.option("--list", "is_listing", is_flag=True, help="List the defects, and prove nothing.")
def prove(**given: Any) -> NoReturn:
    """Prove that the contract catches defects on TARGET.

    Each defect is wrapped around the stores of TARGET through their public interface, and the
    contract is tried on it. TARGET is named as for `run`.

    Exit code: 0 every defect that can be seen is caught; 1 one survived; 2 the command was wrong;
    3 could not be found out.
    """
    from .. import defects  # noqa: PLC0415

    sys.path.insert(0, "")  # as the workers have it
    try:
        selected = tuple(defects.select(given["wanted"]))
    except defects.UnknownDefectError as error:
        raise Refusal(str(error)) from None
    if given["is_listing"]:
        _list_defects(selected)
    if given["target"] is None:
        raise Refusal("prove takes a TARGET: an installed backend, or module:attribute")
    require_known(given, (given["target"],))
    _prove(_proof_plan(given, selected))


def _list_defects(defects: tuple[Defect, ...]) -> NoReturn:
    for one in defects:
        claims = ", ".join(sorted(one.clause.needs | one.needs))
        needs = f"  [{claims}]" if claims else ""
        click.echo(f"{one.name}  {one.clause.id}{needs}\n       {one.sentence}")
    sys.exit(0)


def _proof_plan(given: dict[str, Any], defects: tuple[Defect, ...]) -> ProofPlan:
    from ..backend import Claims  # noqa: PLC0415
    from ..prover import ProofPlan  # noqa: PLC0415
    from ..seed import new_seed  # noqa: PLC0415

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


def _prove(plan: ProofPlan) -> NoReturn:
    from ..proof import Outcome  # noqa: PLC0415
    from ..prover import Prover  # noqa: PLC0415
    from ..report.document import UnwritableError  # noqa: PLC0415
    from ..report.matrix import show  # noqa: PLC0415
    from ..report.terminal import wide_enough  # noqa: PLC0415
    from ..stopping import StoppedError, StopRequest  # noqa: PLC0415
    from ..trial_worker import RefusedError  # noqa: PLC0415

    stop = StopRequest()
    stop.listen()
    prover = Prover(plan, stop, lambda text: click.echo(text, err=True))
    is_stopped = False
    try:
        prover.prove()
    except (RefusedError, UnwritableError) as error:
        if any(prover.proof.having(one) for one in (Outcome.CAUGHT, Outcome.SURVIVED)):
            show(prover.proof, wide_enough(sys.stdout))
        raise Refusal(str(error)) from None
    except StoppedError:
        is_stopped = True
        click.echo("the proof was stopped; what was not caught by then is undecided", err=True)
    if prover.proof.name:
        show(prover.proof, wide_enough(sys.stdout))
    stop.stop_listening()
    # Also when all were caught by then: the matrix is not whole.
    sys.exit(prover.proof.exit_code or (3 if is_stopped else 0))
