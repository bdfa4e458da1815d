"""Closing gives back what was taken, whenever and however often it is called."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import Scope, must, should
from ..expect import NothingFound, expect, expect_all_answered, violated
from ..history import StepFailed
from ..interruption import Interruption
from ..subject import at_once
from ..values import are_equal, word
from .procedures import leaks
from .procedures.first_use import MAKING, MESSAGES, mixed_calls, operations

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backend import Lent
    from ..history import Call, Step
    from ..subject import Subject

TURNS = (2, 4, 16)
"""Turns of the loop that operations have had when the store is closed."""


CUT_SHORT = 3
"""Await points of `close` at which it is cancelled."""


@must(
    "closing.is-idempotent",
    "`close` works twice, before first use, at once with itself and after one that was cancelled, "
    "and closes no other instance.",
    because="Shutdown runs through several hooks, some with a time-out, and an error in one skips "
    "the others.",
    remedy="Remember that the store is closed, and answer at once the second time; close what was "
    "opened, if anything was. What instances share is counted once for each of them. A lock is "
    "held by `async with`.",
    scope=Scope.ANY,
)
async def is_idempotent(store: Subject) -> None:
    # A store that is not shared may let nobody else in while it is open.
    other = await store.another() if store.can(Capability.SHARED) else None
    if other is not None:
        await other.exists(other.unused_id())
    await expect(store.close()).to_succeed()
    await _goes_on(other, "closing an instance")
    await expect(store.close()).to_succeed()
    await _goes_on(other, "closing an instance twice")

    used = await store.another()
    await _write(used)
    await expect(used.close()).to_succeed()
    await expect(used.close()).to_succeed()

    used = await store.another()
    await used.exists(used.unused_id())
    expect_all_answered(await at_once(used.close(), used.close(), used.close()), "close at once")
    await _close_again_when_cut_short(store)


async def _write(store: Subject) -> None:
    session = store.unused_id()
    await store.exists(session)
    await store.save(session, MESSAGES)
    await store.update(session, cost_data={"turns": 1})


async def _goes_on(other: Subject | None, after: str) -> None:
    if other is None:
        return
    step = await other.exists(other.unused_id()).perform(is_expected=True)
    if step.outcome != "answered":
        violated(f"{after} closes another", demanded="an answer", answered=step.answered())


async def _close_again_when_cut_short(store: Subject) -> None:
    for point in range(1, CUT_SHORT + 1):
        store.stand.history.restart()
        used = await store.another()
        await used.exists(used.unused_id())
        interruption = Interruption(point, "waiting")
        await used.close().perform(is_expected=True, through=interruption.of)
        again = await used.close().perform(is_expected=True)
        if not interruption.is_made:
            return
        expect_all_answered([again], f"after a close that was cancelled at its await point {point}")


@must(
    "closing.is-bounded",
    "`close` returns in bounded time with operations under way, and these finish or raise; what "
    "they answer is so.",
    because="A shutdown that waits for ever is ended by SIGKILL, and takes with it what the other "
    "hooks would have saved.",
    remedy="Refuse new operations, give those under way some seconds, then cut them off and raise "
    "in each. asyncpg: Pool.close waits for ever; put asyncio.timeout around it, and call "
    "terminate. A queue and its worker: end every waiting caller's future when the worker ends, "
    "with an exception if its work was not done.",
    scope=Scope.ANY,
    evidence=["asyncpg#547"],
)
async def is_bounded(store: Subject) -> None:
    # Alone: how slow the store is has to be known before many calls are made at once.
    await store.exists(store.unused_id()).perform(is_expected=False)
    store.stand.history.restart()
    await _make_sure_it_comes_back(mixed_calls(store))
    known = await _known(store) if store.can(Capability.DURABLE) else None
    _has_come_back(await store.close().perform(is_expected=True), "after operations")
    told: list[Step] = []
    for turns in TURNS:
        for is_used in (True, False):
            busy = await store.another()
            if is_used:
                await busy.exists(busy.unused_id())
                known = known and await _found(busy, known)
                await _was_done(busy, told)
                store.stand.history.restart()
                told = []
            told += await _close_while_busy(busy, turns, known)
    await _was_done(await store.another(), told)


async def _known(store: Subject) -> str:
    """Make a session that every later instance has to find."""
    session = store.unused_id("known")
    for call in (store.save(session, MESSAGES), store.update(session, cost_data={"turns": 1})):
        await call.perform(is_expected=False)
    return session


async def _found(later: Subject, known: str) -> str | None:
    """Answer the session if an instance that nobody closes finds it whole: else nothing is asked.

    That it is not there after a close is another clause's matter.
    """
    for call in _calls_on(later, known):
        step = await call.perform(is_expected=False)
        if not are_equal(step.answer_as_given, ANSWERS[step.operation]):
            return None
    return known


def _calls_on(store: Subject, known: str) -> list[Call[Any]]:
    calls: list[Call[Any]] = [store.load(known), store.exists(known)]
    if store.can(Capability.COST_READ):
        calls.append(store.get_cost_data(known))
    return [*calls, store.update(known, cost_data={"turns": 1})]


ANSWERS: dict[str, Any] = {
    "load": MESSAGES,
    "exists": True,
    "update": True,
    "get_cost_data": {"turns": 1},
}
"""What calls on the known session answer, if they do."""


async def _close_while_busy(store: Subject, turns: int, known: str | None) -> list[Step]:
    """Answer the steps under way, whose answers say what is so where a session is known."""
    calls = mixed_calls(store) + (_calls_on(store, known) if known else [])
    under_way = [asyncio.ensure_future(call.perform(is_expected=True)) for call in calls]
    for _ in range(turns):
        await asyncio.sleep(0)
    closing = await store.close().perform(is_expected=True)
    steps = await asyncio.gather(*under_way)
    _has_come_back(closing, "with operations under way")
    for step in steps:
        if step.outcome == "hung":
            violated(
                f"{step.operation} hangs when the store is closed meanwhile",
                demanded="an answer or an exception",
                answered=step.answered(),
            )
    if known is None:
        return []
    for step in steps:
        _is_so(step, known)
    return steps


def _has_come_back(closing: Step, when: str) -> None:
    if closing.outcome != "answered":
        said = "does not answer in time" if closing.outcome == "hung" else closing.answered()
        violated(f"close {said} {when}", demanded="an answer", answered=closing.answered())


def _is_so(step: Step, known: str) -> None:
    if step.outcome != "answered" or step.arguments[:1] != (known,):
        return
    if not are_equal(step.answer_as_given, ANSWERS[step.operation]):
        violated(
            f"{step.operation} answers what is not so when the store is closed meanwhile",
            demanded=f"{word(ANSWERS[step.operation])} or an exception",
            answered=step.answered(),
        )


async def _was_done(later: Subject, told: list[Step]) -> None:
    """Demand that a later instance finds what those made that were answered."""
    for step in told:
        if step.operation not in MAKING or step.outcome != "answered":
            continue
        found = await later.exists(step.arguments[0]).perform(is_expected=True)
        if found.outcome == "answered" and found.answer is not True:
            violated(
                f"{step.operation} is answered when the store is closed meanwhile, and is lost",
                demanded="True",
                answered=found.answered(),
            )


async def _make_sure_it_comes_back(calls: list[Call[Any]]) -> None:
    """Make calls at once; one that hangs without any closing is another clause's matter."""
    steps = await asyncio.gather(*(call.perform(is_expected=False) for call in calls))
    for step in steps:
        if step.outcome == "hung":
            raise StepFailed(step)


