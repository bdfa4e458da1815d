"""The history of a chat is opaque JSON that comes back whole, in order, as it was saved."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import OldPlace, must
from ..effort import NORMAL
from ..expect import NothingFound, expect, violated
from ..old_layout import SESSION as OLD_SESSION
from ..old_layout import untouched
from ..values import are_equal, word
from .procedures.beginning import begin_with, make_sure
from .procedures.conversation import CHAT, CUT_OFF, OPEN_CALL
from .procedures.sizes import written

if TYPE_CHECKING:
    from ..interface import Json
    from ..subject import Subject

ONE = {"role": "user", "content": "one"}
TWO = {"role": "assistant", "content": "two"}
THREE = {"role": "user", "content": "three"}
FOUR = {"role": "assistant", "content": "four"}

KEEPS_OTHERS = "migration.keeps-what-it-does-not-know"

UNSTORABLE: tuple[Any, ...] = (
    object(),
    {1, 2},
    b"bytes",
    datetime(2026, 1, 2, tzinfo=UTC),
    float("nan"),
    "lone surrogate \ud800",
    "NUL \x00",
)
"""Values of which a store refuses some: what is no JSON, and what some databases can't keep."""


@must(
    "messages.save-then-load",
    "`load` answers what the last `save` was given, in the same order.",
    because="The history is what the model is asked with; a message out of place changes its "
    "answer.",
    remedy="Keep the list as one JSON value, or number the rows and ORDER BY that number, never "
    "by a time.",
    evidence=["openai-agents-python#1900"],
)
async def save_then_load(store: Subject) -> None:
    session = await store.create()
    await expect(store.save(session, [ONE])).to_succeed()
    await expect(store.save(session, [ONE, TWO, THREE])).to_succeed()
    await expect(store.load(session)).to_be(
        [ONE, TWO, THREE],
        rather_than={
            "load answers the messages in reverse order": [THREE, TWO, ONE],
            "save stores nothing": [],
            "save loses the session": None,
            "the first save stands": [ONE],
            "save appends to the history": [ONE, ONE, TWO, THREE],
            "save adds only one message": [ONE, THREE],
        },
    )


@must(
    "messages.save-replaces-the-history",
    "`save` replaces the whole history; a shorter or an empty one too.",
    because="Histories get shorter: they are summarised, edited, undone. What was taken out must "
    "not come back.",
    remedy="UPDATE the whole value; with a row for each message, DELETE and INSERT in one "
    "transaction. No `if messages:` before the write. An ORM writes nothing that equals the old, "
    "as True, 1 and 1.0 do in Python. SQLAlchemy: a type whose `compare_values` compares JSON "
    "texts, or `flag_modified`.",
)
async def save_replaces_the_history(store: Subject) -> None:
    session = await store.create()
    await store.save(session, [ONE, TWO, THREE])
    await store.save(session, [TWO, FOUR])
    await expect(store.load(session)).to_be(
        [TWO, FOUR],
        rather_than={
            "save appends to the history": [ONE, TWO, THREE, TWO, FOUR],
            "save overwrites the head and keeps the tail": [TWO, FOUR, THREE],
            "save keeps the longer history": [ONE, TWO, THREE],
            "save adds only messages that are new": [ONE, TWO, THREE, FOUR],
        },
    )
    await expect(store.save(session, [])).to_succeed()
    await expect(store.load(session)).to_be(
        [],
        rather_than={
            "save of an empty history is ignored": [TWO, FOUR],
            "save of an empty history deletes the session": None,
        },
    )
    await _replaces_what_is_alike(store, session)


LONG: list[Json] = [{"id": "1", **ONE}, {"id": "2", **TWO}, {"id": "3", **THREE}]
EDITED: list[Json] = [{"id": "1", **ONE, "content": "one, edited"}, *LONG[1:], FOUR]
MARKED: list[Json] = [EDITED[0], {**EDITED[1], "votes": 1}, *EDITED[2:]]
AGREED: list[Json] = [EDITED[0], {**EDITED[1], "votes": True}, *EDITED[2:]]


