"""What an operation costs when much is stored that it is not about."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import should
from ..expect import violated
from ..subject import at_once
from .procedures.beginning import make_sure
from .procedures.letting_go import asked_for, expect_no_traces, used_and_deleted
from .procedures.sizes import is_kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..history import Call
    from ..interface import Json
    from ..subject import Subject

REMARKABLE = 10
"""How many times as long an operation takes before a remark is made of it."""

SCANNING = 25
"""How many times as long an operation takes before it counts as looking at every session."""

TIMES = 15
"""Measurements of which the shortest counts."""

ALTOGETHER = 800_000
"""Characters on a place with many sessions, at every effort."""

AT_ONCE = 20
"""Sessions that are made at once."""

MESSAGES = 20
"""Messages in a long history."""

LONG_ENOUGH = 180_000
"""Characters in each of them, at most: more show nothing more, and may be refused."""

LEAST = 18_000
"""Characters in each of them that are refused by nobody."""


@should(
    "growth.update-does-not-pay-for-messages",
    "`update` and `get_cost_data` carry no message history between the store and its server.",
    because="The bill is written after every turn. A store that fetches the session for it makes "
    "each turn slower than the one before.",
    remedy="Keep cost data apart from messages, and name the columns: no `SELECT *`, no "
    "`RETURNING *`, no read of the whole document. HTTP: a PATCH is answered without messages, and "
    "cost data has a route of its own. MongoDB: a projection, and `$set` of one field. Redis: a "
    "key or hash field of its own.",
    evidence=["origin"],
)
async def update_does_not_pay_for_messages(store: Subject) -> None:
    if not store.can(Capability.FAULTS):
        # A store without a server may keep a session in one file: then both are one.
        await _compare_times(store)
        return
    # A store that is not shared may let nobody else in while it is open.
    await store.close()
    proxy = await store.stand.stand_between()
    proxy.forward()
    through = await store.stand.open_at(proxy.place)
    size, short, long = await _short_and_long(through)
    for make_call in _operations(through):
        # Once for what is only done the first time.
        await make_call(short)
        await make_call(long)
        passed = {short: 0, long: 0}
        for session in (short, long):
            before = proxy.passed
            await make_call(session)
            passed[session] = proxy.passed - before
        if passed[long] - passed[short] > size / 4:
            operation = through.stand.history.steps[-1].operation
            violated(
                f"{operation} carries the history: {passed[long]:,} bytes pass, not "
                f"{passed[short]:,}",
                demanded=f"about {passed[short]:,} bytes, as beside an empty history",
                answered=f"{passed[long]:,} bytes beside a history of {size:,}",
            )


async def _compare_times(store: Subject) -> None:
    _, short, long = await _short_and_long(store)
    for make_call in _operations(store):
        times: dict[str, list[float]] = {short: [], long: []}
        for _ in range(5):
            for session in (short, long):
                times[session].append(await _timed(make_call(session)))
        factor = min(times[long]) / min(times[short])
        if factor > REMARKABLE:
            operation = store.stand.history.steps[-1].operation
            store.stand.note(f"beside a long history {operation} takes {factor:.0f} times as long")


def _operations(store: Subject) -> list[Callable[[str], Call[Any]]]:
    made: list[Callable[[str], Call[Any]]] = [
        lambda session: store.update(session, cost_data={"turns": 1})
    ]
    return [*made, store.get_cost_data] if store.can(Capability.COST_READ) else made


async def _short_and_long(store: Subject) -> tuple[int, str, str]:
    """Make a session without and one with a long history; answer the size of that, and both."""
    short, long = await store.create(), await store.create()
    each = min(store.stand.effort.size // 5 * 3, LONG_ENOUGH)
    history = _history(store, each)
    # Some have a limit for a history, and a tenth of the longest says as much.
    while not await is_kept(store.save(long, history)) and each > LEAST:
        each //= 10
        history = _history(store, each)
    await store.save(long, history)
    await make_sure(store.load(long), history)
    return sum(len(message["content"]) for message in history), short, long


def _history(store: Subject, each: int) -> list[Json]:
    # Random, so that compressing it helps nobody.
    draw = store.stand.random.randbytes
    return [
        {"role": "user", "content": b64encode(draw(each * 3 // 4)).decode()}
        for _ in range(MESSAGES)
    ]


@should(
    "growth.point-operations-do-not-scan",
    "With 100 times the sessions, an operation on one of them costs about the same.",
    because="Sessions pile up. What reads all of them for one is fast in tests, and in the second "
    "month it is not.",
    remedy="SQL: the id is the primary key, and no expression around it (`lower(id) = ?` uses no "
    "index). Files: one for each session, named by the id. MongoDB: the id is `_id`, or has an "
    "index. Redis: a key for each session, no `KEYS` or `SCAN`.",
)
async def point_operations_do_not_scan(store: Subject) -> None:
    few = store.stand.effort.few_sessions
    sessions = [store.unused_id("many") for _ in range(100 * few)]
    # The first use is another clause's.
    await store.exists(store.unused_id())
    await _fill(store, sessions[:few])
    before = await _times(store, sessions[0])
    await _fill(store, sessions[few:])
    suspects = _factors(await _times(store, sessions[0]), before)
    if not suspects:
        return
    # Measured again: something else may have kept the machine busy.
    again = await _times(store, sessions[0])
    for name, factor in _factors(again, before).items():
        if name in suspects:
            violated(
                f"{name} takes {min(factor, suspects[name]):.0f} times as long with 100 times the "
                "sessions",
                demanded=f"about {before[name] * 1000:.2f} ms, as among {few} sessions",
                answered=f"{again[name] * 1000:.2f} ms among {100 * few}",
            )


def _factors(slow: dict[str, float], fast: dict[str, float]) -> dict[str, float]:
    """Answer the operations that take so much longer that they must look at every session."""
    factors = {name: slow[name] / fast[name] for name in slow}
    return {name: factor for name, factor in factors.items() if factor >= SCANNING}


async def _fill(store: Subject, sessions: list[str]) -> None:
    # Little to copy, and slow to decode for who decodes all of them.
    content = '"\n' * (ALTOGETHER // (200 * store.stand.effort.few_sessions))
    messages: list[Json] = [{"role": "user", "content": content}]
    for start in range(0, len(sessions), AT_ONCE):
        # The way here is long, and says nothing.
        store.stand.history.restart()
        some = sessions[start : start + AT_ONCE]
        for step in await at_once(*(store.save(session, messages) for session in some)):
            step.require_answer()


async def _times(store: Subject, session: str) -> dict[str, float]:
    """Measure each operation on one session, many times, and answer the shortest of each."""
    shortest: dict[str, float] = {}
    for turn in range(TIMES):
        store.stand.history.restart()
        calls: dict[str, Call[Any]] = {
            "exists": store.exists(session),
            "load": store.load(session),
            "update": store.update(session, cost_data={"turns": turn}),
        }
        for name, call in calls.items():
            seconds = await _timed(call)
            shortest[name] = min(seconds, shortest.get(name, seconds))
    return shortest


async def _timed(call: Call[Any]) -> float:
    began = time.perf_counter()
    await call
    return time.perf_counter() - began


@should(
    "growth.gone-sessions-take-no-memory",
    "Not each session that was deleted, and not each id that nobody has, leaves something in the "
    "memory of the process; a cache has a bound, of fewer than 2,500.",
    because="A chat server runs for months. A lock, a task or a history that stays behind for each "
    "chat ends it some night, and whoever asks for ids at random brings that night nearer.",
    remedy="Take the id out of every dict, cache and table of locks in `delete` and in "
    "`delete_before`, and put none in for a session that was not found. Locks: a "
    "WeakValueDictionary, or a fixed number of them, chosen by a hash of the id. Caches: an "
    "`lru_cache` with a `maxsize`, a dict that drops its oldest. Tasks: a set that they take "
    "themselves out of (`add_done_callback(tasks.discard)`).",
    # Thousands of sessions, to tell what has a bound from what has none.
    is_thorough=True,
)
async def gone_sessions_take_no_memory(store: Subject) -> None:
    await expect_no_traces(store, used_and_deleted, "deleted session")
    await expect_no_traces(store, asked_for, "id that nobody has")
