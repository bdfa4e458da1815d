"""A turn that the store could not take is counted later, and costs nothing that was there."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from ..expect import expect
from .answers import COMPLETE
from .clauses import must, should
from .stores import (
    FAILURES,
    KitStore,
    answering,
    failures,
    hanging,
    raising,
    raising_afterwards,
    write_only,
)
from .sums import FIRST, SECOND, THIRD, expect_complete, expect_totals, total
from .system import Ability
from .workshop import open_on, ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..subject import Subject
    from .service import Service
    from .stores import Behaviour

SESSION = "chat"

KEPT = "what was said before"
"""A message of a history."""

KEEPS_WHAT_IT_IS_SENT = (
    "the history is what each request sends, also where it can be read: whether one that can't be "
    "is written over was not tried"
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
    for does, behaviour in _bad_reads():
        for is_streamed in ways(subject):
            service, _ = await _three_turns(
                subject, does, behaviour, ["get_cost_data"], is_streamed=is_streamed
            )
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


def _bad_reads() -> Iterator[tuple[str, Behaviour]]:
    ways_to_raise = list(failures())
    yield ways_to_raise[0]
    yield "answers None", answering(None)
    yield "answers a text", answering("not now")
    yield "answers texts for sums", answering({"input_tokens": "many"})
    yield from ways_to_raise[1:]


async def _three_turns(
    subject: Subject,
    does: str,
    behaviour: Behaviour,
    operations: Iterable[str],
    *,
    is_streamed: bool,
) -> tuple[Service, str]:
    """Take three turns, and end: in the second one operations of the store do something else.

    Answers the system, and what its client made of the second one.
    """
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await service.turn(SESSION, FIRST, stream=is_streamed)
    await service.trouble(does, behaviour, operations)
    second = await service.turn(SESSION, SECOND, stream=is_streamed)
    await service.recovery()
    await service.turn(SESSION, THIRD, stream=is_streamed)
    await service.shut_down()
    return service, second


@must(
    "turn.failed-write-is-counted-later",
    "A turn whose totals could not be written is carried over and counted once writing works; one "
    "whose history could not be read or saved is counted as well.",
    because="A store is away for seconds every now and then; the turns of these seconds were paid "
    "for like others.",
    remedy="Keep the turn in memory until a write with it has succeeded, and add it with the next "
    "turn of the session. (A process that ends before there is one, while the store is still away, "
    "may take what waits with it: that is not judged.)",
    evidence=["seed"],
)
async def failed_write_is_counted_later(subject: Subject) -> None:
    for what, operation, does, behaviour in _failed_calls(subject):
        for is_streamed in ways(subject):
            service, second = await _three_turns(
                subject, does, behaviour, [operation], is_streamed=is_streamed
            )
            if second != COMPLETE:
                continue  # what was not answered need not have been paid for
            await expect_totals(
                service,
                SESSION,
                total(FIRST, SECOND, THIRD),
                rather_than={
                    f"a {what} that {does} costs the turn": total(FIRST, THIRD),
                    f"after a {what} that {does} nothing is counted": total(FIRST),
                },
            )
    if Ability.CHAT in subject.store.system.abilities:
        for is_streamed in ways(subject):
            await _count_what_was_not_saved(subject, is_streamed=is_streamed)


def _failed_calls(subject: Subject) -> Iterator[tuple[str, str, str, Behaviour]]:
    for does, behaviour in failures():
        yield "write", "update", does, behaviour
    if Ability.CHAT in subject.store.system.abilities:
        for operation in ("load", "save"):
            yield operation, operation, "raises", raising(FAILURES[0])


async def _count_what_was_not_saved(subject: Subject, *, is_streamed: bool) -> None:
    service = await open_on(subject, KitStore())
    await service.trouble("raises", raising(FAILURES[0]), ["save"])
    await service.turn(SESSION, FIRST, stream=is_streamed)
    await service.recovery()
    await service.turn(SESSION, SECOND, stream=is_streamed)
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(FIRST, SECOND),
        rather_than={"a first turn that could not be saved is not counted": total(SECOND)},
    )


@must(
    "turn.late-answer-costs-no-turn",
    "A turn during which the store does not answer is counted once, and what the store does too "
    "late takes no other turn away.",
    because="A store that hangs comes back: with the calls that were given up, in whatever order.",
    remedy="What was not answered in time is neither an empty answer nor a write that was made: "
    "keep the turn. Cancel a call that is given up, or make no other one for the session before "
    "it has come back.",
)
async def late_answer_costs_no_turn(subject: Subject) -> None:
    for operation in ("get_cost_data", "update"):
        for is_streamed in ways(subject):
            await _hold_when_it_comes_late(subject, operation, is_streamed=is_streamed)


async def _hold_when_it_comes_late(subject: Subject, operation: str, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    late = service.workshop.until()
    await service.turn(SESSION, FIRST, stream=is_streamed)
    await service.trouble("does not answer", hanging(late), [operation])
    await service.turn(SESSION, SECOND, stream=is_streamed)
    await service.recovery()
    await service.turn(SESSION, THIRD, stream=is_streamed)
    await service.late_answers(late)
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(FIRST, SECOND, THIRD),
        rather_than={
            "a read without an answer costs all that was counted before": total(SECOND, THIRD),
            f"{operation} without an answer costs the turn": total(FIRST, THIRD),
            "a turn that was given up is counted twice": total(FIRST, SECOND, SECOND, THIRD),
            "a write that comes late takes the turns after it away": total(FIRST, SECOND),
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
    for is_streamed in ways(subject):
        await _lose_an_answer(subject, is_streamed=is_streamed)


async def _lose_an_answer(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await service.turn(SESSION, FIRST, stream=is_streamed, turn_id="turn-1")
    await service.trouble("writes, and raises", raising_afterwards(FAILURES[0]), ["update"])
    await service.turn(SESSION, SECOND, stream=is_streamed, turn_id="turn-2")
    await service.recovery()
    await service.turn(SESSION, THIRD, stream=is_streamed, turn_id="turn-3")
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
    for is_streamed in ways(subject):
        store = write_only()
        store.put(SESSION)
        service = await open_on(subject, store)
        for usage in (FIRST, SECOND):
            turn = service.turn(SESSION, usage, stream=is_streamed)
            await expect_complete(turn, "while cost data can't be read")
        await expect(service.shut_down(is_judged=True)).to_succeed()
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
    "turn.unread-history-is-not-written",
    "A turn whose history could not be read does not write it.",
    because="The turn alone, saved in the place of a history that could not be read, erases the "
    "chat: for a moment the store was away, and what was said before is gone for ever.",
    remedy="A failed `load` is not an empty history: save only what was read, with the turn added. "
    "The turn may be left out of the history, or be saved when reading works again.",
    asks={Ability.CHAT},
)
async def unread_history_is_not_written(subject: Subject) -> None:
    for is_streamed in ways(subject):
        # Some are sent the whole history with each turn, and keep what they are sent.
        service = await _turn_on_a_history(subject, is_streamed=is_streamed)
        if not has_kept(service):
            subject.stand.note(KEEPS_WHAT_IT_IS_SENT)
            continue
        for does, behaviour in (*failures(), ("does not answer", None)):
            service = await _turn_on_a_history(subject, does, behaviour, is_streamed=is_streamed)
            await expect(service.seen("has_kept", partial(has_kept, service))).to_be(
                True, rather_than={f"a load that {does} erases the history": False}
            )


async def _turn_on_a_history(
    subject: Subject,
    does: str | None = None,
    behaviour: Behaviour | None = None,
    *,
    is_streamed: bool,
) -> Service:
    """Take a turn while loading does this, and hangs if no behaviour is given, and end."""
    store = KitStore()
    store.put_messages(SESSION, [{"role": "user", "content": KEPT}])
    service = await open_on(subject, store)
    late = service.workshop.until()
    if does is not None:
        await service.trouble(does, behaviour or hanging(late), ["load"])
    await service.turn(SESSION, FIRST, stream=is_streamed)
    if does is not None:
        await service.recovery()
        if behaviour is None:
            await service.late_answers(late)
    await service.shut_down()
    return service


def has_kept(service: Service) -> bool:
    """Answer whether the history still has what was said before."""
    return KEPT in json.dumps(service.store.peek_messages(SESSION))
