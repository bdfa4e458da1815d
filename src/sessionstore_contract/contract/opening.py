"""A store works from its first use on, whatever that is, and however many come at once."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import Scope, must, should
from ..expect import NothingFound, expect, violated
from ..history import word_error
from ..second_loop import in_second_loop
from ..subject import at_once
from .procedures import leaks, obstacles
from .procedures.beginning import make_sure
from .procedures.first_use import (
    expect_first_use_works,
    expect_worked,
    mixed_calls,
    operations,
    rounds,
)
from .procedures.network import bound_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ..faults import Proxy
    from ..history import Call, Step
    from ..subject import Subject

DIARY = b"This is a diary, and no store of sessions.\n" * 100
"""A file of somebody else's: whole lines, so that no journal takes it for one that was cut off."""
MISSING = "where its folder is missing"
TAKEN = "where another file is"
OPERATIONS = 8
"""Those of the interface but `close`, which `closing.is-idempotent` tries as the first."""


@must(
    "opening.first-use-may-be-concurrent",
    "Many first operations at once on one fresh store all work.",
    because="A server that has started is asked at once by all who waited for it: without this "
    "some of the first requests fail, on every start.",
    remedy="Open once, and let all who come meanwhile wait for that: keep the task or future of "
    "the opening, or hold an asyncio.Lock and look again inside it. SQLite: make the tables in one "
    "transaction that begins with BEGIN IMMEDIATE. PostgreSQL: under an advisory lock. HTTP: make "
    "the client without an await between asking whether there is one and keeping it.",
    scope=Scope.ANY,
    evidence=["origin", "openai-agents-python#2725"],
    places=rounds,
)
async def first_use_may_be_concurrent(store: Subject) -> None:
    for number in range(rounds(store.stand.effort)):
        store.stand.history.restart()
        fresh = store if number == 0 else await store.on_fresh_place()
        await expect_first_use_works("first operations at once", fresh)
        await fresh.close()


@must(
    "opening.first-use-opens-once",
    "Many first operations at once leave no thread, process, file or server connection "
    "behind after `close`.",
    because="Who opens twice closes once: what was opened besides stays until the process ends, "
    "holds a connection of the server's few, and keeps a file or a process from going away.",
    remedy="One opening for all who come first, kept where close finds it, from before its first "
    "await on. Where two were made all the same, close the one that is not kept.",
    needs={Capability.CENSUS},
    scope=Scope.ANY,
    evidence=["hushh-research#1647", "mempalace#1774"],
)
async def first_use_opens_once(store: Subject) -> None:
    await store.close()

    async def at_first() -> None:
        fresh = await store.another()
        await at_once(*mixed_calls(fresh))
        await fresh.close()

    async def in_use() -> None:
        used = await store.another()
        await used.exists(used.unused_id())
        await at_once(*mixed_calls(used))
        await used.close()

    grown = await leaks.left_behind(store, at_first)
    if not grown:
        await in_use()  # What has never opened has nothing to leave behind.
        return
    if await leaks.left_behind(store, in_use):
        raise NothingFound(
            f"{leaks.worded(grown)} is left behind when the first operation is alone, too: see "
            "closing.leaves-nothing-behind"
        )
    violated(
        f"first operations at once leave {leaks.worded(grown)} behind",
        demanded="what was opened is closed",
        answered=f"after {leaks.CYCLES} stores, opened by {len(mixed_calls(store))} callers each "
        f"and closed, {leaks.counted(grown)}",
    )


@must(
    "opening.any-operation-may-be-first",
    "Every operation works as the first one on a fresh place.",
    because="What a server does first depends on who asks first: a look-up, a save, the nightly "
    "housekeeping.",
    remedy="Open, and make what is missing, in the one function through which every operation "
    "gets its connection; not in create alone.",
    scope=Scope.ANY,
    places=OPERATIONS,
)
async def any_operation_may_be_first(store: Subject) -> None:
    for number, operation in enumerate(operations(store)):
        store.stand.history.restart()
        fresh = store if number == 0 else await store.on_fresh_place()
        call = operations(fresh)[operation](fresh.unused_id(operation))
        step = await call.perform(is_expected=True)
        await expect_worked(step, "as the first operation", (fresh,))
        await fresh.close()


