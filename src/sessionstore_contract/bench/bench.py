"""A benchmark from beginning to end: each target on its storage, next to its rival."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from ..backend import Claims, find_backend
from ..harness import provided
from ..interface import UnstorableValueError
from ..storage.selection import PostgresChoice
from . import long_history
from .contender import bare_driver, of_backend
from .contest import Contest, Extent
from .workload import CALLERS, OPERATIONS, SIZES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backend import Backend
    from ..storage import Storage
    from .contender import Contender
    from .contest import Result
    from .long_history import LongHistory

WHOLE = Extent(OPERATIONS, SIZES, CALLERS, rounds=9, seconds=0.1)
QUICK = Extent(OPERATIONS, (1, 100), (1, 8), rounds=3, seconds=0.02)

MEGABYTES = (10.0, 7.0)
"""Of a long history; the second where the first is refused, as by a platform's body limit."""


@dataclass(frozen=True)
class Plan:
    """What the command line asks for."""

    targets: tuple[str, ...]
    claims: Claims
    against: str | None
    postgres: str
    seed: int
    extent: Extent = WHOLE
    megabytes: tuple[float, ...] = MEGABYTES
    operations: int = 10_000


@dataclass(frozen=True)
class Entrant:
    """A target, as it was found, and who it is held against."""

    target: str
    backend: Backend
    store: Contender
    rival: Contender


@dataclass(frozen=True)
class TargetResult:
    """What was measured of one target."""

    entrant: Entrant
    server: str | None
    results: list[Result]
    long_history: LongHistory | None


def run(plan: Plan, say: Callable[[str], None]) -> list[TargetResult]:
    """Measure every target of the plan.

    Raises:
        BackendError, NoRivalError, StorageUnavailableError: one line that says why.
    """
    backends = [find_backend(target, plan.claims) for target in plan.targets]
    rivals = [_rival(backend, plan) for backend in backends]
    found = []
    with tempfile.TemporaryDirectory(prefix="sessionstore-") as folder:
        choice = PostgresChoice(plan.postgres, folder)
        for target, backend, rival in zip(plan.targets, backends, rivals, strict=True):
            with provided(backend, choice) as storage:
                entrant = Entrant(target, backend, of_backend(backend), rival)
                found.append(_measure(plan, entrant, storage, say))
    return found


def _rival(backend: Backend, plan: Plan) -> Contender:
    if plan.against is None:
        return bare_driver(backend)
    return of_backend(find_backend(plan.against, plan.claims))


def _measure(
    plan: Plan, entrant: Entrant, storage: Storage, say: Callable[[str], None]
) -> TargetResult:
    store, rival = entrant.store, entrant.rival
    with ExitStack() as places:
        own_place, rival_place = (places.enter_context(storage.fresh()) for _ in range(2))
        say(f"{store.name}: {len(list(plan.extent.cells()))} cells next to {rival.name}")
        results = asyncio.run(_contest(plan, (store, own_place), (rival, rival_place)))
    say(f"{store.name}: long histories, memory")
    long = _long_history(plan, store, storage)
    return TargetResult(entrant, storage.server(), results, long)


async def _contest(
    plan: Plan, own: tuple[Contender, str], rival: tuple[Contender, str]
) -> list[Result]:
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(contender.opened(place))
            for contender, place in (own, rival)
        ]
        contest = Contest(stores[0], stores[1], Random(plan.seed))  # noqa: S311 - no secret
        return [await contest.measure(cell, plan.extent) for cell in plan.extent.cells()]


def _long_history(plan: Plan, store: Contender, storage: Storage) -> LongHistory | None:
    for megabytes in plan.megabytes:
        with storage.fresh() as place:
            try:
                return asyncio.run(_measured_alone(plan, store, place, megabytes))
            except (UnstorableValueError, NotImplementedError):
                continue
    return None


async def _measured_alone(
    plan: Plan, contender: Contender, place: str, megabytes: float
) -> LongHistory:
    async with contender.opened(place) as store:
        return await long_history.measure(
            store,
            Random(plan.seed),  # noqa: S311 - no secret
            megabytes=megabytes,
            rounds=plan.extent.rounds,
            operations=plan.operations,
        )
