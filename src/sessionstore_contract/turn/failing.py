"""What the store does wrong reaches neither the answer nor the totals."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..expect import expect, violated
from ..values import word
from .clauses import must, should
from .script import Script
from .service import MODEL, Workshop, open_on
from .stores import STORED, KitStore, answering, hanging, raising, raising_afterwards, write_only
from .sums import FIRST, SECOND, THIRD, expect_complete, expect_totals, total
from .system import Ability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..interface import Json
    from ..subject import Subject
    from .service import Service
    from .stores import Behaviour

SESSION = "chat"

NONSENSE: tuple[Any, ...] = (None, 42, "text", ["x"], {"input_tokens": "many", "turn_count": []})

BROKEN = RuntimeError("the store is broken")


RAISES = "raises"


def _faults() -> Iterator[tuple[str, str, Behaviour, tuple[str, ...]]]:
    for operation in ("load", "save", "get_cost_data", "update"):
        yield operation, RAISES, raising(BROKEN), (operation,)
    yield "every operation", RAISES, raising(BROKEN), STORED
    for answer in NONSENSE:
        yield "every operation", f"answers {answer!r}", answering(answer), STORED


def _ways(subject: Subject) -> tuple[bool, ...]:
    """Answer whether turns are streamed: both ways, where there are two."""
    workshop: Workshop = subject.store
    return (False, True) if Ability.CHAT in workshop.system.abilities else (False,)


@must(
    "turn.store-fault-never-breaks-the-answer",
    "Whatever the store does - raises, hangs, answers nonsense, goes in mid-answer - the chat's "
    "answer is complete and on time, and a failure that is raised is logged as a warning or an "
    "error.",
    because="The answer has been paid for when the store is called. A user who does not get it "
    "pays again, and an operator who sees nothing in the log bills nothing.",
    remedy="Catch what the store raises around each call of it, and what comes of its answers; "
    "wait for it no longer than a bound, in a task that the bound does not end. Where what is "
    "logged does not reach the root logger, say where it goes: `logger=`.",
    evidence=["seed", "origin"],
)
async def store_fault_never_breaks_the_answer(subject: Subject) -> None:
    for what, does, behaviour, operations in _faults():
        for is_streamed in _ways(subject):
            store = KitStore()
            store.put(SESSION)
            service = await open_on(subject, store)
            await service.turn(SESSION, FIRST, stream=is_streamed)
            before = service.end_of_answer
            warned = len(service.workshop.log.warned)
            await service.trouble(does, behaviour, operations)
            turn = service.turn(SESSION, FIRST, stream=is_streamed)
            await expect_complete(turn, f"while {what} {does}")
            _expect_the_same_end(service, before, f"while {what} {does}")
            has_logged = await _end(service, warned, is_waited_for=does == RAISES)
            if does == RAISES and store.failures and not has_logged:
                _expect_to_be_logged(service, f"while {what} {does}")
    for is_streamed in _ways(subject):
        store = KitStore()
        store.put(SESSION)
        service = await open_on(subject, store)
        await service.turn(SESSION, FIRST, stream=is_streamed)
        before = service.end_of_answer
        await service.trouble("does not answer", hanging(service.workshop.release))
        await expect_complete(
            service.turn(SESSION, FIRST, stream=is_streamed), "while the store does not answer"
        )
        _expect_the_same_end(service, before, "while the store does not answer")
    if True in _ways(subject):
        for behaviour in (raising(BROKEN), hanging(subject.store.release)):
            await _hold_when_it_goes(subject, behaviour)


async def _end(service: Service, warned: int, *, is_waited_for: bool) -> bool:
    """End the system; answer whether it has warned, which it may do when it ends.

    A system may ask a store again, for as long as its end may take, until that works: so it does
    when the warning has been heard, or might have been for long enough.
    """
    log = service.workshop.log

    async def store_works_in_time() -> None:
        for _ in range(PATIENT_LOOKS if is_waited_for else 0):
            if len(log.warned) > warned:
                break
            await asyncio.sleep(0.01)
        service.store.recover()

    working = asyncio.ensure_future(store_works_in_time())
    # What the end of the server makes of a broken store is no matter of the answer.
    await service.shut_down().perform(is_expected=False)
    working.cancel()
    return len(log.warned) > warned


PATIENT_LOOKS = 100
"""At the log, 10 ms apart, while a system ends."""


async def _hold_when_it_goes(subject: Subject, behaviour: Behaviour) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    script = Script(FIRST, MODEL, meanwhile=lambda: store.behave(behaviour))
    await expect_complete(
        service.scripted_turn(SESSION, script, stream=True), "when the store goes in mid-answer"
    )


def _expect_the_same_end(service: Service, before: dict[str, Json], trouble: str) -> None:
    """Demand that what follows the text is what the same turn had from a store that works."""
    if service.end_of_answer != before:
        violated(
            f"the answer ends in another way {trouble}",
            demanded=word(before),
            answered=word(service.end_of_answer),
        )


def _expect_to_be_logged(service: Service, trouble: str) -> None:
    if service.workshop.system.logger is not None:
        violated(
            f"nothing is logged {trouble}",
            demanded="a warning or an error in the log",
            answered="nothing of that level",
        )


@must(
    "turn.failed-read-never-lowers-totals",
    "When the totals can't be read, they are not replaced by this turn's figures; the turn is "
    "carried over and counted once reading works.",
    because="A read that failed once would cost all that was counted before.",
    remedy="A failed read is not an empty answer: no `except: totals = {}`. Keep the turn in "
    "memory, and add it with the next one. The same goes for answers that are no cost data.",
    evidence=["origin"],
)
async def failed_read_never_lowers_totals(subject: Subject) -> None:
    for does, behaviour in (
        ("raises", raising(BROKEN)),
        ("answers None", answering(None)),
        ("answers a text", answering("not now")),
        ("answers texts for sums", answering({"input_tokens": "many"})),
    ):
        store = KitStore()
        store.put(SESSION)
        service = await open_on(subject, store)
        await service.turn(SESSION, FIRST)
        await service.trouble(does, behaviour, ["get_cost_data"])
        await service.turn(SESSION, SECOND)
        await service.recovery()
        await service.turn(SESSION, THIRD)
        await service.shut_down()
        await expect_totals(
            service,
            SESSION,
            total(FIRST, SECOND, THIRD),
            rather_than={
                f"a read that {does} costs all that was counted before": total(SECOND, THIRD),
                f"a read that {does} costs the turn": total(FIRST, THIRD),
                f"after a read that {does} nothing is counted": total(FIRST),
            },
        )


@must(
    "turn.failed-write-is-counted-later",
    "A turn whose totals could not be written is carried over and counted once writing works.",
    because="A store is away for seconds every now and then; the turns of these seconds were paid "
    "for like others.",
    remedy="Keep the turn in memory until a write with it has succeeded, and add it with the next "
    "turn of the session.",
    evidence=["seed"],
)
async def failed_write_is_counted_later(subject: Subject) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await service.turn(SESSION, FIRST)
    await service.trouble("raises", raising(BROKEN), ["update"])
    await service.turn(SESSION, SECOND)
    await service.recovery()
    await service.turn(SESSION, THIRD)
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(FIRST, SECOND, THIRD),
        rather_than={
            "a failed write costs the turn": total(FIRST, THIRD),
            "after a failed write nothing is counted": total(FIRST),
        },
    )


@should(
    "turn.uncertain-write-counts-once",
    "A turn whose write was made, while its answer was lost, is counted once.",
    because="A time-out says nothing of whether the write was made. Written again, the turn is "
    "billed twice; given up, it is not billed when the write was not made.",
    remedy="Write the ids of the turns with the totals, in the same update; before a turn is added "
    "again, look whether its id is there.",
    asks={Ability.TURN_IDS},
)
async def uncertain_write_counts_once(subject: Subject) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await service.turn(SESSION, FIRST, turn_id="turn-1")
    await service.trouble("writes, and raises", raising_afterwards(BROKEN), ["update"])
    await service.turn(SESSION, SECOND, turn_id="turn-2")
    await service.recovery()
    await service.turn(SESSION, THIRD, turn_id="turn-3")
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(FIRST, SECOND, THIRD),
        rather_than={
            "a turn whose answer was lost is counted twice": total(FIRST, SECOND, SECOND, THIRD)
        },
    )


@must(
    "turn.write-only-store-gets-the-delta",
    "With a store that can't be read (NotImplementedError) the turn's own figures are written, "
    "and nothing raises.",
    because="Older platforms take cost data and do not give it out; what they are sent is all "
    "that they can add up.",
    remedy="`except NotImplementedError` around the read alone: write the figures of the turn, "
    "with a turn count of 1.",
    evidence=["seed"],
)
async def write_only_store_gets_the_delta(subject: Subject) -> None:
    store = write_only()
    store.put(SESSION)
    service = await open_on(subject, store)
    for usage in (FIRST, SECOND):
        await expect_complete(service.turn(SESSION, usage), "while cost data can't be read")
    await expect(service.shut_down()).to_succeed()
    await expect_totals(
        service,
        SESSION,
        total(SECOND),
        rather_than={
            "nothing is written to a store that can't be read": {},
            "sums are written to a store that can't be read": total(FIRST, SECOND),
            "only the first turn is written to a store that can't be read": total(FIRST),
        },
    )


@must(
    "turn.slow-store-holds-up-only-its-session",
    "While the store does not answer for one session, chats of other sessions go on.",
    because="One row that is locked, one shard that is away, and nobody gets an answer.",
    remedy="A lock, a queue and a task for each session; none around the store as a whole.",
    evidence=["origin"],
)
async def slow_store_holds_up_only_its_session(subject: Subject) -> None:
    # Of a server that waits for a while, the other chat must not wait as long. In one of several
    # rounds is enough: a machine may be slow, a lock around the store holds it up in each.
    for _ in range(ROUNDS):
        if await _goes_on_meanwhile(subject):
            return
    violated(
        "chats of other sessions wait for the store of one",
        demanded="the other session's turn is over while the first one's waits",
        answered=f"it was over after it, {ROUNDS} times",
    )


ROUNDS = 3


async def _goes_on_meanwhile(subject: Subject) -> bool:
    store = KitStore()
    for session in ("slow", "quick"):
        store.put(session)
    service = await open_on(subject, store)
    arrived, release = asyncio.Event(), asyncio.Event()
    store.of_session["slow"] = hanging(release, arrived)
    held = asyncio.ensure_future(service.turn("slow", FIRST).perform(is_expected=False))
    await asyncio.wait({held, asyncio.ensure_future(arrived.wait())}, return_when="FIRST_COMPLETED")
    had_ended = held.done()
    await expect_complete(service.turn("quick", SECOND), "while the store is slow for another")
    was_first = had_ended or not held.done()
    release.set()
    await held
    await service.shut_down()
    return was_first