@must(
    "closing.leaves-nothing-behind",
    "Cycles of open, use and close leave no thread, process, file handle, task or server "
    "connection.",
    because="Tests, reloads and tenants open thousands of stores in one process; the server has "
    "some hundred connections, the process some thousand descriptors.",
    remedy="Close every connection that was opened, in the pool or beside it; join threads; end "
    "processes and wait for them; cancel tasks and await them. aiosqlite: await close() also "
    "when opening failed. httpx: aclose().",
    needs={Capability.CENSUS},
    scope=Scope.ANY,
    evidence=["aiosqlite#387", "langgraph#5675"],
)
async def leaves_nothing_behind(store: Subject) -> None:
    await store.close()

    async def cycle() -> None:
        used = await store.another()
        for operation, call in operations(used).items():
            await call(used.unused_id(operation))
        await _make_sure_it_comes_back([used.exists(used.unused_id()) for _ in range(8)])
        await used.close()

    grown = await leaks.left_behind(store, cycle)
    if grown:
        violated(
            f"close leaves {leaks.worded(grown)} behind",
            demanded="what was opened is closed",
            answered=f"after {leaks.CYCLES} stores, used and closed, {leaks.counted(grown)}",
        )


@should(
    "closing.closed-stays-closed",
    "An operation after `close` raises.",
    because="A store that opens itself again leaks what it opens, as nobody closes it twice; one "
    "that answers from memory answers what is no longer so.",
    remedy="Remember that the store is closed, and raise in the one function through which every "
    "operation gets its connection.",
    evidence=["origin", "openai-agents-python#4035"],
)
async def closed_stays_closed(store: Subject) -> None:
    await store.close()
    await _expect_closed(store, None)

    used = await store.another()
    session = await used.create()
    await used.save(session, [{"role": "user", "content": "before"}])
    await used.close()
    await _expect_closed(used, session)