@must(
    "opening.needs-no-loop",
    "A store can be made where no event loop runs, and works in the loop that it is used in.",
    because="Stores are made when a module is imported, or before `asyncio.run`; what is bound to "
    "a loop there is bound to none, or to the wrong one.",
    remedy="Make locks, tasks, clients and pools at first use, in a coroutine; no "
    "get_running_loop, get_event_loop or create_task in the constructor.",
    scope=Scope.ANY,
    evidence=["Modmail#3167"],
)
async def needs_no_loop(store: Subject) -> None:
    session = await store.create()
    does_exist = await store.exists(session)
    # Some let nobody else in while they are open.
    await store.close()
    opened = await store.without_loop()
    if isinstance(opened, Exception):
        violated(
            f"opening where no event loop runs raised {word_error(opened)}",
            demanded="a store",
            answered=word_error(opened),
        )
    session = await expect(opened.create()).to_succeed()
    await expect(opened.exists(session)).to_be(does_exist)


@should(
    "opening.second-loop",
    "In a second event loop a store works or raises; it never hangs, and the first loop goes on "
    "being served.",
    because="Test runners, notebooks and threads with `asyncio.run` bring second loops. A hang "
    "there has no message and no end.",
    remedy="Remember the loop of the first use, and raise in another one; or keep a connection for "
    "each loop. A driver's connection, an asyncio.Lock or a future of another loop can't be "
    "awaited.",
    scope=Scope.ANY,
    evidence=["psycopg#737"],
)
async def second_loop(store: Subject) -> None:
    session = await store.create()
    await store.exists(session)
    steps = await in_second_loop(
        store.exists(session), store.create(), store.load(session), store.exists(session)
    )
    for step in steps:
        if step.outcome == "hung":
            violated(
                f"in a second event loop {step.operation} does not answer in time",
                demanded="an answer or an exception",
                answered=step.answered(),
            )
    if not steps:
        raise NothingFound("the second event loop did not come to its end")
    # The second time: a connection that the other loop has spoilt may be found out by the first.
    found = [await store.exists(session).perform(is_expected=True) for _ in range(2)]
    if found[-1].outcome != "answered":
        violated(
            f"after use in a second event loop {found[-1].operation} "
            + ("hangs" if found[-1].outcome == "hung" else found[-1].answered())
            + " in the first",
            demanded="an answer",
            answered=found[-1].answered(),
        )


@must(
    "opening.failed-first-use-can-be-retried",
    "When the place was not reachable at first, the first operation raises, and the same object "
    "works once the place is there.",
    because="Servers start in any order. A store that remembers its first failure has to be thrown "
    "away with the process; one that answers as if nothing were stored has the chat begin anew.",
    remedy="Keep no connection, pool or task that failed: make it again at the next operation. "
    "Don't set the flag that says opened before it is. Don't catch the driver's error in a read.",
    needs={Capability.FAULTS},
)
async def failed_first_use_can_be_retried(store: Subject) -> None:
    seconds = await bound_for(store)
    # One after the other: a store that is not shared may let nobody else in while it is open.
    await store.close()
    proxy = await store.stand.stand_between()
    proxy.forward()
    opening = partial(_opened, store, proxy, seconds)
    control = await opening()
    await make_sure(control.exists(control.unused_id()), False)
    await control.close()
    if not proxy.passed:
        raise NothingFound(
            "the store works, and nothing of it came by the address that it was opened at"
        )
    operations = _first_operations(store)
    # Each may take the whole of the store's own time-out.
    together = len(operations) if store.can(Capability.SHARED) else 1
    for start in range(0, len(operations), together):
        await _fail_and_retry(store, proxy, opening, operations[start : start + together])


async def _opened(store: Subject, proxy: Proxy, seconds: float) -> Subject:
    """Open a store there that soon gives up, where the backend says how."""
    bounded: Subject | None = await store.stand.open_bounded(proxy.place, seconds)
    return bounded or await store.stand.open_at(proxy.place)


def _first_operations(store: Subject) -> list[Callable[[Subject], Call[Any]]]:
    session = store.unused_id("away")
    chosen: list[Callable[[Subject], Call[Any]]] = [
        lambda one: one.exists(session),
        lambda one: one.load(session),
        lambda one: one.update(session, cost_data={"turns": 1}),
        lambda one: one.save(session, []),
    ]
    if store.can(Capability.COST_READ):
        chosen.append(lambda one: one.get_cost_data(session))
    return chosen


async def _fail_and_retry(
    store: Subject,
    proxy: Proxy,
    opening: Callable[[], Awaitable[Subject]],
    operations: list[Callable[[Subject], Call[Any]]],
) -> None:
    proxy.refuse()
    failed = await asyncio.gather(*(_fail(opening, first) for first in operations))
    steps = [step for _, step in failed if step is not None]
    if any(step.outcome == "hung" for step in steps):
        # It hung for want of a server, which says nothing of the clauses that have one.
        store.stand.history.restart()
    for step in steps:
        _expect_failed(step)
    proxy.forward()
    for opened, tried in failed:
        subject = opened or await opening()
        await _expect_works(subject, what="opening" if tried is None else tried.operation)
        await subject.close()


