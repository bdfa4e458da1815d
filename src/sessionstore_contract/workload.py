"""Calls that clients make at once, drawn from a seed as plain data.

What makes a defect show is in the draw: few sessions and few keys, so that the calls hit each
other; a value of its own in every write, so that a read names its writer; rounds of one kind, for
where a session is deleted much can be explained that can't where it stays; and at the end of each
round reads by one client alone, for what nobody looks at is never found.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .capabilities import Capability

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from random import Random

    from .interface import Json
    from .subject import Subject

KEYS = ("shared 1", "shared 2", "shared 3")
"""Keys of cost data that every client writes; each has one of its own besides."""

CUTOFF = datetime(2100, 1, 1, tzinfo=UTC)
"""A cutoff that every session is older than: `delete_before` is drawn to remove all there are."""

COSTS = {"update": 6, "get_cost_data": 5, "save": 2, "load": 1, "exists": 1}
HISTORY = {"save": 5, "load": 5, "update": 2, "get_cost_data": 2}
LIFE = {
    "create": 4,
    "delete": 4,
    "save": 2,
    "update": 5,
    "exists": 2,
    "load": 2,
    "get_cost_data": 3,
    "delete_before": 0.3,
}
MIXES: tuple[Mapping[str, float], ...] = (COSTS, HISTORY, LIFE, LIFE)
"""How often each operation is drawn, by the kind of round."""

READS = ("exists", "load", "get_cost_data")

NEEDS = {
    "get_cost_data": Capability.COST_READ,
    "delete_before": Capability.RETENTION,
}


@dataclass(frozen=True)
class PlannedCall:
    """A call that was not made yet, on a session that has no id yet."""

    operation: str
    session: int
    argument: Json = None
    pause: int = 0
    """Turns of the loop before the call: clients that go in step meet at the same points only."""

    async def make(self, store: Subject, names: Sequence[str]) -> None:
        """Make the call as a step of the store's history, given the ids of the sessions."""
        for _ in range(self.pause):
            await asyncio.sleep(0)
        await self._call(store, names[self.session]).perform(is_expected=True)

    def _call(self, store: Subject, name: str) -> Any:
        match self.operation:
            case "save":
                return store.save(name, self.argument)
            case "update":
                fields = {} if self.argument is None else {"cost_data": self.argument}
                return store.update(name, **fields)
            case "delete_before":
                return store.delete_before(self.argument)
        return store.call(self.operation, name)


@dataclass(frozen=True)
class Round:
    """What each client calls, one after the other, at once with the other clients."""

    opening: tuple[PlannedCall, ...]
    """Made before the clients begin."""
    clients: tuple[tuple[PlannedCall, ...], ...]
    quiet: tuple[PlannedCall, ...]
    """Made when every client has come back."""


def workload(
    random: Random,
    clients: int,
    operations: int,
    claims: Collection[str],
    *,
    sessions: int = 1,
    rounds: int = 1,
) -> list[Round]:
    """Draw rounds in which each client makes so many calls; all rounds are on the same sessions.

    Equal seeds draw equal rounds. Operations whose capability is not among the claims are left
    out. No two writes of all the rounds write the same value.
    """
    draw = _Draw(random, claims, sessions)
    return [draw.round(clients, operations, is_first=number == 0) for number in range(rounds)]


def _is_claimed(operation: str, claims: Collection[str]) -> bool:
    return operation not in NEEDS or NEEDS[operation] in claims


class _Draw:
    def __init__(self, random: Random, claims: Collection[str], sessions: int) -> None:
        self.random = random
        self.sessions = range(sessions)
        self.values = itertools.count(1)
        self.reads = [name for name in READS if _is_claimed(name, claims)]
        self.mixes = [
            {name: weight for name, weight in mix.items() if _is_claimed(name, claims)}
            for mix in MIXES
        ]

    def round(self, clients: int, operations: int, *, is_first: bool) -> Round:
        mix = self.random.choice(self.mixes)
        # Where sessions come and go, the first calls may also race to make one.
        is_opened = is_first and ("delete" not in mix or self.random.random() < 0.5)
        drawn = [
            tuple(self._call(mix, f"client {client}") for _ in range(operations))
            for client in range(clients)
        ]
        return Round(
            opening=tuple(PlannedCall("create", number) for number in self.sessions if is_opened),
            clients=tuple(drawn),
            quiet=tuple(PlannedCall(name, one) for one in self.sessions for name in self.reads),
        )

    def _call(self, mix: Mapping[str, float], own_key: str) -> PlannedCall:
        operation = self.random.choices(list(mix), list(mix.values()))[0]
        argument: Json = None
        match operation:
            case "save":
                argument = [{"role": "user", "content": f"message {next(self.values)}"}]
            case "update":
                # Without fields now and then: it asks whether the session exists.
                count = self.random.choice([0, 1, 1, 2, 2, 3])
                keys = self.random.sample([*KEYS, own_key], count)
                argument = dict.fromkeys(keys, next(self.values)) or None
            case "delete_before":
                argument = CUTOFF
        session, pause = self.random.choice(self.sessions), self.random.randrange(2)
        return PlannedCall(operation, session, argument, pause)


async def play(round_: Round, stores: Sequence[Subject], names: Sequence[str]) -> None:
    """Make the calls of a round; the clients are spread over the stores, and begin at a barrier.

    Every call becomes a step of the stores' history, whatever comes of it; none is judged here.
    """
    barrier = asyncio.Event()

    async def run(calls: Sequence[PlannedCall], store: Subject) -> None:
        await barrier.wait()
        for call in calls:
            await call.make(store, names)

    for call in round_.opening:
        await call.make(stores[0], names)
    tasks = [
        asyncio.ensure_future(run(calls, stores[number % len(stores)]))
        for number, calls in enumerate(round_.clients)
    ]
    await asyncio.sleep(0)
    barrier.set()
    await asyncio.gather(*tasks)
    for number, call in enumerate(round_.quiet):
        await call.make(stores[number % len(stores)], names)
