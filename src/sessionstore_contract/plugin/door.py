"""The contract as an ordinary parametrized pytest function."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import pytest

from .. import catalogue
from ..backend import Backend
from ..capabilities import profile_of
from ..drivers import in_use
from ..effort import EFFORTS
from ..harness import Conditions, try_clause
from ..pytest_plugin import run_folder, run_seed
from ..storage import StorageUnavailableError
from ..verdict import Finding, Verdict
from .baselines import beside_the_caller, in_force
from .found import leave, with_inapplicable
from .storages import storages_of
from .tried import Tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ..clause import Clause
    from ..storage import Storage


def contract_tests(
    backend: Backend,
    *,
    clauses: str | Iterable[str] = (),
    level: str | None = None,
    baseline: str | Path | None = None,
) -> Callable[..., None]:
    """Answer a test function, parametrized by clause, to be bound to a name that pytest collects.

    `clauses` selects by id, glob or area; `level` by level. A clause that the backend does not
    claim the capability for is skipped, and says so. A violation that the file `baseline` admits
    fails as expected, and a clause that it lists and that holds fails; the file is looked for
    beside the one that calls this.

    Raises:
        ValueError: `clauses` selects nothing, and the message names the nearest; or the baseline
            can't be used, and the message says why.
    """
    if not isinstance(backend, Backend):
        raise TypeError(
            f"contract_tests takes a Backend, not {backend!r}: "
            'contract_tests(Backend("mystore", open=MyStore))'
        )
    globs = (clauses,) if isinstance(clauses, str) else clauses
    chosen = catalogue.select(globs, () if level is None else (level,))
    admitted = beside_the_caller(baseline)

    def test(clause_id: str, request: pytest.FixtureRequest) -> None:
        desk = desk_of(request.config)
        (clause,) = catalogue.select([clause_id])
        found = desk.try_clause(clause, backend)
        finding = in_force(request.config, admitted).judged(found, backend.name)
        leave(request, finding, desk.tried(backend))

    parametrize = pytest.mark.parametrize("clause_id", [_parameter(one, backend) for one in chosen])
    moved: Callable[..., None] = parametrize(at_the_caller(cast("FunctionType", test)))
    return with_inapplicable(
        moved, backend.name, [one for one in chosen if one.missing(backend.capabilities)]
    )


def _parameter(clause: Clause, backend: Backend) -> Any:
    inapplicable = clause.missing(backend.capabilities)
    marks = [pytest.mark.skip(reason=inapplicable)] if inapplicable else []
    return pytest.param(clause.id, id=clause.id, marks=marks)


def at_the_caller(test: FunctionType) -> FunctionType:
    """Let the test count as written where contract_tests was called: editors go there."""
    caller = sys._getframe(2)  # noqa: SLF001 - the standard way to the caller
    code = test.__code__.replace(
        co_filename=caller.f_code.co_filename, co_firstlineno=caller.f_lineno
    )
    moved = FunctionType(code, test.__globals__, "test_contract", None, test.__closure__)
    moved.__module__ = caller.f_globals.get("__name__", test.__module__)
    moved.__annotations__ = test.__annotations__
    return moved


class Desk:
    """What the contract tests of one pytest process share."""

    def __init__(self, config: pytest.Config) -> None:
        self.seed = run_seed(config)
        self.is_strict: bool = config.getoption("sessionstore_strict", False)
        self.effort = EFFORTS[config.getoption("sessionstore_effort", "normal")]
        self._storages = storages_of(config, run_folder(config))
        self._conditions: dict[int, Conditions] = {}

    def try_clause(self, clause: Clause, backend: Backend) -> Finding:
        """Try one clause of one backend."""
        conditions = self._conditions.setdefault(id(backend), Conditions(self.seed, self.effort))
        try:
            storage = self._storage(backend)
        except StorageUnavailableError as error:
            return Finding(clause, Verdict.FAULTED, reason=str(error))
        return try_clause(clause, backend, storage, conditions)

    def tried(self, backend: Backend) -> Tried:
        """Say what is tried, and how."""
        claims = backend.capabilities
        try:
            server = self._storage(backend).server()
        except StorageUnavailableError:
            server = None
        return Tried(
            *(backend.name, catalogue.STORE.name, backend.storage_name, profile_of(claims)),
            tuple(sorted(claims)),
            self.seed,
            self.effort.name,
            self.is_strict,
            server,
            tuple(in_use(backend.open)),
        )

    def _storage(self, backend: Backend) -> Storage:
        if not isinstance(backend.storage, str):
            return self._storages.handed_over(backend.storage)
        return self._storages.named(backend.storage)


DESK = pytest.StashKey[Desk]()


def desk_of(config: pytest.Config) -> Desk:
    """Answer what this pytest process shares."""
    if DESK not in config.stash:
        config.stash[DESK] = Desk(config)
    return config.stash[DESK]