async def _replaces_what_is_alike(store: Subject, session: str) -> None:
    """Save histories of which each is in some way what is there: its length, its end, its ids."""
    await begin_with(store, session, messages=LONG)
    await store.save(session, EDITED)
    await expect(store.load(session)).to_be(
        EDITED,
        rather_than={
            "save keeps what is there and adds what is beyond it": [*LONG, FOUR],
            "save of a longer history is ignored": LONG,
        },
    )
    await store.save(session, MARKED)
    await expect(store.load(session)).to_be(
        MARKED, rather_than={"save of a history of the same length and end is ignored": EDITED}
    )
    await store.save(session, AGREED)
    await expect(store.load(session)).to_be(
        AGREED, rather_than={"save takes true for the 1 that is there": MARKED}
    )
    # Of many saves the last one stands too: past 256 at thorough effort, where a small number ends.
    turns = 8 * max(store.stand.effort.rounds - NORMAL.rounds, 1)
    for turn in range(turns):
        await store.save(session, [ONE, {"turn": turn}])
    await expect(store.load(session)).to_be([ONE, {"turn": turns - 1}])


@must(
    "messages.save-creates-a-missing-session",
    "`save` of an unknown id creates the session, with no cost data; it is one like any other.",
    because="A client brings its own id, or the session was cleaned up while the chat was open; "
    "the turn must not be lost.",
    remedy="An upsert: `INSERT ... ON CONFLICT (session_id) DO UPDATE SET messages = ...`.",
    evidence=["seed"],
)
async def save_creates_a_missing_session(store: Subject) -> None:
    session = store.unused_id("unknown")
    await expect(store.save(session, [ONE])).to_succeed()
    await expect(store.load(session)).to_be(
        [ONE], rather_than={"save of an unknown session is lost": None}
    )
    await expect(store.exists(session)).to_be(
        True, rather_than={"a session that was made by save does not exist": False}
    )
    if store.can(Capability.COST_READ):
        costs: object = await store.get_cost_data(session)
        if isinstance(costs, dict) and costs:
            violated(
                "a session that was made by save has cost data",
                demanded="none",
                answered=word(costs),
            )
    await expect(store.update(session, cost_data={"turns": 1})).to_be(
        True, rather_than={"a session that was made by save takes no update": False}
    )
    # As one that was made by create is deleted: what delete answers is another clause's.
    as_created = await store.delete(await store.create())
    await expect(store.delete(session)).to_be(
        as_created, rather_than={"a session that was made by save is not deleted": False}
    )


@must(
    "messages.save-keeps-cost-data",
    "`save` leaves cost data as it was.",
    because="The server saves after every turn. A save that writes the whole row sets the bill of "
    "the session to nothing each time.",
    remedy="Write the columns that save owns: `ON CONFLICT (session_id) DO UPDATE SET messages = "
    "excluded.messages, updated_at = excluded.updated_at`. Not INSERT OR REPLACE, which is DELETE "
    "and INSERT. In a key-value store keep cost data under a key or hash field of its own.",
    needs={Capability.COST_READ},
    evidence=["seed", "cockroach#9474", "origin"],
)
async def save_keeps_cost_data(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, cost_data={"turns": 1, "model": "m"})
    for messages in ([ONE], [ONE, TWO], []):
        await store.save(session, messages)

        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1, "model": "m"}, rather_than={"save resets cost data": {}}
        )


