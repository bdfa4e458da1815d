"""Operations at once have the effect of the same operations in some order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must, should
from ..expect import expect, expect_all_answered, violated
from ..interruption import StallWatch
from ..subject import at_once, side_by_side
from ..values import are_equal, word
from .batches import FEWER, MORE, history_in_batches
from .beginning import begin_with, make_sure
from .in_turn import create_in_turn, delete_in_turn, save_in_turn, update_in_turn
from .network import MESSAGES, behind_proxy
from .orders import expect_an_order
from .stuck import expect_others_are_served

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..history import Call, Step
    from ..interface import Json
    from ..subject import Subject

WRITERS = 20
"""Updates in a round: what upstream's SQLite store kept 1 of."""

BESIDE = 60
"""Updates of as many other sessions beside them."""

SESSIONS = 8
"""Sessions that are used at once: what goes wrong with many of one session is asked elsewhere."""

LARGE = 100_000
"""Characters of a history that a store may write in several pieces."""

LARGE_COSTS = {"trace": "0123456789abcdef" * 4_500, "turns": 1}
"""Cost data that a store may keep elsewhere than small ones, and merge otherwise."""

MANY = 600
"""Keys of an update that a store may write in several statements."""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

BECAUSE = (
    "Tools and turns of one chat report their figures at the same moment; what is lost is never "
    "billed."
)
REMEDY = (
    "Merge in the storage, in one statement (`cost_data || $1`), or read, merge and write in a "
    "transaction that holds the row or the write lock from the read on (SELECT ... FOR UPDATE, "
    "BEGIN IMMEDIATE). Redis: a hash field for each key, or a script. A lock in the process does "
    "not help other instances."
)


@must(
    "concurrency.disjoint-updates-all-survive",
    "Updates of different keys at once, on one instance, all stand.",
    because=BECAUSE,
    remedy=REMEDY,
    needs={Capability.COST_READ},
    evidence=["origin", "langgraph#8796"],
)
async def disjoint_updates_all_survive(store: Subject) -> None:
    for number in range(store.stand.effort.rounds):
        # A table of locks that is too small for all sessions loses those that are held.
        if number:
            await _write_disjoint_keys([store])
        else:
            await _write_disjoint_keys([store], LARGE_COSTS, beside=BESIDE)


@must(
    "concurrency.disjoint-updates-survive-across-instances",
    "Updates of different keys at once, on several instances, all stand.",
    because=BECAUSE,
    remedy=REMEDY,
    needs={Capability.COST_READ, Capability.SHARED},
    follows=["concurrency.disjoint-updates-all-survive"],
)
async def disjoint_updates_survive_across_instances(store: Subject) -> None:
    instances = [store] + [await store.another() for _ in range(3)]
    for _ in range(store.stand.effort.rounds):
        await _write_disjoint_keys(instances)


@must(
    "concurrency.disjoint-updates-survive-across-processes",
    "Updates of different keys at once, in several processes, all stand.",
    because="A chat server runs as several processes, and a lock in one of them is none in the "
    "others.",
    remedy=REMEDY,
    needs={Capability.COST_READ, Capability.MULTI_PROCESS},
    follows=[
        "concurrency.disjoint-updates-survive-across-instances",
        "concurrency.disjoint-updates-all-survive",
    ],
)
async def disjoint_updates_survive_across_processes(store: Subject) -> None:
    # One is no fork: to it `hash` of a text is another number.
    near, far = await asyncio.gather(store.elsewhere(), store.elsewhere(anew=True))
    session = await store.create()
    await make_sure(near.exists(session), answer=True)
    await expect(far.exists(session)).to_be(
        True, rather_than={"a process that was started by itself does not find the session": False}
    )
    for _ in range(store.stand.effort.rounds):
        await _write_disjoint_keys([store, near, far])


