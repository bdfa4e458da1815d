"""Sessions come into being, are told from missing ones, and go."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must, should
from ..expect import NothingFound, expect, expect_all_answered, violated
from ..subject import at_once
from ..values import are_equal, word
from .procedures.beginning import begin_with, make_sure
from .procedures.many import GROUP, in_groups

if TYPE_CHECKING:
    from ..history import Step
    from ..interface import Json
    from ..subject import Subject

HELLO = {"role": "user", "content": "hello"}
LONG = 100_000
"""Characters of a history of which many are kept; more may be refused."""


@must(
    "lifecycle.create-keeps-the-given-id",
    "`create(id)` answers that id, and the session exists from then on, with no messages and no "
    "cost data.",
    because="The client chose the id and comes back with it.",
    remedy="Store the id as it was given and insert the row at once, not at the first save.",
)
async def create_keeps_the_given_id(store: Subject) -> None:
    given = store.unused_id("given")
    await expect(store.create(given)).to_be(given)
    await expect(store.exists(given)).to_be(
        True, rather_than={"create stores nothing before the first save": False}
    )
    await expect(store.load(given)).to_be(
        [], rather_than={"a created session is taken for a missing one": None}
    )
    if store.can(Capability.COST_READ):
        costs: object = await store.get_cost_data(given)
        if isinstance(costs, dict) and costs:
            violated("a created session has cost data", demanded="none", answered=word(costs))


@must(
    "lifecycle.create-makes-fresh-ids",
    "`create()` answers a non-empty id that no other call, instance or process has been given.",
    because="Two chats under one id read and overwrite each other.",
    remedy="`uuid.uuid4().hex` or `secrets.token_hex(16)`. No counter and no clock: several "
    "processes start at the same number at the same time.",
)
async def create_makes_fresh_ids(store: Subject) -> None:
    instances = [store]
    if store.can(Capability.SHARED):
        instances.append(await store.another())
    if store.can(Capability.MULTI_PROCESS):
        instances.append(await store.elsewhere(anew=True))
    # The first use of an instance is another clause's: here each has been used.
    for one in instances:
        await one.exists(store.unused_id())
    given: set[str] = set()
    steps = await at_once(*(one.create() for one in instances for _ in range(8)))
    expect_all_answered(steps, "creates at once")
    for step in steps:
        if not isinstance(step.answer, str) or not step.answer:
            violated("create answers no id", demanded="a fresh id", answered=step.answered())
        if step.answer in given:
            violated(
                "create answers one id twice",
                demanded="an id that was not given before",
                answered=step.answered(),
            )
        given.add(step.answer)


ENOUGH_BITS = 62
"""Of 64 that are demanded: 200 ids show some 2 bits less than there are (64 symbols, 11 places)."""


@should(
    "lifecycle.fresh-ids-are-unguessable",
    "Generated ids carry at least 64 random bits.",
    because="The id is often all that is needed to read a chat.",
    remedy="`secrets.token_hex(16)` (128 bits); a short prefix does no harm.",
    evidence=["origin"],
)
async def fresh_ids_are_unguessable(store: Subject) -> None:
    steps = await in_groups(store.create() for _ in range(200))
    for step in steps:
        step.require_answer()
    ids = [step.answer_as_given for step in steps]
    if not all(isinstance(one, str) for one in ids):
        raise NothingFound("ids are no texts: see interface.answers-have-the-declared-type")
    bits = _bits_that_vary(ids)
    if bits < ENOUGH_BITS:
        violated(
            f"generated ids carry about {bits:.0f} random bits",
            demanded="64 bits",
            answered=f"{ids[0]!r}, {ids[1]!r}, {ids[2]!r}, ...",
        )


def _bits_that_vary(ids: list[str]) -> float:
    length = max(map(len, ids))
    columns = zip(*(one.ljust(length) for one in ids), strict=True)
    return sum(math.log2(len(set(column))) for column in columns)


@must(
    "lifecycle.create-refuses-a-taken-id",
    "`create` of an id that exists raises and changes nothing.",
    because="A client that tries again, or two clients with one id, would empty a chat.",
    remedy="A plain INSERT against the primary key, and the unique violation as an exception of "
    "your own; `SET ... NX` in a key-value store. Not INSERT OR REPLACE, not ON CONFLICT DO "
    "NOTHING.",
    evidence=["adk-python#2950", "adk-python#6887"],
)
async def create_refuses_a_taken_id(store: Subject) -> None:
    session = store.unused_id()
    await store.create(session)
    await begin_with(store, session, messages=[HELLO], cost_data={"turns": 1})

    await expect(store.create(session)).to_be_refused(
        "create answers a taken id as if it were free"
    )
    await expect(store.load(session)).to_be(
        [HELLO], rather_than={"create of a taken id empties the session": []}
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1}, rather_than={"create of a taken id resets cost data": {}}
        )
    saved = store.unused_id("saved")
    await store.save(saved, [HELLO])
    await expect(store.create(saved)).to_be_refused(
        "create answers an id that a save has taken as if it were free"
    )


@must(
    "lifecycle.missing-is-not-empty",
    "A missing session is None to `load`, False to `exists`, `update` and `delete`, and {} to "
    "`get_cost_data`; an empty one is [] to `load` and True to `exists` and `update`, also to an "
    "update that changes no value.",
    because="A server starts a chat anew when `load` says None; told [] for a missing session it "
    "never learns that the history is gone, and told None for an empty one it makes it twice.",
    remedy="Tell `row is None` from `row.messages == []`; never `if not messages`. MySQL counts "
    "the rows that changed, not those that were found: set CLIENT_FOUND_ROWS.",
)
async def missing_is_not_empty(store: Subject) -> None:
    missing = store.unused_id("missing")
    await expect(store.load(missing)).to_be(
        None, rather_than={"a missing session is loaded as an empty one": []}
    )
    await expect(store.exists(missing)).to_be(False)
    await expect(store.update(missing, cost_data={"turns": 1})).to_be(
        False, rather_than={"update of a missing session says that it was stored": True}
    )
    await expect(store.delete(missing)).to_be(
        False, rather_than={"delete of a missing session says that it removed it": True}
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(missing)).to_be({})

    empty = await store.create()
    await expect(store.load(empty)).to_be(
        [], rather_than={"an empty session is loaded as a missing one": None}
    )
    await store.save(empty, [])
    await expect(store.load(empty)).to_be(
        [], rather_than={"an empty history is loaded as a missing session": None}
    )
    await expect(store.exists(empty)).to_be(
        True, rather_than={"a session with an empty history counts as missing": False}
    )
    await expect(store.update(empty, cost_data={"turns": 1})).to_be(
        True, rather_than={"update of an empty session says that it is missing": False}
    )
    await expect(store.update(empty, cost_data={"turns": 1})).to_be(
        True,
        rather_than={"an update that changes no value says that the session is missing": False},
    )


@must(
    "lifecycle.delete-answers-whether-it-existed",
    "The first `delete` answers True, the second False, and nothing of the session can be read "
    "after the first.",
    because="Somebody asked for their data to be removed and was told that it is.",
    remedy="Answer `rowcount == 1`; remove every row, key and cache entry of the session in one "
    "transaction.",
)
async def delete_answers_whether_it_existed(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, messages=[HELLO], cost_data={"turns": 1})

    await expect(store.delete(session)).to_be(
        True, rather_than={"delete does not say that it removed the session": False}
    )
    await expect(store.load(session)).to_be(
        None,
        rather_than={
            "a deleted session keeps its messages": [HELLO],
            "a deleted session is loaded as an empty one": [],
        },
    )
    await expect(store.exists(session)).to_be(
        False, rather_than={"a deleted session still exists": True}
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(session)).to_be(
            {}, rather_than={"a deleted session keeps its cost data": {"turns": 1}}
        )
    await expect(store.delete(session)).to_be(
        False, rather_than={"delete answers True for a session that is gone": True}
    )


@must(
    "lifecycle.recreated-starts-empty",
    "A session made again after `delete`, by `create` or by `save`, has no old messages and no old "
    "cost data.",
    because="Ids come back (a thread, a ticket, a telephone number), and with them the deleted "
    "chat of somebody else.",
    remedy="Delete rows, do not flag them; when cost data lives in a table or key of its own, "
    "delete it in the same transaction.",
    evidence=["kagent#2331"],
)
async def recreated_starts_empty(store: Subject) -> None:
    session = store.unused_id()
    for make_again in (store.create(session), store.save(session, [])):
        await begin_with(store, session, messages=[HELLO], cost_data={"turns": 1})
        await make_sure(store.delete(session), answer=True)

        await expect(make_again).to_succeed()
        # That the session is there, and [] and not None, is for other clauses to demand.
        await expect(store.load(session)).to_be_one_of(
            [[], None], rather_than={"a session made again has its old messages": [HELLO]}
        )
        if store.can(Capability.COST_READ):
            await expect(store.get_cost_data(session)).to_be(
                {}, rather_than={"a session made again has its old cost data": {"turns": 1}}
            )


@must(
    "lifecycle.reads-change-nothing",
    "`load`, `exists` and `get_cost_data` create nothing and change nothing.",
    because="Anybody who asks for an id would otherwise fill the store with empty sessions, and "
    "looking at a chat would alter it.",
    remedy="Read with SELECT or GET; no `setdefault`, no get-or-create.",
)
async def reads_change_nothing(store: Subject) -> None:
    missing = store.unused_id("missing")
    session = await store.create()
    await store.save(session, [HELLO])
    await store.update(session, cost_data={"turns": 1})
    unread = await store.load(missing)
    await make_sure(store.load(session), [HELLO])
    can_read_costs = store.can(Capability.COST_READ)
    if can_read_costs:
        await make_sure(store.get_cost_data(session), {"turns": 1})
    for one in (missing, session):
        for _ in range(2):
            await store.load(one)
            if can_read_costs:
                await store.get_cost_data(one)
            await store.exists(one)

    await expect(store.exists(missing)).to_be(
        False, rather_than={"reading a missing session creates it": True}
    )
    await expect(store.load(missing)).to_be(
        unread, rather_than={"a missing session is found when it is read again": []}
    )
    await expect(store.load(session)).to_be(
        [HELLO], rather_than={"reading a session empties it": []}
    )
    if can_read_costs:
        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1}, rather_than={"reading a session resets its cost data": {}}
        )


@must(
    "lifecycle.many-sessions-are-all-there",
    "However many sessions there are, and however much they hold together, each is there with what "
    "was saved; none gives way to another.",
    because="A service has as many chats as it has users; the one that is gone is an old user's.",
    remedy="No cache with a size is the only copy; no page size in a lookup; an index on the id, "
    "so that the last session is found as quickly as the first. diskcache: "
    '`eviction_policy="none"`. LMDB: a `map_size` that no disk has room for.',
)
async def many_sessions_are_all_there(store: Subject) -> None:
    many = [store.unused_id("many") for _ in range(store.stand.effort.sessions)]
    text = "0123456789" * (LONG // 10)
    long = [store.unused_id("long") for _ in range(store.stand.effort.long_sessions)]
    short_ones: dict[str, Json] = {one: [_message(f"of {one}")] for one in many}
    long_ones: dict[str, Json] = {one: [_message(f"{one} {text}")] for one in long}
    for step in await _save_all(store, short_ones):
        step.require_answer()
    await _expect_all_there(store, short_ones)
    expect_all_answered(await _save_all(store, long_ones), "saves of much")
    await _expect_all_there(store, long_ones)
    # The oldest are the first to give way.
    await _expect_all_there(store, {one: short_ones[one] for one in many[:GROUP]})
    await expect(store.exists(many[0])).to_be(True)


def _message(content: str) -> Json:
    return {"role": "user", "content": content}


async def _save_all(store: Subject, histories: dict[str, Json]) -> list[Step]:
    store.stand.history.restart()
    # That a save makes a session is another clause's.
    last, history = next(reversed(histories.items()))
    await begin_with(store, last, messages=history)
    await make_sure(store.exists(last), answer=True)
    return await in_groups(store.save(*one) for one in histories.items())


async def _expect_all_there(store: Subject, histories: dict[str, Json]) -> None:
    steps = await in_groups(map(store.load, histories))
    expect_all_answered(steps, "loads of many sessions")
    lost = [
        step
        for step, history in zip(steps, histories.values(), strict=True)
        if not are_equal(step.answer_as_given, history)
    ]
    if lost:
        violated(
            f"of {len(histories):,} sessions {len(lost):,} are not as they were saved",
            demanded="each with what was saved",
            answered=f"{lost[0].call()}  ->  {lost[0].answered()}",
        )
