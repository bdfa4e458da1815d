"""Cost data is a JSON object that `update` merges one level deep, and nothing else touches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import model
from ..capabilities import Capability
from ..clause import OldPlace, must, should
from ..expect import NothingFound, expect
from ..old_layout import SESSION as OLD_SESSION
from .messages import UNSTORABLE
from .procedures.activity import in_a_later_instant
from .procedures.beginning import begin_with, make_sure
from .procedures.sizes import written

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hypothesis.strategies import SearchStrategy

    from ..history import Call
    from ..interface import Json
    from ..subject import Subject

HI = {"role": "user", "content": "hi"}
MERGE = (
    "Merge one level deep inside one transaction. PostgreSQL: `cost_data || $1`. SQLite: not "
    "`json_patch`, which merges nested objects and drops nulls; a registered function in one "
    "UPDATE, or read, merge and write under BEGIN IMMEDIATE. Redis: a hash field for each key."
)


@must(
    "cost.merge-is-shallow",
    "`update` replaces, whole, each top-level key that it is given, and leaves every other key as "
    "it was.",
    because="The server sends the keys that changed in a turn. Replacing all of cost data loses "
    "the other totals; merging nested objects makes a member impossible to remove.",
    remedy=MERGE,
    needs={Capability.COST_READ},
    evidence=["seed", "adk-python#6728"],
)
async def merge_is_shallow(store: Subject) -> None:
    session = await store.create()
    first = {"turns": 1, "usage": {"in": 3, "out": 5}}
    await expect(store.update(session, cost_data=first)).to_succeed()
    await expect(store.update(session, cost_data={"usage": {"in": 9}})).to_succeed()

    await expect(store.get_cost_data(session)).to_be(
        {"turns": 1, "usage": {"in": 9}},
        rather_than={
            "update replaces all of cost_data": {"usage": {"in": 9}},
            "update merges nested objects": {"turns": 1, "usage": {"in": 9, "out": 5}},
            "the first write of a key wins": {"turns": 1, "usage": {"in": 3, "out": 5}},
            "update adds numbers up": {"turns": 1, "usage": {"in": 12, "out": 5}},
            "update stores nothing": {},
        },
    )
    await store.update(session, cost_data={"lists": [1, 2]})
    await store.update(session, cost_data={"lists": [3]})
    await expect(store.get_cost_data(session)).to_be(
        {"turns": 1, "usage": {"in": 9}, "lists": [3]},
        rather_than={
            "update appends to a list": {"turns": 1, "usage": {"in": 9}, "lists": [1, 2, 3]}
        },
    )
    await _stays_so(store, session, {"usage": {"in": 9}, "lists": [3]})


TURNS = 12
"""Updates for each round: past 50 at normal effort, and past 256 at thorough, where a store may
tidy up what it has written one after the other, or a small number ends."""


async def _stays_so(store: Subject, session: str, others: dict[str, Json]) -> None:
    """Record the turns of a long chat."""
    turns = TURNS * store.stand.effort.rounds
    for turn in range(1, turns + 1):
        await store.update(session, cost_data={"turns": turn})
    await expect(store.get_cost_data(session)).to_be(
        {**others, "turns": turns},
        rather_than={"after many updates other keys are gone": {"turns": turns}},
    )


@must(
    "cost.last-write-wins",
    "Of several updates of a key, the last one stands, whatever the values.",
    because="Totals are corrected downwards, and a key changes its type between releases.",
    remedy="Assign; no max(), no sum, no comparison with what is there.",
    needs={Capability.COST_READ},
    evidence=["seed"],
)
async def last_write_wins(store: Subject) -> None:
    session = await store.create()
    earlier: Any = None
    for value in (
        10,
        3,
        "text",
        "",
        {"a": {"b": 1}},
        {"a": {"c": 2}},
        [1, 2],
        [],
        7,
        1,
        True,
        0,
        False,
        None,
        7,
    ):
        await expect(store.update(session, cost_data={"key": value})).to_succeed()
        await expect(store.get_cost_data(session)).to_be(
            {"key": value},
            rather_than={
                "an earlier write of a key stands": {"key": earlier},
                "update adds numbers up": {"key": 13},
                "update merges nested objects": {"key": {"a": {"b": 1, "c": 2}}},
                "a key goes away": {},
            },
        )
        earlier = value
    await _means_nothing_by_its_name(store)


TURN = {
    "input_tokens": 120,
    "output_tokens": 30,
    "total_tokens": 150,
    "cached_tokens": "12",
    "tokens_per_turn": 37.5,
    "reasoning_tokens": 0.5,
    "cost_usd": 0.0000123,
    "total_cost": 0.0000123,
    "model": "gpt-4.1",
    "turns": 1,
    "updated_at": "2026-01-02T10:00:00Z",
}
NEXT_TURN = {
    **TURN,
    "input_tokens": 7,
    "output_tokens": 4,
    "total_tokens": 11,
    "cost_usd": 0.0000246,
    "model": None,
    "turns": 2,
}


async def _means_nothing_by_its_name(store: Subject) -> None:
    """Send the figures of two turns by the names that they usually have."""
    session = await store.create()
    await expect(store.update(session, cost_data=TURN)).to_succeed()
    await expect(store.get_cost_data(session)).to_be(
        TURN,
        rather_than={
            "prices are rounded": {**TURN, "cost_usd": 0.000012, "total_cost": 0.000012},
            "counts of tokens are made integers": {
                **TURN,
                "cached_tokens": 12,
                "reasoning_tokens": 0,
            },
        },
    )
    await expect(store.update(session, cost_data=NEXT_TURN)).to_succeed()
    summed = {"input_tokens": 127, "output_tokens": 34, "total_tokens": 161}
    await expect(store.get_cost_data(session)).to_be(
        NEXT_TURN, rather_than={"counts of tokens are added up": {**NEXT_TURN, **summed}}
    )


@must(
    "cost.null-is-a-value",
    "None is stored under its key; it removes nothing.",
    because="null says that a figure is not known; a key that is gone says that nobody asked.",
    remedy="Not `json_patch` and not RFC 7396, where null removes; no `if value is not None`. "
    "PostgreSQL: not `jsonb_strip_nulls`.",
    needs={Capability.COST_READ},
    evidence=["adk-python#6728"],
)
async def null_is_a_value(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, cost_data={"model": "m", "turns": 1})
    await expect(store.update(session, cost_data={"model": None})).to_succeed()
    await expect(store.get_cost_data(session)).to_be(
        {"model": None, "turns": 1},
        rather_than={
            "null removes its key": {"turns": 1},
            "null is ignored": {"model": "m", "turns": 1},
        },
    )
    await store.update(session, cost_data={"nested": {"limit": None}})
    await expect(store.get_cost_data(session)).to_be(
        {"model": None, "turns": 1, "nested": {"limit": None}},
        rather_than={
            "nested nulls are dropped": {"model": None, "turns": 1, "nested": {}},
            "the next update drops nulls": {"turns": 1, "nested": {"limit": None}},
        },
    )


@must(
    "cost.falsy-values-count",
    '0, False, "", [] and {} are stored like any other value.',
    because="Zero tokens were used is a figure; no figure is something else.",
    remedy="`if key in cost_data`, not `if cost_data.get(key)`.",
    needs={Capability.COST_READ},
)
async def falsy_values_count(store: Subject) -> None:
    falsy = {"zero": 0, "false": False, "text": "", "list": [], "object": {}}
    session = await store.create()
    await begin_with(store, session, cost_data=dict.fromkeys(falsy, 1))
    await expect(store.update(session, cost_data=falsy)).to_succeed()
    await expect(store.get_cost_data(session)).to_be(
        falsy, rather_than={"falsy values are not stored": dict.fromkeys(falsy, 1)}
    )
    alone = await store.create()
    await expect(store.update(alone, cost_data={"zero": 0})).to_succeed()
    await expect(store.get_cost_data(alone)).to_be(
        {"zero": 0}, rather_than={"falsy values are not stored": {}}
    )


KEYS = (
    "a.b",
    "a",
    "A",
    "$set",
    "$.a",
    "a[0]",
    "0",
    " ",
    " a",
    "",
    "a b",
    'say "a"',
    "it's",
    "back\\slash",
    "per%cent_",
    "{a}",
    "\u00e9",
    "e\u0301",
    "\U0001f600",
    "__proto__",
    "session_id",
    "messages",
    "line\nbreak",
    "long " * 60,
)


@must(
    "cost.keys-are-opaque",
    "Any string is a key, and means nothing: dots, dollars, case, spaces, the empty string.",
    because="Keys are model names and metric names: `gpt-4.1`, `$total`. Read as a path or an "
    "operator, they land elsewhere.",
    remedy="Bind the whole object as one parameter; never build a JSON path or a column name from "
    "a key. MongoDB: `$setField` with `$literal`, or an array of pairs.",
    needs={Capability.COST_READ},
)
async def keys_are_opaque(store: Subject) -> None:
    session = await store.create()
    stored: dict[str, int] = {}
    for number, key in enumerate(KEYS):
        await expect(store.update(session, cost_data={key: number})).to_succeed()
        stored[key] = number
    await expect(store.get_cost_data(session)).to_be(
        stored,
        rather_than={"keys that differ in case are one key": _folded(stored)},
    )


def _folded(stored: dict[str, int]) -> dict[str, int]:
    return {key.lower(): number for key, number in stored.items()}


@must(
    "cost.update-without-fields-writes-nothing",
    "`update(id)` answers whether the session exists and changes nothing, its last activity "
    "included.",
    because="It is how a caller asks for existence through `update`; a session that is looked at "
    "is not in use.",
    remedy="Answer `await self.exists(session_id)` when no field was given.",
)
async def update_without_fields_writes_nothing(store: Subject) -> None:
    missing = store.unused_id("missing")
    await expect(store.update(missing)).to_be(
        False, rather_than={"update without fields says that a missing session exists": True}
    )
    await expect(store.exists(missing)).to_be(
        False, rather_than={"update without fields creates the session": True}
    )
    session = await store.create()
    await begin_with(store, session, messages=[HI], cost_data={"turns": 1})
    await expect(store.update(session)).to_be(
        True, rather_than={"update without fields says that the session is missing": False}
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1}, rather_than={"update without fields resets cost data": {}}
        )
    if store.can(Capability.RETENTION):
        await in_a_later_instant(store, _looked_at, sessions=2)


async def _looked_at(store: Subject, idle: str, session: str, cutoff: datetime) -> None:
    await store.update(session)
    await store.delete_before(cutoff)
    if await store.exists(idle):
        raise NothingFound("delete_before keeps idle sessions: see retention.goes-by-last-activity")
    await expect(store.exists(session)).to_be(
        False, rather_than={"update without fields counts as activity": True}
    )


@must(
    "cost.empty-update-changes-nothing",
    "`update(id, cost_data={})` answers whether the session exists, and leaves cost data as it "
    "was.",
    because="A turn without figures sends an empty object; that is no reason to forget the others.",
    remedy="Tell {} from None only if you must: both write nothing and answer existence.",
    needs={Capability.COST_READ},
)
async def empty_update_changes_nothing(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, cost_data={"turns": 1})
    await expect(store.update(session, cost_data={})).to_be(
        True, rather_than={"an empty update says that the session is missing": False}
    )
    await expect(store.get_cost_data(session)).to_be(
        {"turns": 1}, rather_than={"an empty update resets cost data": {}}
    )
    missing = store.unused_id("missing")
    await expect(store.update(missing, cost_data={})).to_be(
        False, rather_than={"an empty update says that a missing session exists": True}
    )
    await expect(store.exists(missing)).to_be(
        False, rather_than={"an empty update creates the session": True}
    )


@must(
    "cost.update-of-missing-creates-nothing",
    "`update` of a missing session answers False and creates nothing.",
    because="A late turn of a deleted chat would bring back a session without messages, which "
    "nobody deletes again.",
    remedy="UPDATE, not an upsert; answer `rowcount == 1`. Redis: check existence in the same "
    "script that writes.",
    evidence=["seed"],
)
async def update_of_missing_creates_nothing(store: Subject) -> None:
    missing = store.unused_id("missing")
    await expect(store.update(missing, cost_data={"turns": 1})).to_be(
        False, rather_than={"update of a missing session says that it was stored": True}
    )
    await expect(store.exists(missing)).to_be(
        False, rather_than={"update of a missing session creates it": True}
    )
    # How a missing session is loaded is another clause's.
    as_missing = await store.load(store.unused_id("missing"))
    await expect(store.load(missing)).to_be(
        as_missing, rather_than={"update of a missing session stores an empty history": []}
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(missing)).to_be(
            {}, rather_than={"update of a missing session stores cost data": {"turns": 1}}
        )
    await store.save(missing, [])
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(missing)).to_be(
            {}, rather_than={"cost data of a missing session waits for it": {"turns": 1}}
        )


@must(
    "cost.update-keeps-messages",
    "`update` leaves messages as they were.",
    because="A bill that costs the chat is too high.",
    remedy="`UPDATE ... SET cost_data = ...` and no other column; no read of the whole row that is "
    "written back.",
)
async def update_keeps_messages(store: Subject) -> None:
    messages = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    session = await store.create()
    await begin_with(store, session, messages=messages)
    for number in range(3):
        await store.update(session, cost_data={"turns": number})

    await expect(store.load(session)).to_be(
        messages,
        rather_than={"update empties the history": [], "update loses the session": None},
    )


@must(
    "cost.starts-empty",
    "Cost data of a new or of a missing session is {}.",
    because="The server adds to what it reads; None, or an error, breaks the first turn.",
    remedy="`DEFAULT '{}'`, and `{}` for no row and for NULL.",
    needs={Capability.COST_READ},
    evidence=["seed"],
)
async def starts_empty(store: Subject) -> None:
    created, saved = await store.create(), store.unused_id("saved")
    await store.save(saved, [])
    for session in (created, saved, store.unused_id("missing")):
        await expect(store.get_cost_data(session)).to_be(
            {}, rather_than={"cost data starts as null": None}
        )


@must(
    "cost.read-does-not-consume",
    "Reading cost data any number of times changes nothing.",
    because="A dashboard that looks at the bill must not be what ends it.",
    remedy="A plain read; no GETDEL, no reset after export.",
    needs={Capability.COST_READ},
)
async def read_does_not_consume(store: Subject) -> None:
    session = await store.create()
    await store.update(session, cost_data={"turns": 1, "usage": {"in": 2}})
    await make_sure(store.get_cost_data(session), {"turns": 1, "usage": {"in": 2}})
    for _ in range(3):
        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1, "usage": {"in": 2}}, rather_than={"reading takes cost data away": {}}
        )


NO_OBJECTS: tuple[tuple[Any, str], ...] = (
    ([{"turns": 2}], "a list"),
    ("turns", "a text"),
    (5, "a number"),
)
"""What is handed over instead of cost data."""

WITH_NOTHING: tuple[tuple[Any, str], ...] = (
    ([], "an empty list"),
    ("", "an empty text"),
    (0, "the number 0"),
    (False, "false"),
)
"""What holds nothing, as an empty object does: who takes it for that does no harm."""


@must(
    "cost.must-be-an-object",
    "Cost data that is not a JSON object is refused before anything is stored.",
    because="Merged into an object, a list turns the column into a list, and every later read and "
    "update of the session fails.",
    remedy="`if not isinstance(cost_data, dict): raise ...` before the statement; PostgreSQL's "
    "`||` joins objects and arrays into an array without an error.",
    needs={Capability.COST_READ},
    evidence=["origin"],
)
async def must_be_an_object(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, cost_data={"turns": 1})
    for value, name in NO_OBJECTS:
        await expect(store.update(session, cost_data=value)).to_be_refused(
            f"update takes {name} for cost data"
        )
        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1},
            rather_than={
                f"update refuses {name} after it has stored it": value,
                f"update refuses {name} after it has reset cost data": {},
            },
        )
    for value, name in WITH_NOTHING:
        await store.update(session, cost_data=value).perform(is_expected=True)
        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1}, rather_than={f"update with {name} resets cost data": {}}
        )


@must(
    "cost.many-keys-and-large-values",
    "Nothing is cut: many keys and large values come back whole.",
    because="A key for each model and each tool adds up, and somebody stores a trace under one.",
    remedy="TEXT or JSONB, not VARCHAR(n); MySQL: LONGTEXT or JSON.",
    needs={Capability.COST_READ},
)
async def many_keys_and_large_values(store: Subject) -> None:
    small = await store.create()
    await begin_with(store, small, cost_data={"before": 1})
    await store.update(small, cost_data={"turns": 1})
    await begin_with(store, small, messages=[HI])
    await make_sure(store.get_cost_data(small), {"before": 1, "turns": 1})

    session = await store.create()
    many = await written(store, _updating(store, session), _many_keys, "members")
    # What is true of few keys: another one joins them, and a save leaves them alone.
    await store.update(session, cost_data={"turns": 1})
    await store.save(session, [HI])
    await expect(store.get_cost_data(session)).to_be({**many, "turns": 1})

    # In a session of its own: both together are more than some stores hold in one document.
    other = await store.create()
    large = await written(store, _updating(store, other), _large_value, "size")
    await store.update(other, cost_data={"turns": 1})
    await expect(store.get_cost_data(other)).to_be(
        {**large, "turns": 1}, rather_than={"an update takes a large value away": {"turns": 1}}
    )


def _updating(store: Subject, session: str) -> Callable[[dict[str, Json]], Call[bool]]:
    return lambda value: store.update(session, cost_data=value)


def _many_keys(members: int) -> dict[str, Json]:
    return {f"key {number}": number for number in range(members // 2)}


def _large_value(size: int) -> dict[str, Json]:
    return {"trace": "0123456789abcdef" * (size // 16)}


def sequences_of_updates() -> SearchStrategy[list[dict[str, Any]]]:
    """Draw updates on few keys, so that most of them hit a key that is there."""
    from hypothesis import strategies as st  # noqa: PLC0415 - `list` must not wait for it

    leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "1"])
    anything = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
        ),
        max_leaves=5,
    )
    keys = st.sampled_from(["a", "b", "c"])
    return st.lists(st.dictionaries(keys, anything, max_size=3), min_size=1, max_size=6)


@must(
    "cost.folds-like-a-dict",
    "Any sequence of updates reads as if `dict.update` had been folded over it.",
    because="It is the whole of what a caller relies on; examples show corners of it.",
    remedy=MERGE,
    needs={Capability.COST_READ},
    examples=sequences_of_updates,
)
async def folds_like_a_dict(store: Subject, updates: list[dict[str, Any]]) -> None:
    session = await store.create()
    state: model.State = {"session": model.Session(model.START)}
    for cost_data in updates:
        await expect(store.update(session, cost_data=cost_data)).to_succeed()
        state, _ = model.step(state, "update", "session", cost_data=cost_data, now=model.START)
        await expect(store.get_cost_data(session)).to_be(dict(state["session"].cost_data))


@must(
    "cost.refused-update-changes-nothing",
    "An `update` that raises has stored none of its keys.",
    because="The caller sees an error, keeps the figures, and adds them again.",
    remedy="Encode and check the whole object before the first write, and write it at once.",
    needs={Capability.COST_READ},
)
async def refused_update_changes_nothing(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, cost_data={"turns": 1})
    refused = 0
    for value in UNSTORABLE:
        cost_data = {"first": 2, "turns": 2, "bad": value, "last": 2}
        step = await store.update(session, cost_data=cost_data).perform(is_expected=True)
        if step.outcome == "answered":
            session = await store.create()
            await begin_with(store, session, cost_data={"turns": 1})
            continue
        refused += 1
        await expect(store.get_cost_data(session)).to_be(
            {"turns": 1},
            rather_than={
                "an update that raised has stored a part": {"turns": 2, "first": 2},
                "an update that raised has reset cost data": {},
            },
        )
    if not refused:
        raise NothingFound("the store refused no value, so no refused update could be looked at")


@must(
    "cost.null-column-counts-as-empty",
    "A row whose cost data is NULL reads {} and takes an update.",
    because="That is what every session of before the column looks like after the migration.",
    remedy="`COALESCE(cost_data, '{}')` in the read and in the merge: NULL || x is NULL, and the "
    "update is lost without an error.",
    needs={Capability.COST_READ, Capability.MIGRATION, Capability.REFERENCE_LAYOUT},
    evidence=["origin"],
    old_place=OldPlace.COST_DATA_NULL,
)
async def null_column_counts_as_empty(store: Subject) -> None:
    await expect(store.get_cost_data(OLD_SESSION)).to_be(
        {}, rather_than={"NULL cost data reads as null": None}
    )
    await expect(store.update(OLD_SESSION, cost_data={"turns": 1})).to_be(
        True, rather_than={"a session with NULL cost data counts as missing": False}
    )
    await expect(store.get_cost_data(OLD_SESSION)).to_be(
        {"turns": 1},
        rather_than={
            "an update of NULL cost data is lost": {},
            "an update of NULL cost data leaves NULL": None,
        },
    )


@should(
    "cost.unreadable-is-not-empty",
    "Stored cost data that can't be read raises on `get_cost_data`, and an `update` of other keys "
    "does not write over it.",
    because="Answered as {}, damage is written over by the next update, and nobody learns of it.",
    remedy="No `except ValueError: return {}` around the decoding.",
    needs={Capability.COST_READ, Capability.CORRUPTION},
    evidence=["origin"],
)
async def unreadable_is_not_empty(store: Subject) -> None:
    session = await store.create()
    await begin_with(store, session, cost_data={"turns": 1})
    await store.stand.damage(session)

    await expect(store.get_cost_data(session)).to_be_refused("unreadable cost data reads as empty")
    # With a row or a hash field for each key, an update need not look at the other keys.
    step = await store.update(session, cost_data={"model": "m"}).perform(is_expected=True)
    if step.outcome == "answered":
        await expect(store.get_cost_data(session)).to_be_refused(
            "update writes over cost data that it can't read"
        )