async def _write_disjoint_keys(
    instances: list[Subject],
    before: Mapping[str, Json] = MappingProxyType({}),
    *,
    beside: int = 0,
) -> None:
    """Update different keys of a session at once, and so many sessions that are missing.

    The session has the cost data `before` when that begins.
    """
    first = instances[0]
    first.stand.history.restart()
    session = await first.create()
    # One after the other: that few keys join large ones is another clause's.
    for key, value in before.items():
        await first.update(session, cost_data={key: value})
    if before:
        await make_sure(first.get_cost_data(session), {**before})
    # The first use of an instance is another clause's: here each has been used.
    for instance in instances:
        await make_sure(instance.exists(session), answer=True)
    written = {f"key {number}": number for number in range(WRITERS)}
    updates: list[Call[Any]] = [
        instances[number % len(instances)].update(session, cost_data={key: number})
        for number, key in enumerate(written)
    ]
    updates[WRITERS // 2 : WRITERS // 2] = [
        first.update(first.unused_id(), cost_data={"key": 0}) for _ in range(beside)
    ]
    steps = await at_once(*updates)
    expect_all_answered(steps, "updates at once")
    answer = await expect(first.get_cost_data(session)).to_succeed()
    stand = [key for key in written if isinstance(answer, dict) and key in answer]
    if len(stand) < WRITERS:
        violated(
            f"{len(stand)} of {WRITERS} updates at once stand",
            demanded=f"all {WRITERS} keys",
            answered=", ".join(stand) or "none of them",
        )
    await expect(first.get_cost_data(session)).to_be({**before, **written})


