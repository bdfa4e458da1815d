"""Turns at the same time are all counted, and none waits for the store of another session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..expect import expect_all_answered, violated
from ..subject import at_once
from .answers import COMPLETE
from .clauses import must, should
from .script import Usage
from .service import MODEL
from .stores import KitStore, hanging, overtaking
from .sums import FIRST, SECOND, expect_complete, expect_totals, judge_complete, total
from .system import Ability
from .workshop import Workshop, open_on, ways

if TYPE_CHECKING:
    from ..history import Call
    from ..interface import Json
    from ..subject import Subject
    from .service import Service

SESSION = "chat"
TURNS = 10
SERVERS = 3


def _turns(service: Service, sessions: list[str]) -> list[Call[str]]:
    """Prepare a turn on each session; of a chat server every other one is streamed."""
    streams = Ability.CHAT in service.workshop.system.abilities
    return [
        service.turn(session, FIRST, stream=streams and number % 2 == 1)
        for number, session in enumerate(sessions)
    ]


async def _take_at_once(turns: list[Call[str]], what: str) -> None:
    steps = await at_once(*turns)
    expect_all_answered(steps, what)
    for step in steps:
        if step.answer != COMPLETE:
            violated(f"{what}: an answer is broken", demanded=COMPLETE, answered=str(step.answer))


@must(
    "turn.slow-store-holds-up-only-its-session",
    "While the store does not answer for one session, chats of other sessions go on.",
    because="One row that is locked, one shard that is away, and nobody gets an answer.",
    remedy="A lock, a queue and a task for each session; none around the store as a whole.",
    evidence=["origin"],
)
async def slow_store_holds_up_only_its_session(subject: Subject) -> None:
    for is_streamed in ways(subject):
        waiting = [f"quick-{number}" for number in range(OTHERS)]
        held_up = 0
        # Of a server that waits for a while, another chat must not wait as long. In one of several
        # rounds is enough: a machine may be slow, a lock holds the chat up in each.
        while waiting and held_up < ROUNDS:
            served = await _served_meanwhile(subject, waiting, is_streamed=is_streamed)
            held_up = 0 if served else held_up + 1
            waiting = waiting[served:]
        if waiting:
            violated(
                "chats of other sessions wait for the store of one",
                demanded="the other session's turn is over while those of the first one wait",
                answered=f"it was over after one of them, {ROUNDS} times",
            )


ROUNDS = 3
STUCK = 24
"""Turns of the slow session: more than a pool of a server's own has places, and no great load."""
OTHERS = 64
"""Of so many sessions one shares a lock with the slow one, where there are up to 16 locks."""


async def _served_meanwhile(subject: Subject, sessions: list[str], *, is_streamed: bool) -> int:
    """Take turns of other sessions, one after the other, while the store does not answer for one.

    Answers how many were over before one of that session was.
    """
    store = KitStore()
    for session in ("slow", *sessions):
        store.put(session)
    service = await open_on(subject, store)
    arrived, release = asyncio.Event(), service.workshop.until()
    store.of_session["slow"] = hanging(release, arrived)
    held = [
        asyncio.ensure_future(
            service.turn("slow", FIRST, stream=is_streamed).perform(is_expected=False)
        )
        for _ in range(STUCK)
    ]
    arriving = asyncio.ensure_future(arrived.wait())
    await asyncio.wait({*held, arriving}, return_when="FIRST_COMPLETED")
    arriving.cancel()
    await store.quiet()
    # Whoever does not wait for the store holds up nobody.
    waits = not any(one.done() for one in held)
    waiting_for = set(held) if waits else set()
    served = 0
    for session in sessions:
        turn = service.turn(session, SECOND, stream=is_streamed)
        other = asyncio.ensure_future(turn.perform(is_expected=True))
        await asyncio.wait({other, *waiting_for}, return_when="FIRST_COMPLETED")
        if any(one.done() for one in waiting_for):
            break
        judge_complete(other.result(), "while the store is slow for another")
        served += 1
    release.set()
    await asyncio.wait({*held, other})
    await service.shut_down()
    return served


@must(
    "turn.concurrent-turns-all-count",
    "Turns of one session at once are all counted, in one process.",
    because="Tools, tabs and agents ask at the same time; of turns that read the same totals, all "
    "but the last one to write are lost. On a pool of connections the write that was begun first "
    "may be the last one to be made.",
    remedy="Read, add and write under a lock of the session, or hand turns to one task for it. "
    "Totals in memory are no lock: no write is begun before the one before it has come back.",
    evidence=["origin"],
)
async def concurrent_turns_all_count(subject: Subject) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await expect_complete(service.turn(SESSION, FIRST), "with a store that works")
    await _take_at_once(_turns(service, [SESSION] * TURNS), "turns at once")
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(*[FIRST] * (TURNS + 1)),
        rather_than={
            f"of {TURNS} turns at once {count} are counted": total(*[FIRST] * (count + 1))
            for count in range(TURNS)
        },
    )
    await _count_while_calls_overtake(subject, "update")
    await _count_while_calls_overtake(subject, "get_cost_data")


