"""What is read of a history: every message, in order, as it was stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..clause import must
from ..values import are_equal
from .client import path_of
from .exchange import NO_JSON
from .expect import expect, raise_violation
from .sessions import TWO
from .validators import demand_another_etag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..interface import Json
    from .client import Client
    from .exchange import Exchange

TEXTS = {
    "letters past ASCII": "\u00f6 \u4e2d",
    "an emoji": "\U0001f600",
    "letters of two code points": "o\u0308",
    "signs of HTML": '<b> & "x"',
    "spaces around it": " x ",
    "a line separator": "a\u2028b",
    "a backslash": "a\\nb",
    "line ends": "a\r\nb\n",
}

MANY = 150
"""Messages of a long history: past 100, where pages end."""

LONG = 70_000
"""Characters of a long text: past 65,535, where MySQL's TEXT cuts."""

LARGE = 8_000
"""Bytes of a body from which on a peer may hang up before it has read all, as it may refuse it."""


@must(
    "wire.get",
    "`GET /v1/sessions/{id}` answers 200 with `session_id` and `messages`, as they were stored, "
    "and 404 for a missing session, which it does not make. An `ETag` that it has is that of no "
    "other answer of the session.",
    because="A missing session that is answered as an empty one looks like a chat that was lost.",
    remedy="Answer 404 where no row was found, before anything is made of the missing row. The "
    "message column is read as JSON and answered as it is. Make an ETag of the whole answer, or of "
    "a number that each write counts up, not of how many messages there are.",
)
async def get(platform: Client) -> None:
    session = platform.new_id()
    await platform.put(session, TWO)
    for _ in range(2):
        await expect(platform.get(session)).to_answer(200, session_id=session, messages=TWO)
    missing = platform.new_id()
    for rival in ("GET answers a missing session as an empty one", "GET makes a missing session"):
        await expect(platform.get(missing)).to_answer(404, rather_than={rival: {"messages": []}})
    for what, messages in _histories().items():
        platform.rewind(0)
        await _try_history(platform, what, messages)
    await _try_etags(platform)


async def _try_etags(platform: Client) -> None:
    """Change what is read into something of the same length."""
    platform.rewind(0)
    session = await platform.begin_with([_said("one")])
    read = platform.get(session)
    headline = "after a PUT, GET answers 304 to the ETag of before"
    await demand_another_etag(platform, read, platform.put(session, [_said("two")]), headline)
    if (await read).member("cost_data") is not NO_JSON:
        await platform.patch(session, {"turns": 1})
        headline = "after a PATCH, GET answers 304 to the ETag of before"
        await demand_another_etag(platform, read, platform.patch(session, {"turns": 2}), headline)


def _histories() -> dict[str, dict[str, Json]]:
    """Answer histories by what is odd in them: messages, each by what it is."""
    texts = {f"a text with {what}": _said(text) for what, text in TEXTS.items()}
    return {
        "texts past ASCII": {**texts, "the number 2**53 - 1": {**_said("n"), "n": 2**53 - 1}},
        "a number past 2**53": {"the number 2**53 + 1": {**_said("n"), "n": 2**53 + 1}},
        f"{MANY} messages": {f"message {one + 1}": _said(f"{one}") for one in range(MANY)},
        f"{LONG:,} characters": {f"a text of {LONG:,} characters": _said("x" * LONG)},
    }


def _said(text: str) -> dict[str, Json]:
    return {"role": "user", "content": text}


async def _try_history(platform: Client, what: str, messages: Mapping[str, Json]) -> None:
    """Store it, in UTF-8 without escapes, and read it; it may be refused, and that is noted."""
    session = platform.new_id()
    body = json.dumps({"messages": [*messages.values()]}, ensure_ascii=False).encode()
    answer = await platform.ask("PUT", path_of(session), raw=body).perform(is_judged=True)
    is_answered = answer.outcome == "answered"
    if answer.status >= 500 or not (is_answered or len(body) > LARGE):
        raise_violation(answer, f"PUT of {what} is answered 5xx", "2xx or 4xx")
    if not is_answered or answer.status >= 300:
        platform.note(f"a PUT of {what} was not taken, and so not tried: {answer.answered()}")
        return
    found = await platform.get(session).perform(is_judged=True)
    headline = _difference(found, what, messages)
    if headline:
        raise_violation(found, headline, "every message, in order, as it was stored")


def _difference(found: Exchange, what: str, messages: Mapping[str, Json]) -> str | None:
    """Word how the history that was read differs from the one that was stored, if it does."""
    read, stored = found.member("messages"), list(messages.values())
    if found.status != 200 or not isinstance(read, list):
        return f"GET answers no messages where {what} were put"
    if len(read) != len(stored):
        return f"GET answers {len(read)} of {len(stored)} messages"
    wrong = [
        name
        for (name, message), one in zip(messages.items(), read, strict=True)
        if not are_equal(one, message, kinds_of_numbers=False)
    ]
    if wrong and all(one in stored for one in read):
        return "GET answers the messages in another order"
    return f"{wrong[0]} is read as another" if wrong else None
