"""Accumulators that are right, each in its own way; mutants are made of the plain one."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from sessionstore_contract.turn.system import Accumulator, Figures

from .patience import Patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from sessionstore_contract.interface import Json

T = TypeVar("T")

log = logging.getLogger("tests.turn.accumulators")

SUMS = ("input_tokens", "output_tokens", "cached_tokens")
NO_TOTALS: dict[str, Json] = dict.fromkeys(SUMS, 0) | {"turn_count": 0, "ids": []}


async def asked(call: Awaitable[T]) -> T:
    """Answer what the store answers. What was cancelled from within is a failure like others."""
    try:
        return await call
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionAbortedError("a call of the store was cancelled from within") from error


class Plain:
    """A lock for each session; turns wait in a list until a write with them has succeeded."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        self.store = store
        self.name = name
        self.locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.waiting: dict[str, list[Figures]] = defaultdict(list)

    def patience(self) -> float:
        return Patience.seconds

    async def record(self, session: str, turn: Figures) -> None:
        turn = self.checked(turn)
        self.waiting[session].append(turn)
        try:
            async with asyncio.timeout(self.patience()), self.lock(session):
                await self.flush(session)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)

    async def drain(self) -> None:
        for session in list(self.waiting):
            try:
                async with self.lock(session):
                    await self.flush(session)
            except Exception as error:  # noqa: BLE001 - whatever a store raises
                self.fail(error)

    def lock(self, session: str) -> Any:
        return self.locks[session]

    def fail(self, error: Exception) -> None:
        log.warning("turns wait: %s", type(error).__name__)

    def checked(self, turn: Figures) -> Figures:
        usage = turn.usage
        for name in SUMS:
            if not self.is_sum(getattr(usage, name)):
                log.warning("%s is not added", name)
                usage = type(usage)(**{**usage.fields(), name: 0})
        return Figures(turn.id, turn.model, usage)

    def is_sum(self, value: Any) -> bool:
        return type(value) is int and value >= 0

    async def flush(self, session: str) -> None:
        batch = list(self.waiting[session])
        if not batch:
            return
        try:
            known = await self.read(session)
        except NotImplementedError:
            for turn in batch:
                await self.write(session, self.add(NO_TOTALS, turn))
        else:
            # A turn is known by its id; one without is itself alone.
            new: list[Figures] = []
            for turn in batch:
                if not self.is_known(turn, known["ids"], new):
                    new.append(turn)
            totals = known
            for turn in new:
                totals = self.add(totals, turn)
            if new:
                await self.write(session, totals)
        del self.waiting[session][: len(batch)]

    def is_known(self, turn: Figures, ids: list[Json], new: list[Figures]) -> bool:
        return turn.id is not None and (turn.id in ids or turn.id in {one.id for one in new})

    async def read(self, session: str) -> dict[str, Json]:
        cost_data = await asked(self.store.get_cost_data(session))
        if not isinstance(cost_data, dict):
            raise TypeError("the totals can't be read")
        own = cost_data if self.name is None else cost_data.get(self.name, {})
        totals = {**NO_TOTALS, **{key: own[key] for key in [*NO_TOTALS, "model"] if key in own}}
        if not all(self.is_sum(totals[name]) for name in (*SUMS, "turn_count")):
            raise ValueError("the totals can't be read")
        return totals

    def add(self, totals: dict[str, Json], turn: Figures) -> dict[str, Json]:
        return {
            **totals,
            **{name: totals[name] + getattr(turn.usage, name) for name in SUMS},
            "turn_count": totals["turn_count"] + 1,
            "model": turn.model,
            "ids": [*totals["ids"], *([turn.id] if turn.id else [])],
        }

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        fields = totals if self.name is None else {self.name: totals}
        if await asked(self.store.update(session, cost_data=fields)) is False:
            raise LookupError("there is no such session yet")


class InARow(Plain):
    """One task takes turns from a queue for each session; turns are written in the background."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def record(self, session: str, turn: Figures) -> None:
        self.waiting[session].append(self.checked(turn))
        if session not in self.tasks or self.tasks[session].done():
            self.tasks[session] = asyncio.create_task(self.work(session))

    async def work(self, session: str) -> None:
        try:
            while self.waiting[session]:
                await self.flush(session)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.fail(error)

    async def drain(self) -> None:
        if self.tasks:
            await asyncio.wait(self.tasks.values())
        await super().drain()


class FromMemory(Plain):
    """Keeps the sums of what could not be written, and writes them whole with the next turn."""

    def __init__(self, store: Any, name: str | None = None) -> None:
        super().__init__(store, name)
        self.sums: dict[str, dict[str, Json]] = {}

    async def read(self, session: str) -> dict[str, Json]:
        if session not in self.sums:
            self.sums[session] = await super().read(session)
        return self.sums[session]

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        before = self.sums.get(session)
        if before is not None:
            self.sums[session] = totals
        try:
            await super().write(session, totals)
        except asyncio.CancelledError:
            if before is not None:
                self.sums[session] = before  # the turn waits still
            raise
        except Exception as error:
            if before is None:
                raise
            self.fail(error)
        else:
            self.forget(session)

    def forget(self, session: str) -> None:
        # Somebody may delete the session, and begin it anew.
        self.sums.pop(session, None)

    async def drain(self) -> None:
        await super().drain()
        for session, totals in self.sums.items():
            try:
                await super().write(session, totals)
            except Exception as error:  # noqa: BLE001 - whatever a store raises
                self.fail(error)


class LeavesOutTheTurn(Plain):
    """Refuses a turn with a bad figure as a whole."""

    async def record(self, session: str, turn: Figures) -> None:
        if all(self.is_sum(getattr(turn.usage, name)) for name in SUMS):
            await super().record(session, turn)
        else:
            log.error("a turn is not counted")


class CountsInFloats(Plain):
    """Keeps the sums as floats, as a script in a key-value store does."""

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        floats = {name: float(totals[name]) for name in (*SUMS, "turn_count")}
        await super().write(session, {**totals, **floats})

    def is_sum(self, value: Any) -> bool:
        return type(value) in {int, float} and math.isfinite(value) and value >= 0


class WithoutCachedTokens(Plain):
    """Has two sums."""

    async def write(self, session: str, totals: dict[str, Json]) -> None:
        rest = {name: value for name, value in totals.items() if name != "cached_tokens"}
        await super().write(session, rest)


CORRECT = (Plain, InARow, FromMemory, LeavesOutTheTurn, CountsInFloats, WithoutCachedTokens)


def summed(cost_data: Mapping[str, Json]) -> Mapping[str, Json]:
    """Read the totals that `Plain` writes, those of several added up."""
    own = [value for key, value in cost_data.items() if key.startswith("server-")]
    if not own:
        return cost_data
    names = [name for name in (*SUMS, "turn_count") if name in own[0]]
    sums = {name: sum(one[name] for one in own) for name in names}
    return {**sums, "model": own[-1]["model"]}


def system(kind: Any, *, bound: float = 10.0) -> Accumulator:
    """Hand an accumulator over as its author would."""
    return Accumulator(
        kind.__name__,
        build=kind,
        build_one_of_several=kind,
        record=lambda accumulator, session, turn: accumulator.record(session, turn),
        drain=lambda accumulator: accumulator.drain(),
        totals=summed,
        logger="tests",
        bound=bound,
    )
