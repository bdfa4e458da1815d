"""Connections that are left to whoever comes next, or to the pool after a while."""

from __future__ import annotations

import asyncio

import pytest

from reference_backends import postgres_spares
from reference_backends.postgres_spares import Spares
from tests.waiting import until


async def test_what_was_left_last_is_taken_first() -> None:
    """It is the one whose server process is warm; and the others become idle."""
    spares: Spares[int] = Spares(lambda _: pytest.fail("nothing is given back yet"))
    for number in range(3):
        spares.keep(number, asyncio.get_running_loop())
    assert [spares.take() for _ in range(4)] == [2, 1, 0, None]


async def test_what_nobody_takes_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each when it has lain there for long enough, and what was taken in time is not."""
    monkeypatch.setattr(postgres_spares, "IDLE", 0.2)
    given: list[int] = []
    spares: Spares[int] = Spares(given.append)
    loop = asyncio.get_running_loop()
    spares.keep(1, loop)
    spares.keep(2, loop)
    assert spares.take() == 2
    await asyncio.sleep(0.1)
    spares.keep(3, loop)
    await until(lambda: len(given) > 0)
    assert given == [1]
    await until(lambda: len(given) > 1)
    assert given == [1, 3]
    assert spares.take() is None
    spares.keep(4, loop)
    await until(lambda: len(given) > 2)


async def test_all_that_is_left_is_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not given back besides, though its time is over."""
    monkeypatch.setattr(postgres_spares, "IDLE", 0.01)
    given: list[int] = []
    spares: Spares[int] = Spares(given.append)
    for number in range(2):
        spares.keep(number, asyncio.get_running_loop())
    assert (spares.take_all(), spares.take_all()) == ([0, 1], [])
    await asyncio.sleep(0.05)
    assert given == []
