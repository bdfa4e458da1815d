"""The commands that show clauses: in a list, or one with all there is to say of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .. import catalogue
from .options import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..clause import Clause


@click.command(name="list")
@click.argument("globs", metavar="[GLOB ...]", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Every clause as JSON.")
def list_clauses(globs: tuple[str, ...], as_json: bool) -> None:
    """List the clauses on stores, on platforms and on turns; GLOB selects by id or area."""
    clauses = selected(globs, contract=None)
    if as_json:
        click.echo(json.dumps([catalogue.describe(clause) for clause in clauses], indent=1))
    else:
        list_all(clauses)


@click.command()
@click.argument("clause_id", metavar="ID")
def explain(clause_id: str) -> None:
    """Explain a clause: what it demands, why, and how to hold it."""
    explain_all(selected([clause_id], contract=None))


def selected(
    globs: Iterable[str],
    levels: Iterable[str] = (),
    *,
    contract: catalogue.Contract | None = catalogue.STORE,
) -> list[Clause]:
    """Select clauses as `catalogue.select` does; what matches nothing is a user's mistake."""
    try:
        return catalogue.select(globs, levels, contract=contract)
    except catalogue.UnknownClauseError as error:
        raise Refusal(str(error)) from None


def list_all(clauses: Iterable[Clause]) -> None:
    """Print each clause with its sentence and what it asks for."""
    for clause in clauses:
        asked = f"  [{', '.join(sorted(clause.asked()))}]" if clause.asked() else ""
        click.echo(f"{clause.level.upper():6} {clause.id}{asked}\n       {clause.sentence}")


def explain_all(clauses: Iterable[Clause]) -> None:
    """Print all there is to say of each clause."""
    click.echo("\n\n".join(catalogue.explain(clause) for clause in clauses))
