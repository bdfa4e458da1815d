"""Seeded scheduling: a seed decides what the event loop runs next, so that a race plays again."""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any

from sessionstore_contract.history import History
from sessionstore_contract.linearizability import Judgement, Operation, Ruling, judge, operations_on
from sessionstore_contract.subject import Subject
from sessionstore_contract.workload import play, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


CLAIMS = {"persistence", "cost-read", "retention"}
SESSIONS = 4


class ShuffledQueue(deque[Any]):
    """A queue whose next element is any of it."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random

    def popleft(self) -> Any:
        self.rotate(self.random.randrange(len(self)))
        return super().popleft()


class ShuffledLoop(asyncio.SelectorEventLoop):
    """Runs what is ready in an order that the seed decides; it says nothing of threads."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._ready = ShuffledQueue(Random(seed))


def run(work: Coroutine[Any, Any, None], seed: int) -> None:
    """Run a coroutine on a loop of its own, scheduled by the seed."""
    loop = ShuffledLoop(seed)
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


class Stand:
    """What a subject needs of the harness to remember its calls."""

    def __init__(self) -> None:
        self.history = History(timeout=60)


def race(open_store: Callable[[], Any], seed: int) -> list[list[Operation]]:
    """Race clients on one store, on one session after the other; answer what each was asked.

    A seed draws the calls and their schedule.
    """
    random = Random(seed)
    clients, operations = random.choice([(2, 9), (3, 7), (4, 6), (6, 4), (8, 3)])
    sessions = {
        f"session {number}": workload(random, clients, operations, CLAIMS, rounds=2)
        for number in range(SESSIONS)
    }
    stand: Any = Stand()

    async def play_all() -> None:
        store = open_store()
        for name, rounds in sessions.items():
            for one in rounds:
                await play(one, [Subject(store, stand)], [name])
        await store.close()

    run(play_all(), seed)
    return [operations_on(name, stand.history.steps) for name in sessions]


def judge_race(open_store: Callable[[], Any], seed: int) -> Judgement:
    """Race, and judge each session; answer the first judgement that is against the store."""
    judgements = [judge(operations) for operations in race(open_store, seed)]
    against = [one for one in judgements if one.ruling is not Ruling.EXPLAINED]
    return [*against, *judgements][0]
