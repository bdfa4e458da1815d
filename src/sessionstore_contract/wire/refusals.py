"""What a platform must not take, and what it says instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must, should
from ..expect import NothingFound
from .client import SESSIONS, path_of
from .exchange import WORKED
from .expect import expect, expect_unchanged, raise_violation, unless_reads_flap
from .sessions import COSTS, ONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .client import Ask, Client

NO_JSON = {
    "an object that does not end": b"{",
    "text that is no JSON": b"messages=1",
    "JSON with more behind it": b'{"cost_data": {}, "messages": []} {}',
    "a list": b"[]",
    "a text": b'"text"',
    "a number": b"7",
}
"""Bodies that no route takes."""

WRONG_IDS = {"a number": b"7", "true": b"true", "an object": b'{"id": "a"}', "a list": b'["a"]'}

ODD = {
    "bytes that are no UTF-8": b'"\xff"',
    "a number past every double": b"1e999",
    "a lone surrogate": b'"\\ud800"',
    "U+0000": b'"\\u0000"',
    "a number of 5,000 digits": b"1" * 5000,
    "5,000 levels of nesting": b"[" * 5000 + b"]" * 5000,
    "a member twice": b'{"a": 1, "a": 2}',
}
"""Values that may be kept or refused, and that make careless services fail."""

NO_MESSAGE = {"a number": b"1", "a text": b'"text"', "null": b"null", "a list": b"[]"}
"""Values in the place of a message: they may be kept or refused as well."""

SIZE = 10_000_000
"""Bytes of a large body, where the platform states no limit."""


@must(
    "wire.bad-input-is-4xx",
    "Malformed JSON, a body that is no object, `session_id` or `messages` of a wrong type: 4xx "
    "with a JSON error, never 5xx, and nothing changes. An id in the path that can't be one is 4xx "
    "as well; a server in front may say so in its own words. Values at the edge of JSON may be "
    "kept or refused: neither is answered 5xx, and the session stays readable.",
    because="A 5xx tells clients and gateways to try again what will never work, and wakes "
    "somebody at night. A value that is taken and can't be read again locks its session for good.",
    remedy="Read and check the whole body before anything is stored, and answer 400 or 422 with a "
    "JSON object. Catch the parser's own failures: depth, digits, encoding. Nothing of the "
    "database's error belongs in the answer.",
)
async def bad_input_is_4xx(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    begun = len(platform.exchanges)
    path = path_of(session)
    cases = [
        (method, where, what, body)
        for method, where in (("POST", SESSIONS), ("PUT", path), ("PATCH", path))
        for what, body in NO_JSON.items()
    ]
    cases += [("PUT", path, "an empty body", b""), ("PATCH", path, "an empty body", b"")]
    cases += [
        ("POST", SESSIONS, f"{what} as session_id", b'{"session_id": %s}' % value)
        for what, value in WRONG_IDS.items()
    ]
    cases += [
        ("PUT", path, f"{what} as messages", b'{"messages": %s}' % value)
        for what, value in {"an object": b"{}", "a text": b'"text"', "a number": b"7"}.items()
    ]
    for method, where, what, body in cases:
        platform.rewind(begun)
        await expect(platform.ask(method, where, raw=body)).to_be_refused(f"{method} takes {what}")
        await expect_unchanged(
            platform, session, f"{method} with {what} changes the session", ONE, COSTS
        )
    for segment in ("%00", "%FF", "x" * 10_000):
        platform.rewind(begun)
        await expect(platform.ask("GET", f"{SESSIONS}/{segment}")).to_be_refused(
            "GET answers a session of an id that nobody made", with_json=False
        )
    await _try_odd_values(platform)


async def _try_odd_values(platform: Client) -> None:
    for bodies in _odd_bodies():
        platform.rewind(0)
        session = await platform.begin_with(ONE, COSTS)
        for method, what, body in bodies:
            answer = await platform.ask(method, path_of(session), raw=body).perform(is_judged=True)
            if answer.outcome != "answered" or answer.status >= 500:
                raise_violation(answer, f"{method} with {what} is answered 5xx", "2xx or 4xx")
            reads = [platform.get(session)]
            if platform.can(Capability.COST_READ):
                reads.append(platform.cost_data(session))
            async with unless_reads_flap(platform, ONE, COSTS):
                for read in reads:
                    await _demand_it_is_readable(read, f"{method} with {what}")


async def _demand_it_is_readable(read: Ask, what: str) -> None:
    found = await read.perform(is_judged=True)
    if found.status != 200 or not isinstance(found.json, dict):
        raise_violation(found, f"{what} makes the session unreadable", "200 with JSON")


def _odd_bodies() -> Iterator[list[tuple[str, str, bytes]]]:
    """Answer method, what is odd, and body: in each list those for one session."""
    for what, value in ODD.items():
        yield [
            ("PUT", what, b'{"messages": [{"role": "user", "content": %s}]}' % value),
            ("PATCH", what, b'{"cost_data": {"odd": %s}}' % value),
        ]
    yield [
        ("PUT", f"{what} for a message", b'{"messages": [%s]}' % value)
        for what, value in NO_MESSAGE.items()
    ]


@must(
    "wire.patch-needs-an-object",
    "`PATCH` with `cost_data` that is a list, a text, a number or a boolean: 4xx, and nothing "
    "changes.",
    because="What is stored there once in another type breaks every later merge of the session. "
    "PostgreSQL's `||` makes an array of an object and a number, without a word.",
    remedy="Check that it is an object before the statement runs; a CHECK (jsonb_typeof(cost_data) "
    "= 'object') on the column keeps it true.",
)
async def patch_needs_an_object(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    begun = len(platform.exchanges)
    for what, value in {
        "an empty list": [],
        "a list": [1],
        "a text": "text",
        "a number": 7,
        "true": True,
    }.items():
        platform.rewind(begun)
        await expect(platform.patch(session, value)).to_be_refused(f"PATCH takes {what}")
        await expect_unchanged(
            platform, session, f"PATCH with {what} changes the session", ONE, COSTS
        )


@must(
    "wire.put-needs-messages",
    "`PUT` without `messages`, with a misspelt member instead, or with null: 4xx, and the history "
    "stands.",
    because="A default of [] for what was forgotten erases a chat, and answers 200.",
    remedy="Make the member required, without a default, and refuse members that are not known.",
    evidence=["origin"],
)
async def put_needs_messages(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    begun = len(platform.exchanges)
    for what, body in {
        "no messages": b"{}",
        "a misspelt member": b'{"mesages": [{"role": "user", "content": "new"}]}',
        "null for messages": b'{"messages": null}',
    }.items():
        platform.rewind(begun)
        answer = await platform.ask("PUT", path_of(session), raw=body).perform(is_judged=True)
        await expect_unchanged(platform, session, f"PUT with {what} erases the history", ONE)
        if answer.outcome != "answered" or not 400 <= answer.status < 500:
            raise_violation(answer, f"PUT takes {what}", "4xx")


@should(
    "wire.unknown-members-are-refused",
    "`PATCH` with members that the platform does not know: 4xx, and nothing changes.",
    because="A misspelt `cost_data` that is answered 200 is a count that nobody misses until the "
    "bill is wrong. Fields that are to come later are refused by older platforms in this way, and "
    "not dropped.",
    remedy="Forbid extra members in the schema: `additionalProperties: false`, pydantic "
    "`extra='forbid'`, Go `DisallowUnknownFields`.",
)
async def unknown_members_are_refused(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    begun = len(platform.exchanges)
    for what, body in {
        "a misspelt member": b'{"cost_date": {"turns": 2}}',
        "messages": b'{"cost_data": {"turns": 2}, "messages": []}',
        "an unknown member beside cost_data": b'{"cost_data": {"turns": 2}, "cost_date": {}}',
    }.items():
        platform.rewind(begun)
        await expect(platform.ask("PATCH", path_of(session), raw=body)).to_be_refused(
            f"PATCH takes {what}"
        )
        await expect_unchanged(
            platform, session, f"PATCH with {what} changes the session", ONE, COSTS
        )


@must(
    "wire.non-finite-is-refused",
    "NaN, Infinity or -Infinity in a body: 4xx, and the session stays as it was.",
    because="They are no JSON. Parsers that take them, Python's among them, let them into the "
    "store, and every later answer of the session is no JSON or a 500.",
    remedy="Python: `json.loads(body, parse_constant=refuse)`, or check each float; a framework's "
    "own parser takes them. PostgreSQL refuses them in JSONB: answer 4xx for it.",
    evidence=["origin"],
)
async def non_finite_is_refused(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    begun = len(platform.exchanges)
    for literal in (b"NaN", b"Infinity", b"-Infinity"):
        for method, body in (
            ("PATCH", b'{"cost_data": {"price": %s}}' % literal),
            ("PUT", b'{"messages": [{"price": %s}]}' % literal),
        ):
            platform.rewind(begun)
            await expect(platform.ask(method, path_of(session), raw=body)).to_be_refused(
                f"{method} takes {literal.decode()}"
            )
            await expect_unchanged(
                platform,
                session,
                f"{method} with {literal.decode()} changes the session",
                ONE,
                COSTS,
            )


@should(
    "wire.oversize",
    "A body over the limit that the platform states is answered 413, and nothing changes.",
    because="Without a limit one request fills the memory that all share. Cut off without a word, "
    "the client tries the same again.",
    remedy="Count the bytes as they arrive, since a chunked body announces no length, and answer "
    "413. Read on for a while before the connection is closed, or the client never sees it. "
    "Name the limit where clients read it, and to this clause by --body-limit.",
)
async def oversize(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    begun = len(platform.exchanges)
    large = b"x" * (SIZE if platform.body_limit is None else platform.body_limit + 1)
    history = b'{"messages": [{"role": "user", "content": "%s"}]}' % large
    path = path_of(session)
    for ask, what in (
        (platform.ask("PUT", path, raw=history), "a PUT over the limit"),
        (
            platform.ask("PATCH", path, raw=b'{"cost_data": {"large": "%s"}}' % large),
            "a PATCH over the limit",
        ),
        (platform.ask("PUT", path, raw=history, is_chunked=True), "a PUT over the limit in chunks"),
    ):
        platform.rewind(begun)
        if ask.request.is_chunked and not await _takes_chunks(platform):
            return
        await _try_large(ask, what)
        await expect_unchanged(platform, session, f"{what} changes the session", ONE, COSTS)


async def _takes_chunks(platform: Client) -> bool:
    """Answer whether a small body in chunks is stored: servers may insist on a length."""
    small = platform.ask(
        "PUT", path_of(platform.new_id()), raw=b'{"messages": []}', is_chunked=True
    )
    return (await small.perform(is_judged=False)).status in WORKED


async def _try_large(ask: Ask, what: str) -> None:
    answer = await ask.perform(is_judged=True)
    size = len(ask.request.body or b"")
    if answer.outcome != "answered":
        # A peer that closes before all was sent may lose its answer on the way.
        raise NothingFound(
            f"{ask.request.method} of {size:,} bytes was cut off without an answer: read on for a "
            "while before the connection is closed, or say the limit with --body-limit"
        )
    if answer.status < 300 and ask.client.body_limit is None:
        raise NothingFound(f"{size:,} bytes are taken: say the limit with --body-limit")
    if answer.status != 413:
        raise_violation(answer, f"{what} answers {answer.status}", "413")