@must(
    "messages.save-owns-only-messages",
    "`save` leaves every column that it does not own as it was, and the row keeps its identity.",
    because="Operators add columns (tenant, title) and point foreign keys at the row; an INSERT OR "
    "REPLACE empties the ones and cascades along the others.",
    remedy="`ON CONFLICT (session_id) DO UPDATE SET messages = ..., updated_at = ...`.",
    needs={Capability.MIGRATION, Capability.REFERENCE_LAYOUT},
    evidence=["mkt-cli#19", "express-mysql-session#20"],
    old_place=OldPlace.WITHOUT_COST_DATA,
)
async def save_owns_only_messages(store: Subject) -> None:
    await make_sure(store.exists(OLD_SESSION), answer=True)
    if not are_equal(await store.stand.look_at_old_session(), untouched()):
        raise NothingFound(f"opening has changed the row: see {KEEPS_OTHERS}")

    await expect(store.save(OLD_SESSION, [ONE])).to_succeed()
    await expect(store.load(OLD_SESSION)).to_be([ONE])
    row = await store.stand.look_at_old_session()
    if not are_equal(row, untouched()):
        violated(
            "save changes columns that it does not own",
            demanded=word(untouched()),
            answered=word(row),
        )


@must(
    "messages.any-message-shape",
    "Messages are opaque JSON: unknown members, nulls, repeated and empty messages come back as "
    "they were.",
    because="Providers add members (tool calls, refusals, reasoning, audio) that no schema of "
    "today knows; a store that drops them breaks the next request.",
    remedy="Store the list as JSON; do not map it on a model with known fields, do not drop nulls, "
    "do not remove duplicates.",
)
async def any_message_shape(store: Subject) -> None:
    shapes: list[Any] = [
        {},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": ""},
        {"content": [{"type": "text", "text": "hi"}, {"type": "image", "url": None}]},
        {"role": "tool", "tool_call_id": "call_1", "x-unknown": {"deep": [[], {}, [{}]]}},
        {"role": "user", "content": "again"},
        {"role": "user", "content": "again"},
        {"id": 7, "id_": "7", "ID": True, "score": 0.5, "tags": []},
        {"messages": [], "session_id": "not ours", "cost_data": {"not": "ours"}},
    ]
    session = await store.create()
    await expect(store.save(session, shapes)).to_succeed()
    await expect(store.load(session)).to_be(
        shapes,
        rather_than={
            "empty messages are dropped": shapes[1:],
            "nulls are dropped": [
                {name: value for name, value in one.items() if value is not None} for one in shapes
            ],
            "repeated messages are dropped": shapes[:6] + shapes[7:],
        },
    )
    for chat in ([*CHAT, OPEN_CALL], [*CHAT, OPEN_CALL, CUT_OFF]):
        # In a session of its own: that a history gives way to another is not asked here.
        session = await store.create()
        await expect(store.save(session, chat)).to_succeed()
        await expect(store.load(session)).to_be(
            chat,
            rather_than={
                "system messages are dropped": _but_of(chat, "system"),
                "system messages are put first": [chat[2], *_but_of(chat, "system")],
                "messages are put in the order of their times": _by_time(chat),
                "of messages with one id one is kept": [*chat[:5], *chat[6:]],
                "what a chat ends with is dropped": chat[:-1],
            },
        )


def _but_of(chat: list[Json], role: str) -> list[Json]:
    return [one for one in chat if one["role"] != role]


def _by_time(chat: list[Json]) -> list[Json]:
    return sorted(chat, key=lambda one: str(one["timestamp"]))