def _message(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


async def _several(store: Subject) -> list[Subject]:
    """Answer three instances on the place, or the one where nobody else is let in; all used."""
    instances = [store]
    if store.can(Capability.SHARED):
        instances += [await store.another(), await store.another()]
    for instance in instances:
        await instance.exists(instance.unused_id())
    return instances


def _in_turn(instances: list[Subject]) -> list[Subject]:
    """Answer twelve clients of the instances."""
    return instances * (12 // len(instances))


@must(
    "concurrency.same-key-is-one-of-the-written",
    "Updates of one key at once leave one of the written values, whole; nobody reads another.",
    because="Two turns write the same total; a mixture of both, or neither, is nobody's figure.",
    remedy="Write a key's value whole, in the statement that merges; no member of it by itself.",
    needs={Capability.COST_READ},
)
async def same_key_is_one_of_the_written(store: Subject) -> None:
    instances = await _several(store)
    await update_in_turn(instances)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = await store.create()
        await begin_with(store, session, cost_data={"total": {"old": 0}})
        before: Json = {"total": {"old": 0}}
        written: list[Json] = [
            {"total": {"by": number, f"of {number}": number}} for number in range(12)
        ]
        updates = [
            [instances[number % len(instances)].update(session, cost_data=one)]
            for number, one in enumerate(written)
        ]
        reads = [[one.get_cost_data(session) for _ in range(4)] for one in instances]
        sequences = await side_by_side(*updates, *reads, stagger=store.stand.random)
        expect_all_answered(
            [step for steps in sequences for step in steps], "updates of one key at once"
        )
        last = await store.get_cost_data(session).perform(is_expected=True)
        _is_one_of(last, written, before)
        for step in (step for steps in sequences[len(updates) :] for step in steps):
            _is_one_of(step, [*written, before], before)


def _is_one_of(step: Step, written: list[Json], before: Json) -> None:
    step.require_answer()
    answer = step.answer_as_given
    if any(are_equal(answer, one) for one in written):
        return
    if are_equal(answer, before):
        headline = "updates of one key at once are all lost"
    elif answer == {}:
        headline = "updates of one key at once lose the key"
    else:
        headline = "updates of one key at once leave a value that nobody wrote"
    violated(headline, demanded="one of the written values", answered=step.answered())


@must(
    "concurrency.updates-are-atomic",
    "A reader sees all keys of an update or none.",
    because="Tokens without the price that belongs to them are a wrong bill, and a turn that is "
    "half there is added to once more.",
    remedy="Write all keys in one statement or transaction, and read them in one. Redis: HSET with "
    "all fields, HGETALL; not a command for each key.",
    needs={Capability.COST_READ},
)
async def updates_are_atomic(store: Subject) -> None:
    instances = await _several(store)
    await update_in_turn(instances)
    for turn in range(store.stand.effort.rounds):
        more, often = (MANY, 3) if turn == 0 else (0, 6)
        store.stand.history.restart()
        session = await store.create()
        await begin_with(store, session, cost_data=_keys(0, more))
        updates = [
            [instances[0].update(session, cost_data=_keys(number, more)) for number in numbers]
            for numbers in (range(1, 5), range(5, 9))
        ]
        reads = [[one.get_cost_data(session) for _ in range(often)] for one in 2 * instances]
        sequences = await side_by_side(*updates, *reads, stagger=store.stand.random)
        expect_all_answered([step for steps in sequences for step in steps], "reads beside updates")
        last = await store.get_cost_data(session).perform(is_expected=True)
        for step in [*(step for steps in sequences[len(updates) :] for step in steps), last]:
            _is_whole(step, more)


def _keys(number: int, more: int) -> dict[str, int]:
    return dict.fromkeys(["input", "output", "price", *map(str, range(more))], number)


def _is_whole(step: Step, more: int) -> None:
    step.require_answer()
    answer = step.answer_as_given
    number = answer.get("input") if isinstance(answer, dict) else None
    if not isinstance(number, int) or not are_equal(answer, _keys(number, more)):
        violated(
            "a reader sees a part of an update",
            demanded="'input', 'output', 'price' and all other keys of one update",
            answered=step.answered(),
        )


@must(
    "concurrency.save-and-update-keep-both",
    "A save and an update at once lose neither.",
    because="A turn saves its messages and records its figures, and tools record theirs meanwhile.",
    remedy="Write your own column in each: `UPDATE ... SET cost_data` in update, messages alone in "
    "save's upsert. No read of the whole row that is written back. One document for a session: a "
    "version that is compared when it is written, or a lock that all instances share.",
    needs={Capability.COST_READ},
    evidence=["flask-session#71", "open-webui#28742"],
)
async def save_and_update_keep_both(store: Subject) -> None:
    instances = await _several(store)
    await save_in_turn(instances)
    await update_in_turn(instances)
    for turn in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = await store.create()
        await begin_with(store, session, messages=[_message("old")], cost_data={"old": 1})
        figures = {f"tool {number}": number for number in range(6)}
        saves: list[Call[Any]] = [
            instances[number % len(instances)].save(session, [_message(f"turn {number}")])
            for number in range(6)
        ]
        updates: list[Call[Any]] = [
            instances[-1 - number % len(instances)].update(session, cost_data={key: value})
            for number, (key, value) in enumerate(figures.items())
        ]
        # Whoever writes back what it has read loses what began after it.
        pairs = zip(saves, updates, strict=True) if turn % 2 else zip(updates, saves, strict=True)
        expect_all_answered(
            await at_once(*(call for pair in pairs for call in pair)), "saves and updates at once"
        )
        await expect(store.load(session)).to_be_one_of(
            [[_message(f"turn {number}")] for number in range(6)],
            rather_than={"saves and updates at once lose the messages": [_message("old")]},
        )
        await _figures_stand(store, session, {"old": 1, **figures})


async def _figures_stand(store: Subject, session: str, written: dict[str, Json]) -> None:
    step = await store.get_cost_data(session).perform(is_expected=True)
    step.require_answer()
    if not are_equal(step.answer_as_given, written):
        violated(
            "saves and updates at once lose cost data",
            demanded=word(written),
            answered=step.answered(),
        )


@must(
    "concurrency.saves-leave-one-whole-history",
    "Saves of one session at once leave one of the histories, whole.",
    because="Two tabs of one chat save; a history with messages of both is a chat that never took "
    "place.",
    remedy="One statement for the whole list. A row for each message: DELETE and INSERT in one "
    "transaction that holds the session's row first.",
)
async def saves_leave_one_whole_history(store: Subject) -> None:
    instances = await _several(store)
    await save_in_turn(instances)
    # A store that writes many messages in batches is to write all of them in one transaction.
    before, after = history_in_batches(FEWER, "old"), history_in_batches(MORE, "new")
    await _save_beside_reads(instances, before, [after], readers=2, often=4)
    for turn in range(store.stand.effort.rounds):
        histories = [_history_of(writer, LARGE if turn == 0 else 0) for writer in range(10)]
        if turn == 0:
            # That a long history is kept is another clause's.
            await begin_with(store, await store.create(), messages=histories[-1])
        await _save_beside_reads(instances, [_message("old")], histories, readers=6, often=4)


async def _save_beside_reads(
    instances: list[Subject],
    before: list[Json],
    histories: list[list[Json]],
    *,
    readers: int,
    often: int,
) -> None:
    """Save histories over another at once, and read beside that."""
    store = instances[0]
    store.stand.history.restart()
    session = await store.create()
    await begin_with(store, session, messages=before)
    saves = [
        [instances[writer % len(instances)].save(session, history)]
        for writer, history in enumerate(histories)
    ]
    reads = [[one.load(session) for _ in range(often)] for one in _in_turn(instances)[-readers:]]
    sequences = await side_by_side(*saves, *reads, stagger=store.stand.random)
    expect_all_answered([step for steps in sequences for step in steps], "saves at once")
    for steps in sequences[len(saves) :]:
        for step in steps:
            _is_a_history(step, [*histories, before], before)
    _is_a_history(await store.load(session).perform(is_expected=True), histories, before)


def _history_of(writer: int, size: int) -> list[Json]:
    count = writer % 4 + 1
    return [
        _message(f"message {place} of {writer}{'.' * (size // count)}") for place in range(count)
    ]


def _is_a_history(step: Step, histories: list[list[Json]], before: list[Json]) -> None:
    step.require_answer()
    answer = step.answer_as_given
    if any(are_equal(answer, one) for one in histories):
        return
    if answer is None:
        headline = "saves at once lose the session"
    elif answer == []:
        headline = "saves at once leave an empty history"
    elif are_equal(answer, before):
        headline = "saves at once are all lost"
    else:
        headline = "saves at once leave a history that nobody saved"
    violated(headline, demanded="one of the saved histories", answered=step.answered())


@must(
    "concurrency.arguments-do-not-cross",
    "Operations on different sessions at once: each lands in its own, and is answered for its own.",
    because="Chats of different people are served at the same time; an answer that goes to the "
    "wrong one is a leak.",
    remedy="Keep the arguments of an operation in local variables, not in the instance; one "
    "connection serves one operation at a time, and answers are matched to requests.",
)
async def arguments_do_not_cross(store: Subject) -> None:
    instances = await _several(store)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        sessions = [await store.create() for _ in range(SESSIONS)]
        at = [(instances[number % len(instances)], one) for number, one in enumerate(sessions)]
        # One kind after the other: that a save and an update of one session go together is not
        # asked here.
        for calls in (
            [one.save(session, [_message(f"of {n}")]) for n, (one, session) in enumerate(at)],
            [one.update(session, cost_data={"of": n}) for n, (one, session) in enumerate(at)],
        ):
            expect_all_answered(await at_once(*calls), "operations on different sessions at once")
        loads = await at_once(*(one.load(session) for one, session in at))
        _are_their_own(loads, [[_message(f"of {number}")] for number in range(SESSIONS)])
        if store.can(Capability.COST_READ):
            reads = await at_once(*(one.get_cost_data(session) for one, session in at))
            _are_their_own(reads, [{"of": number} for number in range(SESSIONS)])


def _are_their_own(steps: list[Step], written: list[Json]) -> None:
    expect_all_answered(steps, "reads of different sessions at once")
    for step, own in zip(steps, written, strict=True):
        if not are_equal(step.answer_as_given, own):
            violated(
                f"{step.operation} beside other sessions' operations answers what is not its own",
                demanded=word(own),
                answered=step.answered(),
            )


@must(
    "concurrency.one-create-wins",
    "Of many creates of one id at once exactly one works.",
    because="Two requests that begin one chat would each believe that it is theirs, and the second "
    "would empty what the first has saved.",
    remedy="INSERT against the primary key and nothing before it: no SELECT first. Redis: SET NX "
    "or HSETNX. Files: open with O_EXCL.",
    evidence=["adk-python#4955"],
)
async def one_create_wins(store: Subject) -> None:
    instances = await _several(store)
    await create_in_turn(instances)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = store.unused_id()
        steps = await at_once(*(one.create(session) for one in _in_turn(instances)))
        _one_works(steps, [step for step in steps if step.outcome == "answered"])
        await expect(store.load(session)).to_be([])


@must(
    "concurrency.one-delete-wins",
    "Of many deletes of one session at once exactly one answers True.",
    because="Whoever hears True settles the bill of the session, or removes its files.",
    remedy="Answer the row count of the DELETE itself; no SELECT before it. Redis: the answer of "
    "DEL.",
)
async def one_delete_wins(store: Subject) -> None:
    instances = await _several(store)
    await delete_in_turn(instances)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = await store.create()
        steps = await at_once(*(one.delete(session) for one in _in_turn(instances)))
        expect_all_answered(steps, "deletes at once")
        _one_works(steps, [step for step in steps if step.answer_as_given is True])
        await expect(store.exists(session)).to_be(False)


def _one_works(steps: list[Step], winners: list[Step]) -> None:
    if len(winners) != 1:
        what = f"{len(winners) or 'none'} of {len(steps)} {steps[0].operation}s at once"
        violated(
            f"{what} {'work' if len(winners) > 1 else 'works'}",
            demanded="that one works, and the others learn that it was not they",
            answered="; ".join(step.answered() for step in steps),
        )


@must(
    "concurrency.true-means-stored",
    "An update at once with a delete answers True only if it came first: nothing of it is there "
    "afterwards, and an update that begins when the delete has answered is told False. What is "
    "saved after the delete stands beside it.",
    because="Figures that were acknowledged and are nowhere are never billed; a session that an "
    "update has brought back is never deleted again.",
    remedy="Answer the row count of the UPDATE that writes; no SELECT before it, no upsert. With a "
    "table for cost data: write it in a transaction that holds the session's row. A version to "
    "compare: let it begin at random, or a session that is made again has the old one.",
    needs={Capability.COST_READ},
    evidence=["origin"],
)
async def true_means_stored(store: Subject) -> None:
    instances = await _several(store)
    await delete_in_turn(instances)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = await store.create()
        await begin_with(store, session, messages=[_message("old")], cost_data={"old": 1})
        updates: list[list[Call[Any]]] = [
            [one.update(session, cost_data={f"key {number}": turn}) for turn in range(4)]
            for number, one in enumerate(_in_turn(instances))
        ]
        deletes: list[Call[Any]] = [instances[-1].delete(session)]
        sequences = await side_by_side(
            *updates[:6], deletes, *updates[6:], stagger=store.stand.random
        )
        (deleted,) = sequences[6]
        expect_all_answered(
            [step for steps in sequences for step in steps], "updates beside delete"
        )
        await _is_gone(store, session)
        for step in (step for steps in sequences[:6] + sequences[7:] for step in steps):
            _is_false_when_gone(step, deleted)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        await _make_again_beside_updates(store, instances)


async def _make_again_beside_updates(store: Subject, instances: list[Subject]) -> None:
    """Delete a session that was written once, and write it once again, as many updates begin."""
    session = store.unused_id("again")
    await begin_with(store, session, messages=[_message("old")])
    updates: list[list[Call[Any]]] = [
        [one.update(session, cost_data={f"key {number}": 1})]
        for number, one in enumerate(_in_turn(instances)[:8])
    ]
    again: list[Call[Any]] = [
        instances[-1].delete(session),
        instances[-1].save(session, [_message("new")]),
    ]
    sequences = await side_by_side(*updates, again, stagger=store.stand.random)
    expect_all_answered(
        [step for steps in sequences for step in steps], "updates beside delete and save"
    )
    # Read where it was written: that others see it at once is another clause's.
    await expect(instances[-1].load(session)).to_be(
        [_message("new")],
        rather_than={"an update at once with a delete brings old messages back": [_message("old")]},
    )


def _is_false_when_gone(step: Step, deleted: Step) -> None:
    if deleted.ended is not None and step.began > deleted.ended and step.answer_as_given is True:
        violated(
            "update answers True for a session that was deleted before it began",
            demanded="False",
            answered=step.answered(),
        )


async def _is_gone(store: Subject, session: str) -> None:
    await expect(store.exists(session)).to_be(
        False, rather_than={"an update at once with a delete brings the session back": True}
    )
    await store.save(session, [])
    step = await store.get_cost_data(session).perform(is_expected=True)
    step.require_answer()
    if step.answer_as_given != {}:
        violated(
            "an update at once with a delete leaves its cost data behind",
            demanded="{}",
            answered=step.answered(),
        )


@must(
    "concurrency.contention-is-not-an-error",
    "Mixed operations at once never surface the driver's contention (`locked`, `operation in "
    "progress`, a unique violation).",
    because="Nothing is wrong with such a request; it was one of two.",
    remedy="SQLite: `timeout=`, BEGIN IMMEDIATE for what writes, one connection for one operation "
    "at a time. asyncpg: a pool, not a connection. PostgreSQL: upserts with ON CONFLICT; try "
    "serialisation failures and deadlocks (40001, 40P01) again.",
    evidence=["openai-agents-python#2854"],
)
async def contention_is_not_an_error(store: Subject) -> None:
    instances = await _several(store)
    for call in _mixed(store, store.unused_id("in-turn"), 0):
        await call
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        shared = store.unused_id("shared")
        sequences = await side_by_side(
            *(_mixed(one, shared, number) for number, one in enumerate(_in_turn(instances))),
            stagger=store.stand.random,
        )
        expect_all_answered(
            [step for steps in sequences for step in steps], "mixed operations at once"
        )


def _mixed(store: Subject, shared: str, number: int) -> list[Call[Any]]:
    own = store.unused_id("own")
    calls: list[Call[Any]] = [
        store.save(shared, [_message(f"of {number}")]),
        store.create(own),
        store.update(shared, cost_data={f"of {number}": 1}),
        store.load(shared),
        store.save(store.unused_id("saved"), [_message("own")]),
        store.exists(shared),
        store.delete(own if number % 2 else shared),
    ]
    if store.can(Capability.COST_READ):
        calls.append(store.get_cost_data(shared))
    if store.can(Capability.RETENTION):
        calls.append(store.delete_before(LONG_AGO))
    # Each client begins elsewhere in the row, so that different operations meet.
    turn = number % len(calls)
    return calls[turn:] + calls[:turn]


@must(
    "concurrency.histories-are-linearisable",
    "Some order of the operations on a session, one that respects real time, explains every "
    "answer, on one instance and on several.",
    because="It is what a caller relies on without a thought: what was written is there, what was "
    "read was there, and nothing comes back that was over.",
    remedy="Each operation takes effect at one instant between its call and its answer: one "
    "statement or one transaction, committed before it is answered. No read from a copy that lags "
    "behind, from a cache that is not told, or in a transaction that an earlier read has begun. "
    "A request that is sent again must not be carried out again after a later one.",
    needs={Capability.COST_READ},
    covers=["lifecycle", "messages", "cost", "sharing", "concurrency"],
)
async def histories_are_linearisable(store: Subject) -> None:
    await expect_an_order(store, await _several(store))


@must(
    "concurrency.processes-are-linearisable",
    "Some order of the operations on a session, one that respects real time, explains every "
    "answer, in several processes.",
    because="The workers of a chat server are processes: what a lock or a cache in one of them "
    "keeps right, another one does not know of.",
    remedy="Let the storage decide, not a lock of the process: one statement or one transaction, "
    "that takes its lock before it reads (SQLite: BEGIN IMMEDIATE; PostgreSQL: one statement, or "
    "FOR UPDATE; files: `flock` around reading and writing). No copy that outlives the operation.",
    needs={Capability.COST_READ, Capability.MULTI_PROCESS},
    follows=["concurrency.histories-are-linearisable"],
    covers=["lifecycle", "messages", "cost", "sharing", "concurrency"],
)
async def processes_are_linearisable(store: Subject) -> None:
    others = await asyncio.gather(store.elsewhere(), store.elsewhere())
    for other in others:
        await other.exists(other.unused_id())
    # The clock of all of them is that of this process: a call began before its process was told
    # of it, and had ended before it was told what came of it.
    await expect_an_order(store, [store, *others])


@should(
    "concurrency.sessions-do-not-block-each-other",
    "A slow operation on one session does not hold up another session's.",
    because="One long chat, or one answer that is late, makes every other chat of the process "
    "wait.",
    remedy="No lock around the whole store: one for each session, if any. More than one "
    "connection, and none held while something else is waited for.",
    needs={Capability.FAULTS},
    evidence=["adk-python#4655"],
)
async def sessions_do_not_block_each_other(store: Subject) -> None:
    network = await behind_proxy(store)
    slow = await network.session("slow")
    for call in (
        network.subject.load(slow),
        network.subject.save(slow, MESSAGES),
        network.subject.update(slow, cost_data={"turns": 2}),
    ):
        store.stand.history.restart()
        await expect_others_are_served(network, slow, [call])
    store.stand.note("what the kit did: 3 answers held back")


STALL = 0.001
"""Seconds that a store has to wait in each of many calls before it counts as blocking: a commit
on a disk takes as long, and a thread that is interrupted by others now and then does not."""


@should(
    "concurrency.event-loop-stays-free",
    "While an operation waits for its storage, other tasks of the loop run.",
    because="A store that waits in the loop makes every chat of the process wait with it.",
    remedy="An asynchronous driver (aiosqlite, asyncpg, httpx), or `asyncio.to_thread` around the "
    "blocking call; no `time.sleep`, no `requests`, no sqlite3 in a coroutine.",
)
async def event_loop_stays_free(store: Subject) -> None:
    session = await store.create()
    await _expect_free(lambda number: store.save(session, [_message(f"save {number}")]))
    await _expect_free(lambda number: store.update(session, cost_data={"turns": number}))
    await _expect_free(lambda _: store.load(session))


async def _expect_free(call: Callable[[int], Call[Any]]) -> None:
    """Demand of one of many calls that it does not wait in the loop."""
    stalls: list[float] = []
    for number in range(15):
        watch = StallWatch()
        step = await call(number).perform(is_expected=False, through=watch.over)
        step.require_answer()
        stalls.append(watch.longest)
        if watch.longest <= STALL:
            return
    violated(
        f"{step.operation} blocks the event loop: {min(stalls) * 1000:.0f} ms in each of 15",
        demanded="that other tasks run while it waits",
        answered=f"waited in the loop for {min(stalls) * 1000:.1f} ms and more each time",
    )