async def _count_while_calls_overtake(subject: Subject, operation: str) -> None:
    """Take turns at once on a store where calls that are under way at once end in any order."""
    is_read = operation == "get_cost_data"
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await expect_complete(service.turn(SESSION, FIRST), "with a store that works")
    if is_read:
        # One that has read the totals before need not read them again; one that has served nobody
        # is a matter of its own.
        await service.shut_down()
        service = await open_on(subject, store)
        store.put("another")
        await expect_complete(service.turn("another", FIRST), "with a store that works")
    does = f"of calls at once {'answers' if is_read else 'makes'} the last one first"
    await service.trouble(does, overtaking(is_answered_late=is_read), [operation])
    await _take_at_once(_turns(service, [SESSION] * TURNS), "turns at once")
    await service.shut_down()
    calls = "reads" if is_read else "updates"
    await expect_totals(
        service,
        SESSION,
        total(*[FIRST] * (TURNS + 1)),
        rather_than={
            f"of {TURNS} turns at once, whose {calls} overtake each other, {count} are counted": (
                total(*[FIRST] * (count + 1))
            )
            for count in range(TURNS)
        },
    )


@should(
    "turn.concurrent-servers-all-count",
    "Turns of one session at once on several servers are all counted.",
    because="A lock holds in one process; behind a load balancer there are several.",
    remedy="A top-level key for each server, summed on reading: then no update overwrites what "
    "another server wrote. Or let the database add.",
    asks={Ability.SEVERAL},
    evidence=["litellm#34887"],
)
async def concurrent_servers_all_count(subject: Subject) -> None:
    store = KitStore()
    store.put(SESSION)
    services = [await open_on(subject, store, name=f"server-{number}") for number in range(SERVERS)]
    for _ in range(2):
        turns = [one for service in services for one in _turns(service, [SESSION] * 2)]
        await _take_at_once(turns, "turns at once on several servers")
    for service in services:
        await service.shut_down()
    taken = SERVERS * 2 * 2
    await expect_totals(
        services[0],
        SESSION,
        total(*[FIRST] * taken),
        rather_than={
            f"of {taken} turns on {SERVERS} servers {count} are counted": total(*[FIRST] * count)
            for count in range(1, taken)
        },
    )


@must(
    "turn.first-turns-at-once",
    "Many first requests at once to a fresh server are all answered and counted, each with its own "
    "figures, also several in one session that is new.",
    because="A server is started when there is load, and everything that is made on first use is "
    "made by the first dozen requests together. What of a request is kept on the server, and not "
    "with the request, is the next one's when it is read.",
    remedy="Make what all requests share before the first one, or under a lock, once. Where a "
    "session is made by `create`, another request may have made it: that is no failure.",
    evidence=["origin"],
)
async def first_turns_at_once(subject: Subject) -> None:
    store = KitStore()
    workshop: Workshop = subject.store
    is_chat = Ability.CHAT in workshop.system.abilities
    if not is_chat:
        # A server makes the session by saving its history; an accumulator is given one.
        for session in (*OWN, SESSION):
            store.put(session)
    service = await open_on(subject, store)
    turns = [
        service.turn(session, usage, model=model, stream=is_chat and number % 2 == 1)
        for number, (session, (usage, model)) in enumerate(OWN.items())
    ]
    turns += _turns(service, [SESSION] * FIRST_TURNS)
    await _take_at_once(turns, "first turns at once")
    await asyncio.sleep(0)
    await service.shut_down()
    await _expect_their_own(service)
    await expect_totals(
        service,
        SESSION,
        total(*[FIRST] * FIRST_TURNS),
        rather_than={
            f"of {FIRST_TURNS} first turns of one session {count} are counted": total(
                *[FIRST] * count
            )
            for count in range(FIRST_TURNS)
        },
    )


FIRST_TURNS = 4
"""In one session that is new."""

OWN = {f"chat-{one}": (Usage(100 + one, 20 + one, 30), f"model-{one}") for one in range(12)}
"""The sessions that have one first turn each, and the usage and the model of that."""


async def _expect_their_own(service: Service) -> None:
    for session, (usage, model) in OWN.items():
        rivals: dict[str, dict[str, Json]] = {}
        for other, (used, by) in {**OWN, SESSION: (FIRST, MODEL)}.items():
            if other != session:
                rivals[f"a turn has the figures of one of {other}"] = total(used, model=model)
                rivals[f"a turn has the model of one of {other}"] = total(usage, model=by)
        await expect_totals(
            service,
            session,
            total(usage, model=model),
            rather_than={"a first turn is not counted": {}, **rivals},
        )
