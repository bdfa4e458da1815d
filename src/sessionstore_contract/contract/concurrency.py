"""Operations at once have the effect of the same operations in some order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must, should
from ..expect import expect, expect_all_answered, violated
from ..subject import at_once, side_by_side
from ..values import are_equal, word
from .procedures.batches import FEWER, MORE, history_in_batches
from .procedures.beginning import begin_with, make_sure
from .procedures.clients import message, several, twelve_of
from .procedures.deleted_meanwhile import (
    expect_false_when_gone,
    expect_gone,
    make_again_beside_updates,
)
from .procedures.disjoint_keys import write_disjoint_keys
from .procedures.free_loop import expect_free
from .procedures.in_turn import (
    create_in_turn,
    delete_in_turn,
    make_again_in_turn,
    save_in_turn,
    update_in_turn,
)
from .procedures.network import MESSAGES, behind_proxy
from .procedures.orders import expect_an_order
from .procedures.stuck import expect_others_are_served
from .procedures.whole_histories import history_of, save_beside_deletes, save_beside_reads

if TYPE_CHECKING:
    from ..history import Call, Step
    from ..interface import Json
    from ..subject import Subject

BESIDE = 60
"""Updates of as many other sessions beside those of one."""

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
            await write_disjoint_keys([store])
        else:
            await write_disjoint_keys([store], LARGE_COSTS, beside=BESIDE)


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
        await write_disjoint_keys(instances)


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
        await write_disjoint_keys([store, near, far])


@must(
    "concurrency.same-key-is-one-of-the-written",
    "Updates of one key at once leave one of the written values, whole; nobody reads another.",
    because="Two turns write the same total; a mixture of both, or neither, is nobody's figure.",
    remedy="Write a key's value whole, in the statement that merges; no member of it by itself.",
    needs={Capability.COST_READ},
)
async def same_key_is_one_of_the_written(store: Subject) -> None:
    instances = await several(store)
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
    instances = await several(store)
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
    instances = await several(store)
    await save_in_turn(instances)
    await update_in_turn(instances)
    for turn in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = await store.create()
        await begin_with(store, session, messages=[message("old")], cost_data={"old": 1})
        figures = {f"tool {number}": number for number in range(6)}
        saves: list[Call[Any]] = [
            instances[number % len(instances)].save(session, [message(f"turn {number}")])
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
            [[message(f"turn {number}")] for number in range(6)],
            rather_than={"saves and updates at once lose the messages": [message("old")]},
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
    "Saves of one session at once leave one of the histories, whole, or nothing where it is "
    "deleted after them; nobody reads another.",
    because="Two tabs of one chat save; a history with messages of both is a chat that never took "
    "place.",
    remedy="One statement for the whole list. A row for each message: DELETE and INSERT in one "
    "transaction that holds the session's row first, and so does `delete`; `load` asks in one "
    "statement whether the session is there and for its messages, or in a snapshot.",
)
async def saves_leave_one_whole_history(store: Subject) -> None:
    instances = await several(store)
    await save_in_turn(instances)
    # A store that writes many messages in batches is to write all of them in one transaction.
    before, after = history_in_batches(FEWER, "old"), history_in_batches(MORE, "new")
    await save_beside_reads(instances, before, [after], readers=2, often=4)
    for turn in range(store.stand.effort.rounds):
        histories = [history_of(writer, LARGE if turn == 0 else 0) for writer in range(10)]
        if turn == 0:
            # That a long history is kept is another clause's.
            await begin_with(store, await store.create(), messages=histories[-1])
        await save_beside_reads(instances, [message("old")], histories, readers=6, often=4)
    await make_again_in_turn(instances)
    for _ in range(store.stand.effort.rounds):
        await save_beside_deletes(instances, SESSIONS)


@must(
    "concurrency.arguments-do-not-cross",
    "Operations on different sessions at once: each lands in its own, and is answered for its own.",
    because="Chats of different people are served at the same time; an answer that goes to the "
    "wrong one is a leak.",
    remedy="Keep the arguments of an operation in local variables, not in the instance; one "
    "connection serves one operation at a time, and answers are matched to requests.",
)
async def arguments_do_not_cross(store: Subject) -> None:
    instances = await several(store)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        sessions = [await store.create() for _ in range(SESSIONS)]
        at = [(instances[number % len(instances)], one) for number, one in enumerate(sessions)]
        # One kind after the other: that a save and an update of one session go together is not
        # asked here.
        for calls in (
            [one.save(session, [message(f"of {n}")]) for n, (one, session) in enumerate(at)],
            [one.update(session, cost_data={"of": n}) for n, (one, session) in enumerate(at)],
        ):
            expect_all_answered(await at_once(*calls), "operations on different sessions at once")
        loads = await at_once(*(one.load(session) for one, session in at))
        _are_their_own(loads, [[message(f"of {number}")] for number in range(SESSIONS)])
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
    instances = await several(store)
    await create_in_turn(instances)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = store.unused_id()
        steps = await at_once(*(one.create(session) for one in twelve_of(instances)))
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
    instances = await several(store)
    await delete_in_turn(instances)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = await store.create()
        steps = await at_once(*(one.delete(session) for one in twelve_of(instances)))
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
    instances = await several(store)
    await delete_in_turn(instances)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        session = await store.create()
        await begin_with(store, session, messages=[message("old")], cost_data={"old": 1})
        updates: list[list[Call[Any]]] = [
            [one.update(session, cost_data={f"key {number}": turn}) for turn in range(4)]
            for number, one in enumerate(twelve_of(instances))
        ]
        deletes: list[Call[Any]] = [instances[-1].delete(session)]
        sequences = await side_by_side(
            *updates[:6], deletes, *updates[6:], stagger=store.stand.random
        )
        (deleted,) = sequences[6]
        expect_all_answered(
            [step for steps in sequences for step in steps], "updates beside delete"
        )
        await expect_gone(store, session)
        for step in (step for steps in sequences[:6] + sequences[7:] for step in steps):
            expect_false_when_gone(step, deleted)
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        await make_again_beside_updates(store, instances)


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
    instances = await several(store)
    for call in _mixed(store, store.unused_id("in-turn"), 0):
        await call
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        shared = store.unused_id("shared")
        sequences = await side_by_side(
            *(_mixed(one, shared, number) for number, one in enumerate(twelve_of(instances))),
            stagger=store.stand.random,
        )
        expect_all_answered(
            [step for steps in sequences for step in steps], "mixed operations at once"
        )


def _mixed(store: Subject, shared: str, number: int) -> list[Call[Any]]:
    own = store.unused_id("own")
    calls: list[Call[Any]] = [
        store.save(shared, [message(f"of {number}")]),
        store.create(own),
        store.update(shared, cost_data={f"of {number}": 1}),
        store.load(shared),
        store.save(store.unused_id("saved"), [message("own")]),
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
    await expect_an_order(store, await several(store))


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


@should(
    "concurrency.event-loop-stays-free",
    "While an operation waits for its storage, other tasks of the loop run.",
    because="A store that waits in the loop makes every chat of the process wait with it.",
    remedy="An asynchronous driver (aiosqlite, asyncpg, httpx), or `asyncio.to_thread` around the "
    "blocking call; no `time.sleep`, no `requests`, no sqlite3 in a coroutine.",
)
async def event_loop_stays_free(store: Subject) -> None:
    session = await store.create()
    await expect_free(lambda number: store.save(session, [message(f"save {number}")]))
    await expect_free(lambda number: store.update(session, cost_data={"turns": number}))
    await expect_free(lambda _: store.load(session))
    # A driver that waits is often one operation's alone, the one that was added last.
    await expect_free(lambda _: store.create(store.unused_id("made")))
    await expect_free(lambda _: store.exists(session))
    if store.can(Capability.COST_READ):
        await expect_free(lambda _: store.get_cost_data(session))
    if store.can(Capability.RETENTION):
        await expect_free(lambda _: store.delete_before(LONG_AGO))
    await expect_free(lambda _: store.delete(session))
