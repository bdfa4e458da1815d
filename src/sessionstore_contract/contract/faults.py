"""The network fails, the server goes away, hangs and comes back: a store says so, and goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must, should
from ..expect import NothingFound
from ..fault import Deed, Fault
from ..subject import at_once
from .procedures.checking import expect_bytes_checked, expect_http_checked
from .procedures.cuts import cuts, losses, worded
from .procedures.effects import (
    expect_not_made_again,
    expect_not_made_later,
    expect_raised_or_made,
    expect_the_same,
    expect_writes_raise_while_away,
    is_made_for_the_witness,
)
from .procedures.neighbours import expect_each_its_own, expect_their_own, late_answer, make_others
from .procedures.network import MESSAGES, behind_proxy, is_http, overheard, written_by_another
from .procedures.outages import (
    AWAY,
    POOL,
    crowded,
    drop,
    expect_all_bounded,
    expect_bounded,
    expect_recovered,
    expect_survived,
    longest_silence,
    one_of_each,
    one_on_each,
)
from .procedures.outcomes import (
    expect_came_back,
    expect_raised_or_right,
    works_again,
    works_in_time,
)
from .procedures.stuck import expect_others_are_served

if TYPE_CHECKING:
    from ..subject import Subject


@must(
    "faults.dropped-connections-recover",
    "After the server has dropped connections that were idle, an operation works, at the latest at "
    "the second try.",
    because="Servers, proxies and load balancers end what was idle for some minutes, and all of it "
    "at every failover. A pool that hands out one dead connection after the other fails a request "
    "for each of them.",
    remedy="Where one connection was found dead, try the others out, or open them anew, before "
    "they are used. SQLAlchemy: `pool_pre_ping=True`. psycopg_pool: `check=ConnectionPool."
    "check_connection`. asyncpg: a pool does it. HTTP: keep idle connections for a shorter time "
    "than the server does.",
    needs={Capability.FAULTS},
    evidence=["langgraph#5675"],
)
async def dropped_connections_recover(store: Subject) -> None:
    network = await behind_proxy(store)
    session = await network.session()
    ended = 0
    for way in ("ended", "reset", "terminated by the server"):
        for operation in one_of_each(network, session):
            store.stand.history.restart()
            await at_once(*(network.subject.load(session) for _ in range(POOL)))
            dropped = await drop(network, way)
            ended += dropped
            if not dropped:
                break
            step = await works_again(operation)
            expect_recovered(step, way)
    if ended:
        store.stand.note(f"what the kit did: {ended} idle connections ended")
    else:
        store.stand.note("the store keeps no connection while it is idle: there was none to drop")


@must(
    "faults.restart-is-survived",
    "After the server was away and is back, the same object works, and everything is there.",
    because="Servers are restarted for every update. A store that has to be made anew then takes "
    "the process with it, and each chat in it.",
    remedy="Keep no connection, pool or task that has failed: make it again at the next operation. "
    "A circuit breaker closes again by itself, in seconds.",
    needs={Capability.FAULTS},
)
async def restart_is_survived(store: Subject) -> None:
    network = await behind_proxy(store, is_bounded=True)
    subject, timeout = network.subject, store.stand.history.timeout
    session = await network.session()
    for is_used_meanwhile in (True, False):
        network.proxy.refuse()
        if is_used_meanwhile:
            # What one of them has failed over need not be what the other one goes by.
            for call in (subject.load(session), subject.save(session, MESSAGES)):
                step = await call.perform(is_expected=False)
                step.beside = "the server is away"
                expect_came_back(step, "while the server was away")
        network.proxy.forward()
        for read in network.reads():
            step = await works_in_time(partial(read.call, subject, session), timeout)
            expect_survived(step, read.right, AWAY)
        step = await works_in_time(lambda: subject.save(session, MESSAGES), timeout)
        expect_survived(step, None, AWAY)
    store.stand.note("what the kit did: it was away twice as the server")


@must(
    "faults.a-failed-read-raises",
    "With the server away, or its answer cut off or turned into rubbish, a read raises, or answers "
    "what is stored; nothing is reported as missing or empty.",
    because="Who is told that a session is missing or empty begins anew, and the next save makes "
    "it true.",
    remedy="No `except Exception: return None` around a read. Check that an answer is whole before "
    "it is used: its length, its JSON, its last line. Another may have written since you read: no "
    "answer from memory where one fails.",
    needs={Capability.FAULTS},
    evidence=["local-operator#1170", "astrid#257"],
)
async def a_failed_read_raises(store: Subject) -> None:
    network = await behind_proxy(store, is_bounded=True)
    session = await network.session()
    for read in network.reads():
        store.stand.history.restart()
        about, lengths = await overheard(network, read.call(network.subject, session), session)
        if not lengths:
            store.stand.note(f"{read.operation} asked the server nothing")
        for fault in cuts(about, lengths, store.stand.effort):
            step, _ = await network.under(fault, read.call(network.subject, session))
            expect_raised_or_right(step, read.right, worded(fault))
            await network.recover(session)
    stored = await written_by_another(network, session)
    network.proxy.refuse()
    for read in network.reads():
        store.stand.history.restart()
        step = await read.call(network.subject, session).perform(is_expected=True)
        step.beside = "the server is away"
        expect_raised_or_right(step, stored[read.operation], "while the server is away")
    network.tell()


@must(
    "faults.a-failed-write-raises",
    "With the server away, or the request or its answer lost, a write raises, or was made; "
    "`update` does not answer False.",
    because="What was acknowledged and not written is lost without a trace. False says that the "
    "session is gone, and its owner may throw the rest away.",
    remedy="No `except Exception` that answers around a write. Acknowledge when the server has: "
    "no queue in memory.",
    needs={Capability.FAULTS},
)
async def a_failed_write_raises(store: Subject) -> None:
    network = await behind_proxy(store, is_bounded=True)
    subject = network.subject
    session = await network.session()
    for write in network.writes():
        store.stand.history.restart()
        control = await network.session("control")
        about, lengths = await overheard(network, write.call(subject, control), control)
        for fault in losses(about, lengths):
            session = await network.session()
            meant = replace(fault, about=about and session.encode())
            step, _ = await network.under(meant, write.call(subject, session))
            await network.recover(control)
            await expect_raised_or_made(network, session, step, fault)
    await expect_writes_raise_while_away(network, await network.session())
    network.tell()


@must(
    "faults.operations-are-bounded",
    "When the server takes connections and says nothing, an operation raises within the store's "
    "own time-out, and the store works again once it speaks.",
    because="A server that hangs, or a firewall that drops packets, sends no error. Requests that "
    "wait for ever pile up until the process is out of connections, memory or patience.",
    remedy="A time-out around each operation as a whole, the wait for a connection included, also "
    "for opening and for tidying up. asyncpg: `timeout=` and `command_timeout=` of the pool, "
    "`acquire(timeout=)`, and a time-out for `release`, which waits for the server too. psycopg: "
    "`connect_timeout`, TCP keepalives and `asyncio.timeout`. httpx: `timeout=` is for each step; "
    "`asyncio.timeout` is for the whole. Redis: `socket_timeout`. "
    "`Backend(open_bounded=...)` tells the kit how to make it short.",
    needs={Capability.FAULTS},
    evidence=["origin"],
    waits=True,
)
async def operations_are_bounded(store: Subject) -> None:
    network = await behind_proxy(store, is_bounded=True)
    session, kept = await network.session(), await network.session("kept")
    limit = longest_silence(network)
    calls = await one_on_each(network, session)
    network.proxy.silence()
    cold = await network.opened()
    if cold is not None:
        calls.append((cold.exists(session), True))
    store.stand.history.restart()
    asked = [call for call, _ in calls] + crowded(network, session)
    steps = await asyncio.gather(*(call.perform(is_expected=True, timeout=limit) for call in asked))
    for step in steps:
        step.beside = "the server says nothing"
    for step, (_, right) in zip(steps[: len(calls)], calls, strict=True):
        expect_bounded(step, right, limit, is_known=network.bound is not None)
    expect_all_bounded(steps[len(calls) :], limit)
    network.proxy.forward()
    step = await works_in_time(partial(network.subject.load, kept), store.stand.history.timeout)
    expect_survived(step, MESSAGES, "the server said nothing and speaks again")
    if not network.proxy.withheld and not cold:
        raise NothingFound("no operation said anything to the server that it could have answered")
    store.stand.note(f"what the kit did: {len(steps)} operations met with silence")


@must(
    "faults.lost-answer-is-not-applied-twice",
    "When the answer is lost after a write was made, trying again gives the same result, and what "
    "was given up is not made later.",
    because="The caller does not know whether it was made, and tries again. What is applied twice "
    "then is a bill that is too high, or a message that stands there twice; what is sent again "
    "after a newer write undoes that.",
    remedy="Write what is to be, not what is to be added: the whole history, the new value of each "
    "key. Don't keep a write that has failed for later, nor send it again where it may have been "
    "made: raise, and let the caller look. Look at what is stored, not at what the instance "
    "believes that it has sent.",
    needs={Capability.FAULTS},
    evidence=["proxxx#254"],
)
async def lost_answer_is_not_applied_twice(store: Subject) -> None:
    network = await behind_proxy(store)
    subject = network.subject
    made = 0
    for write in network.writes():
        store.stand.history.restart()
        control = await network.session("control")
        about, lengths = await overheard(network, write.call(subject, control), control)
        for answer in lengths:
            session = await network.session()
            fault = Fault(Deed.RESET, about and session.encode(), answer)
            step, armed = await network.under(fault, write.call(subject, session))
            expect_came_back(step, "when its answer is lost")
            if not armed.happened:
                continue
            made += await is_made_for_the_witness(network, session, write.operation)
            await expect_the_same(network, session, write, step)
        if is_http(network):
            session = await network.session()
            fault = Fault(Deed.FORGE, session.encode(), repeats=True)
            step, _ = await network.under(fault, write.call(subject, session))
            await expect_the_same(network, session, write, step)
    if not made:
        raise NothingFound("no write was made whose answer was lost")
    await expect_not_made_later(network)
    await expect_not_made_again(network)
    network.tell()


@must(
    "faults.stay-with-their-session",
    "A fault in an operation on one session gives no other session a wrong answer, and changes "
    "none.",
    because="A connection on which an answer is still to come gives it to whoever asks next: one "
    "user's chat is shown to another, and saved under the other's id.",
    remedy="Throw a connection away on which something went wrong, or whose caller was cancelled "
    "or out of time, before its answer had come. Hold an answer against what was asked.",
    needs={Capability.FAULTS},
)
async def stay_with_their_session(store: Subject) -> None:
    network = await behind_proxy(store)
    victim = await network.session("victim")
    others = await make_others(network)
    about, lengths = await overheard(network, network.subject.load(victim), victim)
    length = lengths[max(lengths)] if lengths else 0
    for fault in (
        Fault(Deed.RESET, about),
        Fault(Deed.END, about, max(lengths, default=1), length // 2),
        Fault(Deed.RUBBISH, about),
    ):
        store.stand.history.restart()
        armed = network.proxy.arm(fault)
        reads = [network.subject.load(one) for one in others]
        steps = await at_once(network.subject.load(victim), *reads)
        network.proxy.disarm()
        network.note(steps[0], armed)
        expect_raised_or_right(steps[0], MESSAGES, worded(fault))
        expect_their_own(steps[1:], others, "beside a fault in another session's operation")
        await expect_each_its_own(network, others)
    for _ in range(2):
        await late_answer(network, victim, about, others)
    network.tell()


@should(
    "faults.a-stuck-session-blocks-only-itself",
    "While many operations on one session are stuck, the operations on other sessions are served.",
    because="One chat whose row is locked, or whose answer does not come, takes all connections of "
    "a pool, and every other chat waits with it.",
    remedy="One writer at a time for each session, so that one that is stuck holds one connection: "
    "a lock by session id around taking a connection. And a bound for the wait.",
    needs={Capability.FAULTS},
    evidence=["origin"],
)
async def a_stuck_session_blocks_only_itself(store: Subject) -> None:
    network = await behind_proxy(store)
    stuck = await network.session("stuck")
    calls = [network.subject.update(stuck, cost_data={"turns": n}) for n in range(STUCK)]
    await expect_others_are_served(network, stuck, calls)
    store.stand.note(f"what the kit did: {STUCK} updates of one session held back")


STUCK = 24
"""Operations that are stuck at once: more than the connections of a usual pool."""


@must(
    "faults.answers-are-checked",
    "A refusal, a failure, or a success whose body is no JSON, is cut, is of the wrong shape or is "
    "for another session raises; it is no True, no {} and no session, and a failure is no "
    "NotImplementedError.",
    because="Gateways answer in the place of a service: a page to sign in with 200, a 404 for a "
    "route that is not there yet, a 503 while it restarts. Taken at its word, each of them is a "
    "session that is missing, or a turn that was saved. Who is told that cost data can't be read "
    "writes it anew.",
    remedy="HTTP: compare the status with the one that the operation has, not with `< 400`; don't "
    "follow redirects; read the JSON and look for the members and the id that were asked for; "
    "tell a missing session from a missing route by the body. A database driver does this: don't "
    "catch what it raises.",
    needs={Capability.FAULTS},
    evidence=["origin"],
)
async def answers_are_checked(store: Subject) -> None:
    network = await behind_proxy(store, is_bounded=True)
    if is_http(network):
        await expect_http_checked(network)
    else:
        await expect_bytes_checked(network)
    network.tell()
