"""The command that tries the contract of turns on a chat server, or on an accumulator."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .baseline_options import BASELINE, loaded
from .effort import EFFORTS
from .options import EFFORT, SEED, Refusal

if TYPE_CHECKING:
    from .turn.clauses import TurnClause
    from .turn.system import System


@click.command()
@click.argument("target", metavar="TARGET", required=False)
@click.option("--clause", "globs", multiple=True, metavar="GLOB", help="Try these clauses only.")
@click.option("--strict", is_flag=True, help="SHOULD clauses decide as well.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help=SEED)
@EFFORT
@BASELINE
@click.option("--list", "is_listing", is_flag=True, help="List the clauses, and try nothing.")
@click.option("--explain", "is_explaining", is_flag=True, help="Explain them, and try nothing.")
def turn(**given: Any) -> NoReturn:
    """Try the contract of turns on TARGET.

    TARGET is module:attribute, a ChatServer or an Accumulator.

    Exit code: 0 conformant; 1 not; 2 the command was wrong; 3 could not be found out.
    """
    from . import catalogue, turn_catalogue  # noqa: PLC0415

    try:
        clauses = turn_catalogue.select(given["globs"])
    except catalogue.UnknownClauseError as error:
        raise Refusal(str(error)) from None
    if given["is_explaining"]:
        click.echo("\n\n".join(turn_catalogue.explain(clause) for clause in clauses))
        sys.exit(0)
    if given["is_listing"]:
        for clause in clauses:
            asks = f"  [{', '.join(sorted(clause.asks))}]" if clause.asks else ""
            click.echo(f"{clause.level.upper():6} {clause.id}{asks}\n       {clause.sentence}")
        sys.exit(0)
    if given["target"] is None:
        raise Refusal("turn takes a TARGET, module:attribute: a ChatServer or an Accumulator")
    sys.path.insert(0, "")  # as the other commands have it
    _try(_found(given["target"]), clauses, given)


def _found(target: str) -> System:
    from .names import NotFoundError, find  # noqa: PLC0415
    from .turn.system import Accumulator, ChatServer  # noqa: PLC0415

    try:
        found = find(target)
    except NotFoundError as error:
        raise Refusal(str(error)) from None
    if not isinstance(found, (ChatServer, Accumulator)):
        raise Refusal(f"{target} is {type(found).__name__}, no ChatServer and no Accumulator")
    return found


def _try(system: System, clauses: list[TurnClause], given: dict[str, Any]) -> NoReturn:
    from .report.explanation import explain, headline  # noqa: PLC0415
    from .runs import new_seed  # noqa: PLC0415
    from .turn import CLAUSES  # noqa: PLC0415
    from .turn_trial import try_turn_clause  # noqa: PLC0415
    from .verdict import Conclusion, Verdict, conclude, count  # noqa: PLC0415

    baseline = loaded(given)
    seed = new_seed() if given["seed"] is None else given["seed"]
    findings = []
    for clause in clauses:
        found = try_turn_clause(clause, system, seed=seed, effort=EFFORTS[given["effort"]])
        finding = baseline.judged(found, system.name)
        findings.append(finding)
        is_plain = finding.verdict is Verdict.HELD and finding.reason is None
        remark = "" if is_plain else f": {finding.reason or headline(finding)}"
        click.echo(f"{finding.verdict:15} {clause.level.upper():6} {clause.id}{remark}")
    for finding in findings:
        if finding.verdict in {Verdict.VIOLATED, Verdict.INCONCLUSIVE, Verdict.FAULTED}:
            click.echo(f"\n{explain(finding, system.name)}")
    conclusion = conclude(findings, is_strict=given["strict"])
    if conclusion is Conclusion.CONFORMANT and len(clauses) < len(CLAUSES):
        conclusion = Conclusion.INCOMPLETE  # a selection says nothing of the rest
    numbers = ", ".join(f"{number} {name}" for name, number in count(findings).items() if number)
    click.echo(f"\n{system.name}: {conclusion}: {numbers} (seed {seed})")
    for remark in (*baseline.remarks(system.name, findings), *baseline.elsewhere([system.name])):
        click.echo(remark)
    if any(one.is_stale for one in findings):
        sys.exit(1)
    sys.exit({Conclusion.NONCONFORMANT: 1, Conclusion.INCOMPLETE: 3}.get(conclusion, 0))