@must(
    "messages.long-histories",
    "Nothing is cut: long histories and long texts come back whole.",
    because="Agents run for thousands of turns and paste whole files.",
    remedy="TEXT or JSONB, not VARCHAR(n); MySQL: LONGTEXT, as TEXT ends at 64 KiB. No LIMIT and "
    "no page size in load.",
)
async def long_histories(store: Subject) -> None:
    session = await store.create()
    many = [{"role": "user", "content": f"message {number}"} for number in range(3000)]
    await expect(store.save(session, many)).to_succeed()
    await expect(store.load(session)).to_be(many)

    # That updates keep a short history, and are kept beside it, is another clause's.
    brief = await store.create()
    for turns in (1, 2):
        await begin_with(store, brief, messages=[ONE], cost_data={"turns": turns})
    # In a session of its own: that a history gives way to another is not asked here.
    other = await store.create()
    long = await written(store, partial(store.save, other), _long_history, "size")
    await expect(store.load(other)).to_be(long)
    for turns in (1, 2):
        await store.update(other, cost_data={"turns": turns})
        await expect(store.load(other)).to_be(
            long,
            rather_than={"update empties a long history": [], "update loses a long history": None},
        )
        if store.can(Capability.COST_READ):
            await expect(store.get_cost_data(other)).to_be(
                {"turns": turns},
                rather_than={"a later update beside a long history is lost": {"turns": 1}},
            )

    # Whether messages may be short and alike is another clause's.
    begun = _short_messages(2)
    alike = [*begun, *begun, begun[1]]
    await begin_with(store, await store.create(), messages=alike)
    another = await store.create()
    short = await written(store, partial(store.save, another), _short_messages, "members")
    await expect(store.load(another)).to_be(short)


def _short_messages(count: int) -> list[Json]:
    # So short that a document of 400 KB, the most of some stores, still holds those of `normal`.
    return [{"n": number % 100} for number in range(count)]


def _long_history(size: int) -> list[Json]:
    return [{"role": "user", "content": long_text(size)}, ONE]


def long_text(size: int) -> str:
    """Answer a text of about `size` bytes; it is never much shorter than 70,000 characters.

    The last 45,000 have three bytes each: of pieces of 64 KiB one ends within a character.
    """
    # Less is left for the others, as JSON writes six bytes for each of these where it is ASCII.
    return "0123456789abcdef" * max((size - 200_000) // 16, 1_500) + "\u20ac" * 45_000


@must(
    "messages.refused-save-changes-nothing",
    "A `save` that raises leaves the earlier messages and cost data as they were.",
    because="The caller sees an error and goes on with what it knows to be stored.",
    remedy="Encode and check before the first statement; one transaction for all of them; a row "
    "for each message is written in one transaction as well.",
    evidence=["agno#9399"],
)
async def refused_save_changes_nothing(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, messages=[ONE, TWO], cost_data={"turns": 1})
    refused = 0
    for value in UNSTORABLE:
        step = await store.save(session, [THREE, {"content": value}]).perform(is_expected=True)
        if step.outcome == "answered":
            await store.save(session, [ONE, TWO])
            continue
        refused += 1
        await expect(store.load(session)).to_be(
            [ONE, TWO],
            rather_than={
                "a save that raised has emptied the history": [],
                "a save that raised has stored a part": [THREE],
                "a save that raised has deleted the session": None,
                "a save that raised has added a part": [ONE, TWO, THREE],
            },
        )
        if store.can(Capability.COST_READ):
            await expect(store.get_cost_data(session)).to_be(
                {"turns": 1}, rather_than={"a save that raised has reset cost data": {}}
            )
    if not refused:
        raise NothingFound("the store refused no value, so no refused save could be looked at")


NO_LISTS: tuple[tuple[Any, str], ...] = (
    (None, "None"),
    ({"role": "user"}, "an object"),
    ("hi", "a text"),
    ({}, "an empty object"),
    ("", "an empty text"),
    (0, "the number 0"),
    (False, "false"),
)
"""What is handed over instead of messages; the last ones hold nothing, as an empty list does."""


@must(
    "messages.must-be-a-list",
    "Messages that are no list (None, an object, a text) are refused before anything is stored.",
    because="What is stored is then no history, and every later load of the chat fails.",
    remedy="`if not isinstance(messages, list): raise ...` as the first line of save.",
    evidence=["origin"],
)
async def must_be_a_list(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, messages=[ONE])
    for value, name in NO_LISTS:
        await expect(store.save(session, value)).to_be_refused(f"save takes {name} for messages")
        await expect(store.load(session)).to_be(
            [ONE],
            rather_than={
                f"save refuses {name} after it has stored it": value,
                f"save refuses {name} after it has emptied the history": [],
            },
        )
