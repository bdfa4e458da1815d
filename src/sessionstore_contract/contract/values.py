"""A JSON value comes back as it was given, or is refused when it is written."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must, should
from ..expect import REFUSAL, expect, violated
from ..values import are_equal, kind, word
from .messages import UNSTORABLE
from .procedures.beginning import begin_with, make_sure
from .procedures.keeping import (
    begin_before,
    expect_as_before,
    expect_kept,
    expect_kept_or_refused,
    judge,
    performed,
    ways,
    ways_of_many,
)
from .procedures.specimens import (
    AS_WRITTEN,
    NUMBERS,
    are_equal_by_value,
    are_worded_alike,
    json_values,
    lots,
    nest,
)
from .procedures.to_others import accepted, expect_the_same

if TYPE_CHECKING:
    from ..interface import Json
    from ..subject import Subject
    from .procedures.keeping import Way


@must(
    "values.json-round-trips",
    "Any JSON value comes back equal and of the same JSON type (true is not 1): nested, empty, "
    "beyond the BMP, with line separators, combining marks, CR LF; texts that look like numbers, "
    "times or JSON stay texts.",
    because="Messages are what people and programs wrote; a text that comes back as a date, or "
    "without its line ends, changes what the model is asked.",
    remedy="Encode the whole value as JSON once, and decode it once. MySQL: utf8mb4, not utf8. "
    "SQLite: a TEXT column, as NUMERIC turns '007' into 7. Redis: one JSON text for a value, not "
    "str(value). No YAML, no guessing of types, no normalising, no strip().",
    examples=json_values,
)
async def json_round_trips(store: Subject, value: Json) -> None:
    for way in ways(store):
        await expect_kept(store, way, value, "a JSON value")


@must(
    "values.numbers-are-exact",
    "Integers to 2**53 and every finite float come back equal.",
    because="Token counts and prices are added up for months; what is rounded at each turn is a "
    "wrong bill.",
    remedy="JSON text or JSONB, which keep every digit; not REAL, FLOAT or NUMERIC(n, m), not "
    "MessagePack with single floats, no `round()`. Python's json writes the shortest digits that "
    "read as the same float.",
)
async def numbers_are_exact(store: Subject) -> None:
    for way in ways(store):
        await expect_kept(store, way, list(NUMBERS), "a number", alike=are_equal_by_value)


DIGITS = 4_400
"""More than Python reads at once, where nothing else is said; a few more than it words."""


@should(
    "values.numbers-keep-their-kind",
    "1.0 stays a float; an integer beyond 2**53 stays that integer, or is refused, however many "
    "digits it has; the sign of -0.0 is noted and not judged, as JSONB has none.",
    because="Typed callers (pydantic in strict mode, a service in Go) refuse the other kind.",
    remedy="JSON text keeps kinds as written. JSONB and MySQL's JSON write 1e16 as an integer: "
    "word it as 10000000000000000.0. JavaScript in between: refuse integers beyond 2**53. No cache "
    "of encoded values by the value: True, 1 and 1.0 are one key of a dict.",
    evidence=["origin"],
)
async def numbers_keep_their_kind(store: Subject) -> None:
    for way in ways(store):
        for twin, number in ((True, 1.0), (False, 0.0)):
            await _is_not_its_twin(store, way, twin, number)
        for one in (way, replace(way, is_last_of_many=True)):
            await expect_kept(store, one, [-3.0, 1e16, 1e22], "a whole float")
        await expect_kept_or_refused(
            store, way, [2**53 + 1, 2**63 - 1], "an integer beyond 53 bits"
        )
        for number in (2**63, -(2**63) - 1, 2**64, 10**25):
            await expect_kept_or_refused(store, way, number, "an integer beyond 64 bits")
        await expect_kept_or_refused(store, way, 10**DIGITS, f"an integer of {DIGITS:,} digits")
        session = await store.create()
        write = await performed(way.write(store, session, -0.0))
        if write.outcome == "answered" and are_equal(await way.read(store, session), way.wrap(0.0)):
            store.stand.note("-0.0 comes back as 0.0")


async def _is_not_its_twin(store: Subject, way: Way, twin: bool, number: float) -> None:
    """Write a float over the truth value that Python takes for equal to it."""
    session = await store.create()
    await performed(way.write(store, session, twin))
    write = await performed(way.write(store, session, number))
    read = await performed(way.read(store, session))
    if write.outcome == "raised":
        await expect_kept(store, way, number, "a whole float")
    judge(write, read, way.wrap(number), "a whole float", {})


@must(
    "values.nul-is-kept-or-refused",
    "U+0000 in a text or a key is kept, or refused at the write; a text that only looks like its "
    "escape is kept as it is.",
    because="Tools answer binary data. A store that accepts it and then can't read the row has "
    "lost the chat; one that cleans with a pattern damages texts about escapes.",
    remedy="PostgreSQL can't hold U+0000 in TEXT or JSONB: look for it in the values before they "
    'are encoded (`"\\x00" in text`) and raise. Not in the encoded text, where `\\\\u0000` is a '
    "backslash and five characters. SQLite and Redis keep it; SQLite's JSON functions may not.",
    evidence=["aegra#369", "intelmq#2652", "luthien-proxy#816"],
)
async def nul_is_kept_or_refused(store: Subject) -> None:
    for way in ways(store) + ways(store, is_key=True) + ways_of_many(store):
        await expect_kept_or_refused(
            store,
            way,
            "a\x00b",
            "a key with NUL" if way.is_key else "a text with NUL",
            rather_than={
                "what has NUL in it is cut there": "a",
                "NUL is dropped": "ab",
                "NUL is replaced by a space": "a b",
                "NUL is replaced by U+FFFD": "a\ufffdb",
                "NUL comes back as its escape": "a\\u0000b",
                "a text with NUL comes back as null": None,
                "a text with NUL comes back empty": "",
            },
        )
        for text in AS_WRITTEN:
            await expect_kept(
                store,
                way,
                f"a{text}b",
                "a text that only looks like NUL",
                rather_than={
                    "a text that only looks like NUL comes back as NUL": "a\x00b",
                    "what only looks like NUL is dropped": "ab",
                },
            )


@must(
    "values.surrogates-are-kept-or-refused",
    "A lone surrogate in a text or a key is kept, or refused at the write; never accepted and then "
    "unreadable, replaced or dropped.",
    because="Models and tools cut texts in the middle of an emoji. Accepted and then unreadable, "
    "one such message makes the whole chat unreadable.",
    remedy="`text.encode()` before the write raises for it: let it. No `errors='replace'` and no "
    "`errors='ignore'`. PostgreSQL: JSONB refuses the escape, a JSON column takes it and fails "
    "later. SQLite: bound texts are encoded; the escape in JSON text is kept.",
    evidence=["hermes-agent#67379", "llm#546"],
)
async def surrogates_are_kept_or_refused(store: Subject) -> None:
    for way in ways(store) + ways(store, is_key=True) + ways_of_many(store):
        # The second one is followed by both halves of a character, each of them alone in Python.
        for lone in ("\ud800", "\udfff\ud83d\ude00"):
            replaced, asked = "\ufffd" * len(lone), "?" * len(lone)
            await expect_kept_or_refused(
                store,
                way,
                f"a{lone}b",
                f"a {'key' if way.is_key else 'text'} with a lone surrogate",
                rather_than={
                    "a lone surrogate is dropped": "ab",
                    "a lone surrogate is replaced by U+FFFD": f"a{replaced}b",
                    "a lone surrogate is replaced by a question mark": f"a{asked}b",
                    "a lone surrogate comes back as its escape": (
                        f"a{lone}b".encode(errors="backslashreplace").decode()
                    ),
                    "a lone surrogate comes back as three characters of its bytes": (
                        f"a{lone}b".encode("utf-8", "surrogatepass").decode("latin-1")
                    ),
                    "a text with a lone surrogate comes back as null": None,
                    "two lone surrogates come back as one character": (
                        f"a{lone}b".replace("\ud83d\ude00", "\U0001f600")
                    ),
                },
            )


@must(
    "values.non-finite-is-kept-or-refused",
    "NaN and the infinities are kept, or refused at the write; never turned into null, 0, a text "
    "or another number.",
    because="A price that was divided by 0 tokens must be seen as the fault that it is, not as "
    "nothing to pay.",
    remedy="`json.dumps(value, allow_nan=False)`, and let it raise. PostgreSQL's JSON and JSONB, "
    "and SQLite's JSON functions, take no NaN; orjson and JavaScript turn it into null without a "
    "word: check before.",
    evidence=["langflow#11905", "django-rest-framework#5235"],
)
async def non_finite_is_kept_or_refused(store: Subject) -> None:
    for way in ways(store) + _values_of_many(store):
        for number in (math.nan, math.inf, -math.inf):
            for value, worded in ((number, str(number)), ([number], f"[{number}]")):
                is_alone = value is number
                await expect_kept_or_refused(
                    store,
                    way,
                    value,
                    worded,
                    rather_than={
                        f"{worded} comes back as null": None if is_alone else [None],
                        f"{worded} comes back as 0": 0 if is_alone else [0],
                        f"{worded} comes back as a text": str(number)
                        if is_alone
                        else [str(number)],
                        f"{worded} is left out": [],
                    },
                    alike=are_worded_alike,
                )


NO_JSON: tuple[tuple[str, Any], ...] = (
    ("a datetime", datetime(2026, 1, 2, tzinfo=UTC)),
    ("a Decimal", Decimal("0.10")),
    ("bytes", b"bytes"),
    ("a set", set()),
    ("an object", object()),
)


@must(
    "values.non-json-is-refused",
    "What is no JSON (datetime, Decimal, bytes, set, an object) is refused by `save` and by "
    "`update`, never turned into something else.",
    because="A time that comes back as a text breaks the code that saved it, long after and far "
    "from where it was saved.",
    remedy="No `default=str` and no `jsonable_encoder` around the encoding: the caller knows what "
    "the value means. A store that keeps objects in memory encodes them too.",
    evidence=["agno#9399", "anubis-mcp#199"],
)
async def non_json_is_refused(store: Subject) -> None:
    for way in ways(store) + _values_of_many(store):
        for name, value in NO_JSON:
            for nested in (value, {"nested": [value]}):
                await _is_refused(store, way, nested, name)


def _values_of_many(store: Subject) -> list[Way]:
    return [way for way in ways_of_many(store) if not way.is_key]


async def _is_refused(store: Subject, way: Any, value: Any, name: str) -> None:
    session = await begin_before(store, way)
    write = await performed(way.write(store, session, value))
    if write.outcome == "raised":
        await expect_as_before(store, way, session, write, name)
        return
    read = await performed(way.read(store, session))
    answer = read.answer_as_given
    found = f"and then {read.operation} {read.answered()}" if read.outcome == "raised" else ""
    if not found and are_equal(answer, way.wrap("before")):
        found = "and drops it"
    violated(
        f"{write.operation} accepts {name} {found or f'as {_innermost_kind(answer)}'}",
        demanded=REFUSAL,
        answered=f"{read.operation} answers {read.answered()}",
    )


def _innermost_kind(answer: Any) -> str:
    """Name the kind of what a wrapped value came back as."""
    while isinstance(answer, list | dict) and answer:
        *_, answer = answer.values() if isinstance(answer, dict) else answer
    return kind(answer)


@should(
    "values.keys-that-are-not-text",
    "A key that is no text is refused.",
    because="Python's json turns 1, True and None into texts: two keys become one, and a lookup "
    "by the number finds nothing.",
    remedy="Walk the value before it is encoded and raise for a key that is no `str`.",
)
async def keys_that_are_not_text(store: Subject) -> None:
    for way in ways(store) + _values_of_many(store):
        for key in (1, True, None, 1.5, (1, 2)):
            await _is_refused(store, way, {key: "kept"}, f"the key {key}")


HI = {"role": "user", "content": "hi"}
LATER = {"role": "user", "content": "later"}
ODD = (*UNSTORABLE, math.inf, {1: "one"}, {"key \x00": 1}, {"key \ud800": 1})


@must(
    "values.bad-value-poisons-nothing",
    "After a value that was refused, or kept although it is odd, the other cost data of the "
    "session, other sessions, and later writes and reads work.",
    because="One bad tool answer must cost one turn, not the chat, and not the connection that "
    "the next chat is served by.",
    remedy="Check before the transaction; roll back when a statement fails (PostgreSQL refuses all "
    "else until then); put no connection back into the pool with a transaction open. A queue or a "
    "cache must not keep what could not be written.",
    evidence=["hermes-agent#67379"],
)
async def bad_value_poisons_nothing(store: Subject) -> None:
    other: str = await store.create()
    await begin_with(store, other, messages=[HI], cost_data={"owner": "other"})
    for value in ODD:
        session: str = await store.create()
        await begin_with(store, session, messages=[HI], cost_data={"turns": 1})
        await performed(store.update(session, cost_data={"odd": value}))
        await _cost_data_is_well(store, session)
        await performed(store.save(session, [{"role": "tool", "content": value}]))
        await _other_is_well(store, other)
        await _goes_on(store, session)


async def _cost_data_is_well(store: Subject, session: str) -> None:
    if not store.can(Capability.COST_READ):
        return
    # Of the odd value itself other clauses speak: here it may be read as anything.
    costs = await expect(store.get_cost_data(session)).to_succeed()
    turns = costs.get("turns") if isinstance(costs, dict) else None
    if not are_equal(turns, 1):
        violated(
            "an odd value takes the other cost data with it",
            demanded="'turns': 1 among others",
            answered=word(costs),
        )


async def _other_is_well(store: Subject, other: str) -> None:
    await expect(store.load(other)).to_be(
        [HI],
        rather_than={
            "an odd value in one session empties another": [],
            "an odd value in one session loses another": None,
        },
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(other)).to_be(
            {"owner": "other"},
            rather_than={"an odd value in one session resets the costs of another": {}},
        )


async def _goes_on(store: Subject, session: str) -> None:
    await expect(store.save(session, [LATER])).to_succeed()
    await expect(store.load(session)).to_be(
        [LATER], rather_than={"a save after an odd value is lost": [HI]}
    )
    await expect(store.update(session, cost_data={"odd": 2})).to_succeed()
    if store.can(Capability.COST_READ):
        costs = await expect(store.get_cost_data(session)).to_succeed()
        if not isinstance(costs, dict) or not are_equal(costs.get("odd"), 2):
            violated(
                "an update after an odd value is lost",
                demanded="'odd': 2 among others",
                answered=word(costs),
            )
    created: str = await expect(store.create()).to_succeed()
    await expect(store.save(created, [LATER])).to_succeed()
    await expect(store.load(created)).to_be([LATER])


@should(
    "values.deep-nesting",
    "A value nested 200 levels deep comes back, or is refused at the write.",
    because="Plans and traces of agents nest; what is accepted must be readable.",
    remedy="Python's json and PostgreSQL take thousands of levels, MySQL's JSON 100, orjson 254: "
    "let their error through, or check the depth before. No recursion of your own on the way out "
    "that was not there on the way in.",
)
async def deep_nesting(store: Subject) -> None:
    for way in ways(store):
        await expect_kept_or_refused(
            store,
            way,
            nest(200, "bottom"),
            "200 levels of nesting",
            rather_than={
                "what is nested deep comes back as null": nest(100, None),
            },
        )


@must(
    "values.are-the-same-to-others",
    "What one instance has accepted and reads, another one reads alike: floats, line separators, "
    "odd texts and keys, what nests deep.",
    because="The next turn is served by another worker, or after a restart. What is right in the "
    "memory of the writer alone is a price that changes, or a chat that nobody can read.",
    remedy="Write the very text that you have checked and decode it again for each answer; a cache "
    "keeps that text. Round, cut and escape nothing on the way to the storage. A log of lines: end "
    "them at `\\n` alone, as `splitlines` of a text ends them at U+2028, U+2029 and U+0085, too.",
    needs={Capability.SHARED},
)
async def are_the_same_to_others(store: Subject) -> None:
    others = {"another instance": await store.another()}
    if store.can(Capability.MULTI_PROCESS):
        # What the classes of a store keep is the same to all instances of a process.
        others["another process"] = await store.elsewhere()
    # That an instance sees what another one has written is not asked here.
    session = await store.create()
    await begin_with(store, session, messages=[HI], cost_data={"turns": 1})
    for other in others.values():
        await make_sure(other.load(session), [HI])
        if store.can(Capability.COST_READ):
            await make_sure(other.get_cost_data(session), {"turns": 1})
    for lot in lots(store.stand.random):
        store.stand.history.restart()
        for one in await accepted(store, lot):
            for name, other in others.items():
                await expect_the_same(other, one, name)
    await store.save(session, [HI])  # Who refuses anything by now has not said what it keeps.
