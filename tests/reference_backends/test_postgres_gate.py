"""How a pool of connections grows."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from reference_backends import postgres_gate
from reference_backends.postgres_gate import Admission, Gate, Stopwatch

MOST = 4

OPENING = 40
"""Rounds of the loop that an opening takes; a short use takes one."""


class Pool:
    """Connections, by number, that are opened and used as the store does it, some of which fail."""

    def __init__(self, patience: float = 0, most: int = MOST) -> None:
        self.idle = [1]
        self.gate: Gate[int] = Gate(most, self.idle.append, patience)
        self.opened, self.opening = 1, 0
        self.used: set[int] = set()
        self.most_used = self.most_opening = 0

    async def use(self, *, rounds: int = 1, fails: bool = False) -> int:
        is_growing, spare = await self.gate.enter()
        try:
            if is_growing:
                connection = await self._opened(fails=fails)
            else:
                connection = self.idle.pop() if spare is None else spare
        except BaseException:
            self.gate.leave(is_growing=is_growing)
            raise
        if is_growing:
            self.gate.grown()
        try:
            await self._work(connection, rounds)
        except BaseException:
            self.idle.append(connection)
            self.gate.leave()
            raise
        self.gate.leave(connection)
        return connection

    async def _work(self, connection: int, rounds: int) -> None:
        assert connection not in self.used
        self.used.add(connection)
        self.most_used = max(self.most_used, len(self.used))
        try:
            for _ in range(rounds):
                await asyncio.sleep(0)
        finally:
            self.used.remove(connection)

    async def _opened(self, *, fails: bool) -> int:
        self.opening += 1
        self.most_opening = max(self.most_opening, self.opening)
        try:
            for _ in range(OPENING):
                await asyncio.sleep(0)
            if fails:
                raise OSError("no more")
            self.opened += 1
        finally:
            self.opening -= 1
        return self.opened


async def test_many_short_uses_at_once_open_few() -> None:
    """One is opened at a time, while the others use what is there."""
    pool = Pool()
    await asyncio.gather(*(pool.use() for _ in range(8)))

    assert pool.opened == 2
    assert pool.most_opening == 1


async def test_whoever_can_wait_opens_none() -> None:
    """Uses that are over before anybody has waited for long share the first connection."""
    pool = Pool(patience=1_000)
    for _ in range(3):
        await asyncio.gather(*(pool.use() for _ in range(50)))

    assert pool.opened == 1


async def test_of_those_who_wait_the_last_opens() -> None:
    """It would wait longest; the first takes what is given back."""
    gate = Pool(patience=0.001).gate
    assert await gate.enter() == Admission()
    first, last = (asyncio.create_task(gate.enter()) for _ in range(2))
    assert await asyncio.wait_for(last, 5) == Admission(is_growing=True)
    assert not first.done()

    gate.leave(7)
    assert await asyncio.wait_for(first, 5) == Admission(spare=7)


async def test_patience_begins_with_those_who_wait() -> None:
    """Where the first have been served meanwhile, nobody opens for their sake."""
    gate, loop = Pool(patience=0.2).gate, asyncio.get_running_loop()
    await gate.enter()
    first = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    gate.leave()
    assert await first == Admission()
    await asyncio.sleep(0.1)

    began = loop.time()
    assert await asyncio.wait_for(gate.enter(), 5) == Admission(is_growing=True)
    assert loop.time() - began >= 0.19


@pytest.mark.parametrize("users", [2, 8])
async def test_who_keep_each_other_waiting_open_another(users: int) -> None:
    """However short each wait is: there is enough to do for two."""
    pool = Pool(patience=0.005)

    async def use_it_again_and_again() -> None:
        while pool.opened == 1:
            await pool.use(rounds=3)

    uses = (use_it_again_and_again() for _ in range(users))
    await asyncio.wait_for(asyncio.gather(*uses), 5)


def test_waiting_by_turns_is_waiting() -> None:
    """Short pauses are not counted, but do not begin it anew; long ones do."""
    watch = Stopwatch(patience=10)
    for now in (100, 103, 106):
        watch.start(now)
        watch.start(now + 1)
        assert watch.end() == now + 10 - (now - 100) / 3 * 2
        watch.stop(now + 2)
        watch.stop(now + 2.5)

    watch.start(118)
    assert watch.end() == 128
    watch.restart(120)
    assert watch.end() == 130
    watch.stop(121)
    watch.restart(121)
    with pytest.raises(RuntimeError, match="nobody waits"):
        watch.end()
    watch.start(122)
    assert watch.end() == 132


async def test_long_uses_at_once_open_as_many_as_there_may_be() -> None:
    """Whoever waits opens the next one, without anybody else coming or leaving."""
    pool = Pool()
    stuck = [asyncio.create_task(pool.use(rounds=10_000)) for _ in range(MOST + 2)]
    for _ in range(MOST * (OPENING + 5)):
        await asyncio.sleep(0)

    assert (len(pool.used), pool.most_opening) == (MOST, 1)
    for one in stuck:
        one.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)
    await pool.use()
    assert pool.opened == MOST


async def test_a_pool_of_one_has_nothing_to_open() -> None:
    """Nor has one that has grown: whoever comes waits for what others leave."""
    pool = Pool(most=1)
    assert await asyncio.gather(*(pool.use(rounds=10) for _ in range(3))) == [1] * 3
    assert pool.most_used == 1


async def test_what_is_left_goes_to_whoever_comes_next() -> None:
    """What was left last first; and the pool is asked where nothing is."""
    gate = Pool().gate
    await gate.enter()
    assert await asyncio.wait_for(gate.enter(), 5) == Admission(is_growing=True)
    gate.grown()
    gate.leave(1)
    gate.leave(2)
    assert [await gate.enter() for _ in range(2)] == [Admission(spare=2), Admission(spare=1)]
    gate.leave()
    assert await gate.enter() == Admission()


@pytest.mark.parametrize("waiting", [1, 2])
async def test_who_is_cancelled_with_a_connection_in_hand_leaves_it(waiting: int) -> None:
    """To the next who waits, or else to whoever comes."""
    gate = Pool(patience=1_000).gate
    await gate.enter()
    cancelled, *others = [asyncio.create_task(gate.enter()) for _ in range(waiting)]
    await asyncio.sleep(0)
    gate.leave(7)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    entering = others[0] if others else gate.enter()
    assert await asyncio.wait_for(entering, 5) == Admission(spare=7)


async def test_what_is_left_in_the_end_is_answered_once() -> None:
    """And is not given back besides."""
    pool = Pool()
    number = await pool.use()
    assert (pool.gate.close(), pool.gate.close(), pool.idle) == ([number], [], [])
    assert await pool.gate.enter() == Admission()


async def test_one_that_is_not_opened_leaves_its_turn_to_the_next() -> None:
    """Each of those who wait tries for itself, and later ones as well."""
    pool = Pool()
    stuck = asyncio.create_task(pool.use(rounds=10_000))
    failures = await asyncio.gather(
        *(asyncio.wait_for(pool.use(fails=True), 5) for _ in range(3)), return_exceptions=True
    )
    assert [type(one) for one in failures] == [OSError] * 3
    assert pool.opened == 1
    await pool.use()
    assert pool.opened == 2
    stuck.cancel()
    with suppress(asyncio.CancelledError):
        await stuck


async def test_where_none_can_be_opened_it_is_not_tried_again_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those who wait take what is left meanwhile; afterwards another one may be opened."""
    monkeypatch.setattr(postgres_gate, "PAUSE", 0.05)
    gate: Gate[int] = Gate(MOST, lambda _: None, patience=0)
    await gate.enter()
    assert (await gate.enter()).is_growing
    began = asyncio.get_running_loop().time()
    gate.stop_growing()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    gate.leave(1)
    assert await waiting[0] == Admission(spare=1)
    assert (await waiting[1]).is_growing
    assert asyncio.get_running_loop().time() - began >= 0.045


async def test_whatever_fails_or_is_cancelled_no_connection_is_lost() -> None:
    """In any order, never more are used than are open; in the end all of them can be."""
    for seed in range(200):
        await _storm(seed)


async def _storm(seed: int) -> None:
    pool, draw = Pool(), random.Random(seed)
    tasks: list[asyncio.Task[int]] = []
    for _ in range(40):
        rounds, fails = draw.randrange(6), draw.random() < 0.2
        tasks.append(asyncio.create_task(pool.use(rounds=rounds, fails=fails)))
        for _ in range(draw.randrange(4)):
            await asyncio.sleep(0)
        if draw.random() < 0.4:
            draw.choice(tasks).cancel()
    done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert not [one for one in done if isinstance(one, AssertionError)]

    pool.most_used = 0
    await asyncio.wait_for(asyncio.gather(*(pool.use(rounds=1_000) for _ in range(MOST))), 5)
    assert pool.most_used == MOST
    assert pool.most_opening == 1
