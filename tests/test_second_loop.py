"""Calls in a second event loop, beside the first one."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from sessionstore_contract import second_loop
from sessionstore_contract.second_loop import in_second_loop

from .test_subject import Echo, subject


class Looking(Echo):
    """Remembers where it was called, and never answers to `load`."""

    def __init__(self) -> None:
        super().__init__()
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.threads: list[threading.Thread] = []

    async def exists(self, session_id: str) -> bool:
        self.loops.append(asyncio.get_running_loop())
        self.threads.append(threading.current_thread())
        return True

    async def load(self, session_id: str) -> None:
        await asyncio.Event().wait()

    async def delete(self, session_id: str) -> None:
        raise SystemExit(3)

    async def save(self, session_id: str, messages: object) -> None:
        time.sleep(0.3)  # noqa: ASYNC251 - what a store should not do


async def test_calls_are_made_in_one_other_loop_and_thread() -> None:
    """One loop for all the calls; the history has them as any others."""
    store = subject(looking := Looking())
    await store.exists("a")
    steps = await in_second_loop(store.exists("a"), store.exists("b"))

    assert [step.answer for step in steps] == [True, True]
    assert store.stand.history.steps[1:] == steps
    assert looking.loops[0] is not looking.loops[1] is looking.loops[2]
    assert looking.threads[0] is not looking.threads[1] is looking.threads[2]
    assert looking.loops[1].is_closed()
    assert not looking.threads[1].is_alive() or looking.threads[1].daemon


async def test_the_first_loop_goes_on_meanwhile() -> None:
    """A store that hands its work over to its own loop is answered."""
    store = Looking()
    first = asyncio.get_running_loop()

    async def exists(session_id: str) -> bool:
        future = asyncio.run_coroutine_threadsafe(Looking.exists(store, session_id), first)
        return await asyncio.wrap_future(future)

    store.exists = exists  # type: ignore[method-assign]
    steps = await in_second_loop(subject(store).exists("a"))
    assert steps[0].answer is True
    assert store.loops == [first]


async def test_after_a_call_that_hangs_none_is_made() -> None:
    """One wait is enough."""
    store = subject(Looking())
    store.stand.history.timeout = 0.1
    steps = await in_second_loop(store.exists("a"), store.load("a"), store.exists("b"))
    assert [step.outcome for step in steps] == ["answered", "hung"]


async def test_what_a_call_raises_is_a_step() -> None:
    """Also when it was meant to end the thread."""
    store = subject(Looking())
    steps = await in_second_loop(store.delete("a"), store.exists("a"))
    assert [step.outcome for step in steps] == ["raised", "answered"]


async def test_a_loop_that_is_blocked_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first loop is not kept by it."""
    monkeypatch.setattr(second_loop, "ENDING", 0.05)
    store = subject(Looking())
    store.stand.history.timeout = 0.05
    assert await in_second_loop(store.save("a", [])) == []
