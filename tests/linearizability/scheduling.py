"""Seeded scheduling: a seed decides what the event loop runs next, so that a race plays again."""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any

from sessionstore_contract.history import History
from sessionstore_contract.linearizability import Judgement, Operation, judge, operations_on
from sessionstore_contract.subject import Subject
from sessionstore_contract.workload import play, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sessionstore_contract.workload import Round

CLAIMS = {"persistence", "cost-read", "retention"}
NAME = "session"


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


def race(open_store: Callable[[], Any], seed: int) -> list[Operation]:
    """Race clients on one session of a fresh store; a seed draws the calls and their schedule."""
    random = Random(seed)
    clients, operations = random.choice([(2, 9), (3, 7), (4, 6), (6, 4), (8, 3)])
    rounds = workload(random, clients, operations, CLAIMS, rounds=4)
    stand: Any = Stand()

    async def play_all(rounds: list[Round]) -> None:
        store = open_store()
        for one in rounds:
            await play(one, [Subject(store, stand)], [NAME])
        await store.close()

    run(play_all(rounds), seed)
    return operations_on(NAME, stand.history.steps)


def judge_race(open_store: Callable[[], Any], seed: int) -> Judgement:
    """Race, and judge the race."""
    return judge(race(open_store, seed))
