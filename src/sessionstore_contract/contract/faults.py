"""The network fails, the server goes away, hangs and comes back: a store says so, and goes on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must, should
from ..effort import NORMAL
from ..expect import NothingFound, violated
from ..fault import Deed, Fault
from ..history import StepFailed
from ..subject import at_once
from ..values import are_equal, word
from .beginning import make_sure
from .forgeries import Forgery, Overheard, bodies, statuses
from .network import (
    COSTS,
    MESSAGES,
    TRIES,
    Network,
    behind_proxy,
    expect_came_back,
    expect_raised,
    expect_raised_or_right,
    is_happening,
    is_http,
    is_right,
    overheard,
    works_again,
    works_in_time,
)
from .stuck import expect_others_are_served

if TYPE_CHECKING:
    from ..effort import Effort
    from ..history import Call, Step
    from ..subject import Subject
    from .network import Write

POOL = 4
"""Operations at once, so that a store has more connections to lose than there are tries."""


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
        for operation in _one_of_each(network, session):
            store.stand.history.restart()
            await at_once(*(network.subject.load(session) for _ in range(POOL)))
            dropped = await _drop(network, way)
            ended += dropped
            if not dropped:
                break
            step = await works_again(operation)
            _expect_recovered(step, way)
    if ended:
        store.stand.note(f"what the kit did: {ended} idle connections ended")
    else:
        store.stand.note("the store keeps no connection while it is idle: there was none to drop")


def _one_of_each(network: Network, session: str) -> list[Any]:
    subject = network.subject
    return [
        lambda: subject.load(session),
        lambda: subject.save(session, MESSAGES),
        lambda: subject.update(session, cost_data=COSTS),
    ]


async def _drop(network: Network, way: str) -> int:
    """End the connections that there are, and let the store be idle until they have ended."""
    if way != "terminated by the server":
        dropped = network.proxy.drop(by_reset=way == "reset")
    else:
        before = set(network.proxy.numbers())
        dropped = await network.subject.stand.terminate(network.proxy)
        deadline = time.monotonic() + network.subject.stand.history.timeout
        while dropped and time.monotonic() < deadline:
            if not before & set(network.proxy.numbers()):
                break
            await asyncio.sleep(0.001)
    # Minutes pass, in which the loop runs: a driver that can hear of it has heard of it.
    await asyncio.sleep(0.01)
    return dropped


def _expect_recovered(step: Step, way: str) -> None:
    right = {"load": MESSAGES, "save": None, "update": True}[step.operation]
    if step.outcome == "answered" and is_right(step, right):
        return
    times = "twice" if step.outcome == "raised" else "once"
    violated(
        f"{step.operation} fails {times} after idle connections were {way}",
        demanded=f"an answer, at the latest at try {TRIES}",
        answered=step.answered(),
    )


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
    network = await behind_proxy(store)
    subject, timeout = network.subject, store.stand.history.timeout
    session = await network.session()
    for is_used_meanwhile in (True, False):
        network.proxy.refuse()
        if is_used_meanwhile:
            step = await subject.load(session).perform(is_expected=False)
            step.beside = "the server is away"
            if step.outcome == "hung":
                raise NothingFound(
                    "load neither answered nor raised while the server was away: see "
                    "faults.operations-are-bounded"
                )
        network.proxy.forward()
        for read in network.reads():
            step = await works_in_time(partial(read.call, subject, session), timeout)
            _expect_survived(step, read.right, AWAY)
        step = await works_in_time(lambda: subject.save(session, MESSAGES), timeout)
        _expect_survived(step, None, AWAY)
    store.stand.note("what the kit did: it was away twice as the server")


AWAY = "the server was away and is back"


def _expect_survived(step: Step, right: Any, what: str) -> None:
    if step.outcome == "answered" and is_right(step, right):
        return
    violated(
        f"after {what} {step.operation} "
        + (
            f"answers {step.answered()}"
            if step.outcome == "answered"
            else "hangs"
            if step.outcome == "hung"
            else step.answered()
        ),
        demanded="the answer of before",
        answered=step.answered(),
    )


@must(
    "faults.a-failed-read-raises",
    "With the server away, or its answer cut off or turned into rubbish, a read raises, or answers "
    "what is stored; nothing is reported as missing or empty.",
    because="Who is told that a session is missing or empty begins anew, and the next save makes "
    "it true.",
    remedy="No `except Exception: return None` around a read. Check that an answer is whole before "
    "it is used: its length, its JSON, its last line.",
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
        for fault in _cuts(about, lengths, store.stand.effort):
            step, _ = await network.under(fault, read.call(network.subject, session))
            expect_raised_or_right(step, read.right, _worded(fault))
            await network.recover(session)
    network.proxy.refuse()
    for read in network.reads():
        store.stand.history.restart()
        step = await read.call(network.subject, session).perform(is_expected=True)
        step.beside = "the server is away"
        expect_raised_or_right(step, read.right, "while the server is away")
    network.tell()


def _cuts(about: bytes | None, lengths: dict[int, int], effort: Effort) -> list[Fault]:
    """Answer the faults that spoil an answer: at its beginning, in its middle, at its end."""
    faults = []
    for answer, length in lengths.items():
        places = {0, length // 2}
        if effort.rounds >= NORMAL.rounds:
            places |= {1, max(length - 1, 0)}
        for deed in (Deed.END, Deed.RESET):
            faults += [Fault(deed, about, answer, place) for place in sorted(places)]
        faults.append(Fault(Deed.RUBBISH, about, answer))
        faults.append(Fault(Deed.RUBBISH, about, answer, length // 2))
    return faults


def _worded(fault: Fault) -> str:
    if fault.deed is Deed.TRICKLE:
        return "when its answer comes in pieces"
    if fault.deed is Deed.RUBBISH:
        return "when its answer turns into rubbish" if fault.after else "when its answer is rubbish"
    how = "an end" if fault.deed is Deed.END else "a reset"
    return f"when {how} comes in mid-answer" if fault.after else f"when {how} comes for an answer"


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
        for fault in _losses(about, lengths):
            session = await network.session()
            meant = replace(fault, about=about and session.encode())
            step, _ = await network.under(meant, write.call(subject, session))
            await network.recover(control)
            await _expect_raised_or_made(network, session, step, fault)
    await _away(network, await network.session())
    network.tell()


def _losses(about: bytes | None, lengths: dict[int, int]) -> list[Fault]:
    found = [Fault(Deed.DROP, about)]
    for answer, length in lengths.items():
        found.append(Fault(Deed.RESET, about, answer))
        found.append(Fault(Deed.END, about, answer, length // 2))
    return found


async def _expect_raised_or_made(network: Network, session: str, step: Step, fault: Fault) -> None:
    situation = "when its request is lost" if fault.deed is Deed.DROP else _worded(fault)
    expect_came_back(step, situation)
    if step.outcome != "answered":
        return
    if step.operation == "update" and step.answer_as_given is not True:
        violated(
            f"update answers {word(step.answer_as_given)} {situation}, and the session is there",
            demanded="an exception, or True",
            answered=step.answered(),
        )
    if not await _is_made(network, session, step.operation):
        violated(
            f"{step.operation} answers {word(step.answer_as_given, limit=40)} {situation}, and "
            "nothing is written",
            demanded="an exception",
            answered=step.answered(),
        )


async def _is_made(network: Network, session: str, operation: str) -> bool:
    """Look at what is stored whether a write was made; so far as that can be read."""
    looking = network.looking
    match operation:
        case "save":
            return are_equal(await looking.load(session), MESSAGES[:1])
        case "update":
            can_read = looking.can(Capability.COST_READ)
            return not can_read or (await looking.get_cost_data(session)).get("turns") == 2
        case "create":
            return bool(await looking.exists(f"{session}-new"))
    return not await looking.exists(session)


async def _away(network: Network, session: str) -> None:
    """Demand that each write raises while the server is away, and that none is made later."""
    subject = network.subject
    network.proxy.refuse()
    calls = [write.call(subject, session) for write in network.writes()] + network.housekeeping()
    subject.stand.history.restart()
    for call in calls:
        step = await call.perform(is_expected=True)
        step.beside = "the server is away"
        expect_raised(step, "while the server is away")
    network.proxy.forward()
    await works_in_time(lambda: subject.exists(subject.unused_id()), subject.stand.history.timeout)
    for write in network.writes():
        if await _is_made(network, session, write.operation):
            violated(
                f"{write.operation} raised while the server was away, and is made when it is back",
                demanded="what was stored before",
                answered="what the write had brought",
            )


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
)
async def operations_are_bounded(store: Subject) -> None:
    network = await behind_proxy(store, is_bounded=True)
    session, kept = await network.session(), await network.session("kept")
    limit = store.stand.history.timeout if network.is_bounded else LONGEST_SILENCE
    calls = await _one_on_each(network, session)
    network.proxy.silence()
    cold = await network.opened()
    if cold is not None:
        calls.append((cold.exists(session), True))
    store.stand.history.restart()
    steps = await asyncio.gather(
        *(call.perform(is_expected=True, timeout=limit) for call, _ in calls)
    )
    for step in steps:
        step.beside = "the server says nothing"
    for step, (_, right) in zip(steps, calls, strict=True):
        _expect_bounded(step, right, limit)
    network.proxy.forward()
    step = await works_in_time(partial(network.subject.load, kept), store.stand.history.timeout)
    _expect_survived(step, MESSAGES, "the server said nothing and speaks again")
    if not network.proxy.withheld and not cold:
        raise NothingFound("no operation said anything to the server that it could have answered")
    store.stand.note(f"what the kit did: {len(steps)} operations met with silence")


LONGEST_SILENCE = 30.0
"""Seconds that an operation is given where the backend does not say how to make it shorter."""

WRITTEN = object()
"""Stands for the answer of a write, which is right in no case."""


async def _one_on_each(network: Network, session: str) -> list[tuple[Call[Any], Any]]:
    """Make a call for each operation, on an instance of its own that is in use.

    On one instance the second of them would have to wait for the first; where nobody else may be
    in there is one.
    """
    made: list[tuple[Call[Any], Any]] = []
    asked = [(read.call, read.right) for read in network.reads()]
    asked += [(write.call, WRITTEN) for write in network.writes()]
    for number, (call, right) in enumerate(asked):
        if number and network.witness is None:
            break
        subject = network.subject if number == 0 else await network.opened()
        if subject is None:
            raise NothingFound("the store could not be opened once more")
        await make_sure(subject.exists(session), answer=True)
        made.append((call(subject, session), right))
    return made


def _expect_bounded(step: Step, right: Any, limit: float) -> None:
    if step.outcome == "hung":
        violated(
            f"{step.operation} does not come back from a server that says nothing",
            demanded="an exception, within the time-out of the store",
            answered=f"nothing in {limit:g} s",
        )
    if right is WRITTEN:
        expect_raised(step, "and the server has said nothing")
    else:
        expect_raised_or_right(step, right, "and the server has said nothing")


@must(
    "faults.lost-answer-is-not-applied-twice",
    "When the answer is lost after a write was made, trying again gives the same result, and what "
    "was given up is not made later.",
    because="The caller does not know whether it was made, and tries again. What is applied twice "
    "then is a bill that is too high, or a message that stands there twice; what is sent again "
    "after a newer write undoes that.",
    remedy="Write what is to be, not what is to be added: the whole history, the new value of each "
    "key. Don't keep a write that has failed for later. Look at what is stored, not at what the "
    "instance believes that it has sent.",
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
            made += await _is_made_for_the_witness(network, session, write.operation)
            await _expect_the_same(network, session, write, step)
        if is_http(network):
            session = await network.session()
            fault = Fault(Deed.FORGE, session.encode(), repeats=True)
            step, _ = await network.under(fault, write.call(subject, session))
            await _expect_the_same(network, session, write, step)
    if not made:
        raise NothingFound("no write was made whose answer was lost")
    await _expect_not_made_later(network)
    network.tell()


async def _is_made_for_the_witness(network: Network, session: str, operation: str) -> bool:
    """Look whether it was made; where nobody else may look, the next try will tell."""
    return network.witness is None or await _is_made(network, session, operation)


async def _expect_the_same(network: Network, session: str, write: Write, first: Step) -> None:
    """Try a write again whose answer was lost, and demand what it would have given at once."""
    step = first
    again = partial(write.call, network.subject, session)
    if first.outcome == "raised" and write.right:
        step = await works_in_time(again, network.subject.stand.history.timeout)
    elif first.outcome == "raised":
        # That of create may be told that the session exists, which is true.
        step = await works_again(again)
    if step.outcome == "hung" or (step.outcome == "raised" and write.right):
        violated(
            f"{write.operation} fails when it is tried again after a lost answer",
            demanded=" or ".join(map(word, write.right)) or "an answer",
            answered=step.answered(),
        )
    if step.outcome == "answered" and write.right and step.answer_as_given not in write.right:
        violated(
            f"{write.operation} answers {word(step.answer_as_given)} after its answer was lost",
            demanded=" or ".join(map(word, write.right)),
            answered=step.answered(),
        )
    await _expect_once(network, session, write.operation)


async def _expect_once(network: Network, session: str, operation: str) -> None:
    looking, after = network.looking, f"after a {operation} that was tried again"
    can_read = looking.can(Capability.COST_READ)
    name = f"{session}-new" if operation == "create" else session
    messages: Any = {"save": MESSAGES[:1], "update": MESSAGES, "create": [], "delete": None}
    costs: Any = {"save": COSTS, "update": {**COSTS, "turns": 2}, "create": {}, "delete": {}}
    looks: list[tuple[Call[Any], Any]] = [(looking.load(name), messages[operation])]
    if can_read:
        looks.append((looking.get_cost_data(name), costs[operation]))
    for call, right in looks:
        step = await call.perform(is_expected=True)
        if step.outcome != "answered" or not are_equal(step.answer_as_given, right):
            violated(
                f"{step.operation} answers {word(step.answer_as_given, limit=60)} {after}",
                demanded=word(right),
                answered=step.answered(),
            )


async def _expect_not_made_later(network: Network) -> None:
    """Demand of a write that has raised that it is not made after a newer one."""
    subject, witness = network.subject, network.witness
    if witness is None:
        return
    subject.stand.history.restart()
    session = await network.session()
    older = [{"role": "user", "content": "older"}]
    for deed in (Deed.DROP, Deed.RESET):
        fault = Fault(deed, session.encode())
        saved, _ = await network.under(fault, subject.save(session, older))
        updated, _ = await network.under(fault, subject.update(session, cost_data={"turns": -1}))
        await witness.save(session, MESSAGES)
        await witness.update(session, cost_data=COSTS)
        for _ in range(TRIES):
            await subject.exists(session).perform(is_expected=False)
            await subject.save(subject.unused_id(), []).perform(is_expected=False)
        if saved.outcome == "raised":
            await _expect_newer(witness.load(session), MESSAGES, "save")
        if updated.outcome == "raised" and witness.can(Capability.COST_READ):
            await _expect_newer(witness.get_cost_data(session), COSTS, "update")


async def _expect_newer(call: Call[Any], right: Any, operation: str) -> None:
    step = await call.perform(is_expected=True)
    if step.outcome != "answered" or not are_equal(step.answer_as_given, right):
        violated(
            f"{operation} raised, and is made after a newer one",
            demanded=word(right),
            answered=step.answered(),
        )


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
    others = await _others(network)
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
        expect_raised_or_right(steps[0], MESSAGES, _worded(fault))
        _expect_their_own(steps[1:], others, "beside a fault in another session's operation")
        await _expect_each_its_own(network, others)
    for _ in range(2):
        await _late_answer(network, victim, about, others)
    network.tell()


async def _others(network: Network) -> dict[str, list[Any]]:
    """Make sessions, and answer by id what each of them holds."""
    found = {}
    for number in range(POOL):
        session = network.looking.unused_id("other")
        found[session] = [{"role": "user", "content": f"of {session}"}] * (number + 1)
        await network.looking.save(session, found[session])
    return found


async def _expect_each_its_own(network: Network, others: dict[str, list[Any]]) -> None:
    """Demand that each session reads as it was made, one after the other and all at once."""
    for session, right in others.items():
        step = await works_again(partial(network.subject.load, session))
        _expect_their_own([step], {session: right}, "after a fault in another's")
    steps = await at_once(*(network.subject.load(one) for one in others))
    _expect_their_own(steps, others, "after a fault in another's")


def _expect_their_own(steps: list[Step], others: dict[str, list[Any]], when: str) -> None:
    for step, right in zip(steps, others.values(), strict=True):
        expect_came_back(step, when)
        if not is_right(step, right):
            violated(
                f"load answers {word(step.answer_as_given, limit=40)} {when}",
                demanded=word(right),
                answered=step.answered(),
            )


async def _late_answer(
    network: Network, victim: str, about: bytes | None, others: dict[str, list[Any]]
) -> None:
    """Let an answer come when its caller has gone, and see who gets it."""
    network.subject.stand.history.restart()
    armed = network.proxy.arm(Fault(Deed.HOLD, about))
    task = asyncio.ensure_future(network.subject.store.load(victim))
    if await is_happening(armed, task):
        task.cancel()
        await asyncio.sleep(0)
    network.proxy.disarm()
    await asyncio.wait({task}, timeout=network.subject.stand.history.timeout)
    network.happened[str(Deed.HOLD)] = network.happened.get(str(Deed.HOLD), 0) + armed.happened
    await _expect_each_its_own(network, others)


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
    "for another session raises; it is no True, no {} and no session.",
    because="Gateways answer in the place of a service: a page to sign in with 200, a 404 for a "
    "route that is not there yet, a 503 while it restarts. Taken at its word, each of them is a "
    "session that is missing, or a turn that was saved.",
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
        await _expect_http_checked(network)
    else:
        await _expect_bytes_checked(network)
    network.tell()


async def _expect_http_checked(network: Network) -> None:
    subject = network.subject
    session, missing = await network.session(), subject.unused_id("missing")
    can_tell_routes = await _can_tell_routes(network, missing)
    for read in network.reads():
        heard = Overheard()
        await _listened(network, heard, read.call(subject, session), read.right)
        for forgery in (*statuses(can_tell_routes), *bodies(heard, session)):
            step = await _forged(network, forgery, read.call(subject, session))
            expect_raised_or_right(step, read.right, f"to {forgery.name}")
        nothing: Any = {"load": None, "exists": False, "get_cost_data": {}}[read.operation]
        for forgery in bodies(heard, session):
            step = await _forged(network, forgery, read.call(subject, missing))
            expect_raised_or_right(step, nothing, f"to {forgery.name}")
    for write in network.writes():
        heard, control = Overheard(), await network.session("control")
        await _listened(network, heard, write.call(subject, control), None)
        session = await network.session()
        for forgery in (*statuses(can_tell_routes), *bodies(heard, control)):
            step = await _forged(network, forgery, write.call(subject, session))
            if step.beside:
                expect_raised(step, f"to {forgery.name}")
            else:
                # It was not forged: it has been made.
                session = await network.session()


async def _can_tell_routes(network: Network, missing: str) -> bool:
    """Look whether the service words a missing session otherwise than a missing route."""
    heard = Overheard()
    await _listened(network, heard, network.subject.load(missing), None)
    answers = [one.body for one in heard.exchanges.values() if one.status == NOT_FOUND]
    if answers and all(body and b'"Not Found"' not in body for body in answers):
        return True
    network.subject.stand.note(
        "the service does not tell a missing session from a missing route: no 404 was tried"
    )
    return False


NOT_FOUND = 404


async def _listened(network: Network, heard: Overheard, call: Call[Any], right: Any) -> None:
    """Make a call, and keep what was said over HTTP."""
    network.subject.stand.history.restart()
    network.proxy.arm(heard.fault())
    try:
        step = await call.perform(is_expected=False)
    finally:
        network.proxy.disarm()
    step.require_answer()
    if right is not None and not is_right(step, right):
        raise StepFailed(step)


async def _forged(network: Network, forgery: Forgery, call: Call[Any]) -> Step:
    network.subject.stand.history.restart()
    step, armed = await network.under(forgery.fault, call)
    if armed.happened:
        step.beside = f"{armed.told[-1]}: {forgery.name}"
    return step


async def _expect_bytes_checked(network: Network) -> None:
    """Have answers turn into rubbish, and come in pieces, where the kit knows no more of them."""
    subject = network.subject
    session = await network.session()
    for read in network.reads():
        about, lengths = await overheard(network, read.call(subject, session), session)
        for answer, length in lengths.items():
            for fault in (
                Fault(Deed.TRICKLE, about, answer),
                Fault(Deed.RUBBISH, about, answer),
                Fault(Deed.RUBBISH, about, answer, length // 2),
                Fault(Deed.RUBBISH, about, answer, length - 1),
            ):
                subject.stand.history.restart()
                step, _ = await network.under(fault, read.call(subject, session))
                expect_raised_or_right(step, read.right, _worded(fault))
                await network.recover(session)
    for write in network.writes():
        control = await network.session("control")
        about, lengths = await overheard(network, write.call(subject, control), control)
        for answer, length in lengths.items():
            for after in (0, length // 2):
                session = await network.session()
                named = about and session.encode()
                fault = Fault(Deed.RUBBISH, named, answer, after)
                subject.stand.history.restart()
                step, _ = await network.under(fault, write.call(subject, session))
                await network.recover(control)
                await _expect_raised_or_made(network, session, step, fault)
