"""The watcher's clocks: what counts as stuck, and since when; what is done while no loop runs."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends.memory import MemorySessionStore
from sessionstore_contract import Backend
from sessionstore_contract.census import threads
from sessionstore_contract.clause import Scope, must
from sessionstore_contract.contract import CLAUSES
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.lender import GRACE, OpeningFailed
from sessionstore_contract.trial import MOST, SLOW, Trial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionstore_contract.subject import Subject

TIMEOUT = 10.0


def test_a_store_that_is_opened_late_has_time_of_its_own() -> None:
    """Opening is counted from its own beginning, however long the clause has run by then."""
    seen: list[Exception | None] = []

    def opener() -> MemorySessionStore:
        seen.append(trial.stuck())
        trial.phase_began -= 3 * TIMEOUT + GRACE + 1
        seen.append(trial.stuck())
        return MemorySessionStore()

    backend = Backend("late", open=opener, storage="none", profile="ephemeral", timeout=TIMEOUT)
    trial = Trial(
        CLAUSES[0], backend, None, effort=EFFORTS["normal"], seed=1, on_begin=lambda _: None
    )
    trial.phase, trial.phase_began = "procedure", time.monotonic() - 60
    asyncio.run(trial.open())

    assert seen[0] is None
    assert isinstance(seen[1], OpeningFailed)
    assert trial.phase == "procedure"
    assert time.monotonic() - trial.phase_began >= 60


@pytest.mark.parametrize(
    ("seconds", "limits", "said"),
    [
        (SLOW / 4, 1.5, "the most at this effort"),
        (2 * SLOW, 1.5, None),
        (2 * SLOW, 2.5, "a call takes 0.08 s, and --effort quick makes fewer"),
        (1000 * SLOW, MOST + 0.5, "a call takes 40 s, and --effort quick makes fewer"),
    ],
    ids=["quick", "slow", "slow, for too long", "as slow as can be"],
)
def test_a_slow_store_has_more_time_for_a_clause(
    seconds: float, limits: float, said: str | None
) -> None:
    """As much more as its calls take longer, up to a bound; then it is told what is shorter."""
    effort = EFFORTS["normal"]
    backend = Backend("slow", open=MemorySessionStore, storage="none", profile="ephemeral")
    trial = Trial(CLAUSES[0], backend, None, effort=effort, seed=1, on_begin=lambda _: None)
    trial.history.pace.note("load", seconds)
    trial.phase, trial.phase_began = "procedure", time.monotonic() - limits * effort.limit
    stuck = trial.stuck()
    assert (stuck is None) == (said is None)
    assert str(stuck).endswith(str(said))


def run(procedure: Callable[[Subject], Awaitable[None]], opener: Callable[..., Any]) -> Trial:
    """Run a procedure as that of a clause, on a thread as the harness has it."""
    clause = must("opening.tried", "It is.", because="", remedy="", scope=Scope.ANY)(procedure)
    backend = Backend("it", open=opener, storage="none", profile="ephemeral", timeout=TIMEOUT)
    trial = Trial(clause, backend, None, effort=EFFORTS["quick"], seed=1, on_begin=lambda _: None)
    thread = threading.Thread(target=trial.run)
    thread.start()
    thread.join()
    return trial


class Made(MemorySessionStore):
    """Remembers in which thread it was made, and whether a loop ran there."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.current_thread()
        try:
            self.loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self.loop = None


def test_an_opener_is_called_while_no_loop_runs_in_the_thread_of_the_loop() -> None:
    """A store that belongs to the thread that made it is right."""
    seen: list[Any] = []

    async def procedure(store: Subject) -> None:
        opened = await store.without_loop()
        assert not isinstance(opened, Exception)
        seen.extend((store.store, opened.store, threading.current_thread()))
        assert await opened.create("a") == "a"

    assert run(procedure, Made).failure is None
    first, opened, thread = seen
    assert (first.loop is not None, opened.loop) == (True, None)
    assert first.thread is opened.thread is thread


@pytest.mark.parametrize("is_late", [False, True])
def test_what_an_opener_raises_without_a_loop_is_answered(is_late: bool) -> None:
    """Whether it raises when it is called or when what it answers is awaited."""
    calls: list[None] = []

    def opener() -> Any:
        calls.append(None)
        if len(calls) == 1:
            return MemorySessionStore()

        async def late() -> Any:
            raise ConnectionError("nobody answers")

        if is_late:
            return late()
        raise StopIteration

    found: list[Any] = []

    async def procedure(store: Subject) -> None:
        found.append(await store.without_loop())

    assert run(procedure, opener).failure is None
    assert type(found[0]) is (ConnectionError if is_late else StopIteration)


def test_the_threads_of_the_loop_are_the_kits_and_end_with_the_trial() -> None:
    """What a store does in the loop's own threads is no thread of the store."""
    before = set(threads())
    during: list[set[str]] = []
    workers: list[threading.Thread] = []

    async def procedure(store: Subject) -> None:
        workers.append(await asyncio.to_thread(threading.current_thread))
        during.append(set(threads()) - before)

    assert run(procedure, MemorySessionStore).failure is None
    assert not any("executor" in name for name in during[0])
    workers[0].join()