async def _fail(
    opening: Callable[[], Awaitable[Subject]], first: Callable[[Subject], Call[Any]]
) -> tuple[Subject | None, Step | None]:
    try:
        subject = await opening()
    except Exception:  # noqa: BLE001 - opening that fails is a failed first use too
        return None, None
    return subject, await first(subject).perform(is_expected=True)


def _expect_failed(step: Step) -> None:
    if step.outcome == "hung":
        raise NothingFound(
            f"{step.operation} neither answered nor raised while connections were refused: see "
            "faults.operations-are-bounded; by Backend(open_bounded=...) it gives up sooner"
        )
    if step.outcome == "answered":
        violated(
            f"{step.operation} answers {step.answered()} although the place can't be reached",
            demanded="an exception",
            answered=step.answered(),
        )


async def _expect_works(subject: Subject, *, what: str) -> None:
    """Demand that a write and a read work; a driver may wait a while before it tries again."""
    deadline = time.monotonic() + subject.stand.history.timeout
    session, pause = subject.unused_id("back"), 0.02
    while True:
        step = await subject.save(session, [{"role": "user", "content": "hi"}]).perform(
            is_expected=True
        )
        if step.outcome == "answered":
            break
        if step.outcome == "hung" or time.monotonic() > deadline:
            violated(
                f"after a failed first {what} the store stays broken: {step.operation} "
                f"{step.answered()}",
                demanded="an answer, once the place is there",
                answered=step.answered(),
            )
        await asyncio.sleep(pause)
        pause *= 2
    await make_sure(subject.load(session), [{"role": "user", "content": "hi"}])


@must(
    "opening.missing-folder-is-made-or-told",
    "Where the folder of its place is missing a store makes it, or raises; what it acknowledges is "
    "there for a new instance, and the place works once the folder is there, for the store that "
    "raised as well.",
    because="A volume that is not mounted, a path with a slip: a store that keeps in memory what "
    "it can't write serves for days, and is empty after the first restart.",
    remedy="`path.parent.mkdir(parents=True, exist_ok=True)`, or let the error out, and open anew "
    "at the next operation. SQLite: no `except OperationalError: connect(':memory:')`.",
    needs={Capability.DURABLE, Capability.FILES},
    follows=["durability.reopening-finds-everything"],
)
async def missing_folder_is_made_or_told(store: Subject) -> None:
    await obstacles.make_sure_it_keeps(store)
    async with obstacles.aside(store) as folder:
        place = folder / "missing" / obstacles.FILE
        deeds = await obstacles.use_where(store, place, MISSING)
        failed = await _failed_first(store, place)
        place.parent.mkdir(exist_ok=True)
        if failed is not None:
            await _expect_works(failed, what="save")
            await failed.close()
        await obstacles.expect_all_there(store, place, MISSING, deeds)


async def _failed_first(store: Subject, place: Path) -> Subject | None:
    """Answer a store whose first operation raised; None where none does, or none can be opened."""
    opened = await store.stand.open_or_hear_why(str(place))
    if isinstance(opened, Exception):
        return None
    subject: Subject = opened
    step = await subject.save(subject.unused_id("away"), []).perform(is_expected=True)
    if step.outcome == "raised":
        return subject
    await subject.close().perform(is_expected=False)
    return None


@should(
    "opening.foreign-file-is-kept",
    "Where a file is that is none of its own, a store raises, or works beside it: the file keeps "
    "its content, and what is acknowledged is there for a new instance.",
    because="A path with a slip names somebody's notes; a database that was cut off begins like "
    "none. A store that begins anew in its place has destroyed what could have been rescued.",
    remedy="Raise when the file is not understood. Who wants to begin anew moves the old file "
    "aside. A journal: cut off a last line that is not whole, and nothing else. SQLite: let `file "
    "is not a database` out.",
    needs={Capability.DURABLE, Capability.FILES},
    follows=["durability.reopening-finds-everything"],
)
async def foreign_file_is_kept(store: Subject) -> None:
    await obstacles.make_sure_it_keeps(store)
    async with obstacles.aside(store) as folder:
        place = folder / "taken" / obstacles.FILE
        place.parent.mkdir()
        place.write_bytes(DIARY)
        deeds = await obstacles.use_where(store, place, TAKEN)
        left = obstacles.contents(place.parent)
        if not any(DIARY in content for content in left.values()):
            violated(
                "a file that is none of the store's is overwritten",
                demanded="its content, there or under another name",
                answered=f"there are {', '.join(left) or 'no files'}, and it is in none of them",
            )
        if left.get(place.name) == DIARY:
            place.unlink()
        await obstacles.expect_all_there(store, place, TAKEN, deeds)