async def _expect_closed(store: Subject, session: str | None) -> None:
    was = "closed" if session else "closed before its first use"
    for operation, call in operations(store).items():
        # `create` of an id that is taken would raise as well.
        name = session if session and operation != "create" else store.unused_id(operation)
        _expect_raised(await call(name).perform(is_expected=True), was)


def _expect_raised(step: Step, was: str) -> None:
    if step.outcome != "raised":
        said = "works" if step.outcome == "answered" else "hangs"
        violated(
            f"{step.operation} {said} in a store that was {was}",
            demanded="an exception",
            answered=step.answered(),
        )


@should(
    "closing.forgotten-close-lets-the-process-end",
    "A process that uses a store and never closes it ends by itself.",
    because="Scripts forget, and exceptions skip the closing; then a job that has done its work "
    "hangs until somebody looks.",
    remedy="Threads of your own are daemons, or end with the loop. aiosqlite: its thread is none "
    "(start it from a daemon thread, or close in a finalizer). No atexit hook that waits without "
    "an end.",
    scope=Scope.ANY,
    evidence=["origin", "aiosqlite#369"],
)
async def forgotten_close_lets_the_process_end(store: Subject) -> None:
    # Some let nobody else in while they are open.
    await store.close()
    if not await store.stand.ends_when_forgotten():
        violated(
            "a process that does not close its store does not end",
            demanded="that it ends by itself, as it has nothing more to do",
            answered="it had to be killed",
        )


@must(
    "closing.keeps-off-what-it-was-lent",
    "A connection, client or pool that the caller handed over is not closed by `close`, and work "
    "that the caller has open on it is neither committed nor rolled back.",
    because="What is handed over is shared: closing it takes it from everybody else, and ending a "
    "transaction that somebody else began makes half of it permanent, or loses it.",
    remedy="Remember whether the store made it (`self._is_lent`), and close only what it made. "
    "Leave transactions alone that the store did not begin. SQLite: no `commit` or `rollback` in "
    "close; closing a connection rolls back. HTTP: `aclose` only a client of your own.",
    needs={Capability.MANAGED},
)
async def keeps_off_what_it_was_lent(store: Subject) -> None:
    # Before: a store that is not shared may let nobody else in while it is open.
    await store.close()
    for is_used in (True, False):
        async with store.stand.lend() as (subject, lent):
            await _close_on(subject, lent, is_used=is_used)


async def _close_on(subject: Subject, lent: Lent, *, is_used: bool) -> None:
    if is_used:
        await subject.exists(await subject.create())
    if not await _answered(lent.is_usable):
        raise NothingFound("what was lent does not work before the store is closed")
    if lent.begin is not None:
        await _answered(lent.begin)
    await subject.close()
    if not await _answered(lent.is_usable):
        violated(
            "close closes what was lent",
            demanded="that it still works",
            answered="is_usable() answered False",
        )
    if lent.is_pending is not None and not await _answered(lent.is_pending):
        violated(
            "close commits or rolls back work that the caller has open",
            demanded="that it is still open",
            answered="is_pending() answered False",
        )


async def _answered(look: Callable[[], Any]) -> Any:
    """Call what the backend lends, a function or a coroutine function."""
    found = look()
    return await found if inspect.isawaitable(found) else found
