"""The contract of a platform as an ordinary parametrized pytest function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from .. import catalogue
from ..effort import EFFORTS
from ..pytest_plugin import run_seed
from ..wire_runs import PROFILE, storage_of
from ..wire_trial import WireDesk
from .baselines import beside_the_caller, in_force
from .door import at_the_caller
from .found import leave, with_inapplicable
from .tried import Tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import FunctionType

    from ..clause import Clause
    from ..wire.platform import Platform


def wire_tests(
    platform: Platform,
    *,
    clauses: str | Iterable[str] = (),
    level: str | None = None,
    baseline: str | Path | None = None,
) -> Callable[..., None]:
    """Answer a test function, parametrized by clause, to be bound to a name that pytest collects.

    `clauses` selects by id, glob or area; `level` by level. A clause that the platform does not
    claim the capability for is skipped, and says so. An application in this process is started at
    the first clause, and ended with the tests.

    Violations are admitted by the file `baseline` as those of `contract_tests` are.

    Raises:
        ValueError: `clauses` selects nothing, and the message names the nearest; or the baseline
            can't be used, and the message says why.
    """
    globs = (clauses,) if isinstance(clauses, str) else clauses
    levels = () if level is None else (level,)
    chosen = catalogue.select(globs, levels, contract=catalogue.WIRE)
    admitted = beside_the_caller(baseline)

    def test(clause_id: str, request: pytest.FixtureRequest) -> None:
        (clause,) = catalogue.select([clause_id], contract=catalogue.WIRE)
        desks = _desks(request.config)
        found = desks.of(platform).try_clause(clause)
        finding = in_force(request.config, admitted).judged(found, platform.name)
        leave(request, finding, desks.tried(platform))

    parametrize = pytest.mark.parametrize(
        "clause_id", [_parameter(one, platform) for one in chosen]
    )
    moved: Callable[..., None] = parametrize(at_the_caller(cast("FunctionType", test)))
    return with_inapplicable(
        moved, platform.name, [one for one in chosen if one.missing(platform.capabilities)]
    )


def _parameter(clause: Clause, platform: Platform) -> Any:
    inapplicable = clause.missing(platform.capabilities)
    marks = [pytest.mark.skip(reason=inapplicable)] if inapplicable else []
    return pytest.param(clause.id, id=clause.id, marks=marks)


class _Desks:
    """The platforms that one pytest process holds open."""

    def __init__(self, config: pytest.Config) -> None:
        self.seed = run_seed(config)
        self.is_strict: bool = config.getoption("sessionstore_strict", False)
        self._effort = EFFORTS[config.getoption("sessionstore_effort", "normal")]
        self._desks: dict[int, WireDesk] = {}

    def of(self, platform: Platform) -> WireDesk:
        """Answer the desk of a platform, opened on first use."""
        if id(platform) not in self._desks:
            desk = WireDesk(platform, seed=self.seed, effort=self._effort)
            self._desks[id(platform)] = desk.__enter__()
        return self._desks[id(platform)]

    def tried(self, platform: Platform) -> Tried:
        """Say what is tried, and how."""
        return Tried(
            *(platform.name, catalogue.WIRE.name, storage_of(platform), PROFILE),
            tuple(sorted(platform.capabilities)),
            self.seed,
            self._effort.name,
            self.is_strict,
            self.of(platform).server,
        )

    def close(self) -> None:
        """Let go of every platform."""
        for desk in self._desks.values():
            desk.__exit__()


DESKS = pytest.StashKey[_Desks]()


def _desks(config: pytest.Config) -> _Desks:
    if DESKS not in config.stash:
        config.stash[DESKS] = _Desks(config)
        config.add_cleanup(config.stash[DESKS].close)
    return config.stash[DESKS]
