"""The command that measures stores next to the bare driver of their storage."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import Refusal, split

if TYPE_CHECKING:
    from ..bench.bench import Plan, TargetResult

REFERENCE = ("sqlite", "postgres", "http")
"""What is measured when nothing is named."""


@click.command()
@click.argument("targets", metavar="[TARGET ...]", nargs=-1)
@click.option("--against", metavar="TARGET", help="Another store in place of the bare driver.")
@click.option("--quick", is_flag=True, help="Few and small: to see that it runs.")
@click.option(
    "--operation", "operations", multiple=True, metavar="NAME", callback=split, help="These alone."
)
@click.option(
    "--messages", "sizes", multiple=True, type=click.IntRange(1), metavar="N", help="In a session."
)
@click.option("--callers", multiple=True, type=click.IntRange(1), metavar="N", help="At once.")
@click.option("--rounds", type=click.IntRange(1), metavar="N", help="Pairs of batches.")
@click.option(
    "--any-processor",
    is_flag=True,
    help="Leave it to the system where the threads run, also with one caller.",
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Draw the same order again.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the figures.",
)
@click.option(
    "--plot",
    "plot_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Cost against the length of the history, as SVG.",
)
@click.option("--storage", metavar="STORAGE", help="For a callable, as `run` has it.")
@click.option("--postgres", default="auto", metavar="auto|embedded|DSN", help="[default: auto]")
def bench(**given: Any) -> None:
    """Measure TARGETs next to the bare driver of their storage; without one, sqlite postgres http.

    Both do the same by turns in one run. A ratio is of throughputs, pair by pair: 0.9 is nine
    tenths of the bare driver's. Its median and quartiles are told, and nothing is judged by them.
    One caller is measured on one processor, where the system lets a process choose: for a pair
    that runs threads alike the ratio is steadier so. --any-processor is what users have.
    """
    from ..backend import BackendError  # noqa: PLC0415 - `--help` must not wait for it
    from ..bench.bench import run  # noqa: PLC0415
    from ..bench.contender import NoRivalError  # noqa: PLC0415
    from ..bench.table import about_long_histories, table  # noqa: PLC0415
    from ..report.terminal import wide_enough  # noqa: PLC0415
    from ..storage import StorageUnavailableError  # noqa: PLC0415

    plan = _plan(given)
    _require_writable(given)
    sys.path.insert(0, "")  # as the other commands have it
    try:
        results = run(plan, lambda text: click.echo(text, err=True))
    except (BackendError, NoRivalError, StorageUnavailableError) as error:
        raise Refusal(str(error)) from None
    console = wide_enough(sys.stdout)
    for result in results:
        console.print(table(result))
        for line in about_long_histories(result.long_history):
            console.print(line, highlight=False)
    click.echo(f"seed {plan.seed}, {plan.extent.rounds} rounds; medians, and ratios of pairs")
    _write(plan, results, given)


def _plan(given: dict[str, Any]) -> Plan:
    from dataclasses import replace  # noqa: PLC0415

    from ..backend import Claims  # noqa: PLC0415
    from ..bench.bench import QUICK, WHOLE, Plan  # noqa: PLC0415
    from ..bench.workload import OPERATIONS  # noqa: PLC0415
    from ..names import nearest  # noqa: PLC0415
    from ..seed import new_seed  # noqa: PLC0415

    for name in given["operations"]:
        if name not in OPERATIONS:
            raise Refusal(f"no operation {name!r}{nearest(name, OPERATIONS)}")
    extent = QUICK if given["quick"] else WHOLE
    chosen = {name: given[name] for name in ("operations", "sizes", "callers") if given[name]}
    if given["rounds"] is not None:
        chosen["rounds"] = given["rounds"]
    chosen["is_on_one_processor"] = not given["any_processor"]
    plan = Plan(
        targets=given["targets"] or REFERENCE,
        claims=Claims(storage=given["storage"]),
        against=given["against"],
        postgres=given["postgres"],
        seed=new_seed() if given["seed"] is None else given["seed"],
        extent=replace(extent, **chosen),
    )
    return replace(plan, megabytes=(0.25,), operations=200) if given["quick"] else plan


def _require_writable(given: dict[str, Any]) -> None:
    from ..report.document import UnwritableError, require_writable  # noqa: PLC0415

    try:
        for path in (given["json_path"], given["plot_path"]):
            if path is not None:
                require_writable(path)
    except UnwritableError as error:
        raise Refusal(str(error)) from None


def _write(plan: Plan, results: list[TargetResult], given: dict[str, Any]) -> None:
    from ..bench.document import document  # noqa: PLC0415
    from ..bench.growth import picture  # noqa: PLC0415
    from ..report.document import UnwritableError, write_text  # noqa: PLC0415

    written = {}
    if given["json_path"] is not None:
        written[given["json_path"]] = json.dumps(document(plan, results), indent=1) + "\n"
    if given["plot_path"] is not None:
        written[given["plot_path"]] = picture(results)
    for path, text in written.items():
        try:
            write_text(text, path)
        except UnwritableError as error:
            raise Refusal(str(error)) from None
