"""The contract of turns as an ordinary parametrized pytest function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from .. import catalogue
from ..turn_runs import STORAGE
from ..turn_trial import try_turn_clause
from .baselines import beside_the_caller, in_force
from .door import at_the_caller, desk_of
from .found import leave, with_inapplicable
from .tried import Tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import FunctionType

    from ..clause import Clause
    from ..turn.system import System


def turn_tests(
    system: System,
    *,
    clauses: str | Iterable[str] = (),
    level: str | None = None,
    baseline: str | Path | None = None,
) -> Callable[..., None]:
    """Answer a test function, parametrized by clause, to be bound to a name that pytest collects.

    `system` is a ChatServer, or an Accumulator. `clauses` selects by id or glob; `level` by level.
    A clause that asks for what the system has not is skipped, and says so.

    Violations are admitted by the file `baseline` as those of `contract_tests` are.

    Raises:
        ValueError: `clauses` selects nothing, and the message names the nearest; or the baseline
            can't be used, and the message says why.
    """
    globs = (clauses,) if isinstance(clauses, str) else clauses
    chosen = catalogue.select(globs, () if level is None else (level,), contract=catalogue.TURN)
    admitted = beside_the_caller(baseline)

    def test(clause_id: str, request: pytest.FixtureRequest) -> None:
        desk = desk_of(request.config)
        (clause,) = catalogue.select([clause_id], contract=catalogue.TURN)
        found = try_turn_clause(clause, system, seed=desk.seed, effort=desk.effort)
        finding = in_force(request.config, admitted).judged(found, system.name)
        how = (desk.seed, desk.effort.name, desk.is_strict)
        abilities = tuple(sorted(system.abilities))
        kind = catalogue.TURN.name
        leave(request, finding, Tried(system.name, kind, STORAGE, kind, abilities, *how))

    parametrize = pytest.mark.parametrize("clause_id", [_parameter(one, system) for one in chosen])
    moved: Callable[..., None] = parametrize(at_the_caller(cast("FunctionType", test)))
    return with_inapplicable(
        moved, system.name, [one for one in chosen if one.missing(system.abilities)]
    )


def _parameter(clause: Clause, system: System) -> Any:
    inapplicable = clause.missing(system.abilities)
    marks = [pytest.mark.skip(reason=inapplicable)] if inapplicable else []
    return pytest.param(clause.id, id=clause.id, marks=marks)
