"""One id, one session; and a session that is missing, told from a route that is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must, should
from .exchange import NO_JSON, ExchangeFailed
from .expect import Kept, expect_all_unchanged, raise_violation, unless_reads_flap
from .sessions import COSTS, ONE, TWO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .client import Client
    from .exchange import Exchange

LENGTHS = (65, 129, 300)
"""Characters of ids that are told apart by the last one: past where columns end."""

MARK = {"role": "user", "content": "of the odd id"}


@should(
    "wire.missing-session-is-not-a-missing-route",
    "The 404 of a missing session is JSON, and says so in other words than the 404 of a route that "
    "does not exist.",
    because="A gateway that has lost its upstream, and an older platform without a route, answer "
    "404 as well. A client that takes these for a missing session begins a new chat over the old.",
    remedy="Give the error a code of its own, such as "
    '`{"error": {"code": "session_missing", "message": "..."}}`, and the missing route another.',
    evidence=["origin"],
)
async def missing_session_is_not_a_missing_route(platform: Client) -> None:
    sessions, routes = [], []
    for _ in range(2):
        missing, nowhere = platform.new_id(), platform.new_id()
        found = await platform.get(missing).perform(is_judged=True)
        if found.json is NO_JSON:
            raise_violation(found, "the 404 of a missing session is no JSON", "404 with JSON")
        sessions.append(_words(found, missing))
        elsewhere = platform.ask("GET", f"/v1/{nowhere}/nothing")
        routes.append(_words(await elsewhere.perform(is_judged=True), nowhere))
    if _constant(*sessions) == _constant(*routes):
        raise_violation(
            found,
            "a missing session is answered as a missing route is",
            "404 in words of its own",
        )


def _words(found: Exchange, unique: str) -> dict[str, str]:
    """Answer what the body says and where in it, without the id that was asked for."""
    return {path: text.replace(unique, "ID") for path, text in _leaves(found.json)}


def _constant(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """Answer what is said each time: the rest is a request's number, its path or the time."""
    said = {path: text for path, text in one.items() if other.get(path) == text}
    return {path: text for path, text in said.items() if not _is_path(text)}


def _is_path(text: str) -> bool:
    return "/" in text and "ID" in text


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}/{index}")
    elif value is not NO_JSON:
        yield path, str(value)


def _odd_ids(victim: str, other: str) -> dict[str, str]:
    """Answer ids that some router, cache or database takes for another, by what is odd."""
    return {
        "a question mark": f"{victim}?x=1",
        "a hash": f"{victim}#x",
        "a slash and a route": f"{victim}/cost_data",
        "a slash at its end": f"{victim}/",
        "dots that lead elsewhere": f"{other}/../{victim}",
        "dots at its beginning": f"../sessions/{victim}",
        "an encoded slash": f"{victim}%2Fcost_data",
        "an encoded question mark": f"{victim}%3Fx=1",
        "a space at its end": f"{victim} ",
        "a plus": f"{victim}+",
        "a semicolon": f"{victim};x=1",
        "a percent sign": f"{victim[:-1]}%",
        "a quote": f"{victim}' OR '1'='1",
        "an underscore for a character": f"{victim[:-1]}_",
        "a line end": f"{victim}\n",
        "a header in it": f"{victim}\r\nx-odd: 1",
        "NUL": f"{victim}\x00",
        "a letter past ASCII": f"{victim}\u00e9",
    }


def _twins(victim: str) -> dict[str, tuple[str, str]]:
    """Answer pairs of ids that are taken for one, by what is odd in the second."""
    # Not of the victim's own letters: to who takes ids for UUIDs, these are one in either case.
    return {
        "a capital letter": (f"{victim}-a", f"{victim}-A"),
        "a letter of two code points": (f"{victim}-\u00e9", f"{victim}-e\u0301"),
    } | {
        f"{length} characters": (start + "a", start + "b")
        for length in LENGTHS
        for start in [f"{victim}-".ljust(length - 1, "x")]
    }


@must(
    "wire.ids-are-one-segment",
    "A percent-encoded id means exactly that id on every route, or is refused on every route (404 "
    "is a refusal), whatever is in it; no other session is read or changed by it.",
    because="Ids come from other systems. One that is cut at a question mark, decoded twice or "
    "resolved as a path reads and overwrites the chat of somebody else.",
    remedy="Route on the path as it was sent, and decode the one segment once, after routing; "
    "servers that decode first make two segments of `a%2Fb`. ASGI has it as `raw_path`, WSGI "
    "servers as RAW_URI or REQUEST_URI; where none is kept, refuse `%2F` in front of the router. "
    "Check the id by the same rule on "
    "every route, POST included: letters, digits and a few signs are a rule that is quickly told.",
    evidence=["httpx#1405"],
)
async def ids_are_one_segment(platform: Client) -> None:
    plain = platform.new_id()
    created = await platform.create(plain)
    if created.member("session_id") != plain:
        raise ExchangeFailed(created)
    victim = await platform.begin_with(ONE, COSTS)
    other = await platform.begin_with(TWO, {})
    kept: list[Kept] = [(victim, ONE, COSTS), (other, TWO, {})]
    begun = len(platform.exchanges)
    for what, odd in _odd_ids(victim, other).items():
        platform.rewind(begun)
        await _try_odd_id(platform, odd, what, kept)
    for what, (twin, odd) in _twins(victim).items():
        platform.rewind(begun)
        put = await platform.put(twin, TWO).perform(is_judged=True)
        _demand_no_failure(put, what)
        beside: list[Kept] = [(twin, TWO, {})] if put.status < 300 else []
        await _try_odd_id(platform, odd, what, kept + beside)


async def _try_odd_id(platform: Client, odd: str, what: str, kept: list[Kept]) -> None:
    async with unless_reads_flap(platform, ONE, COSTS):
        await _ask_each_route(platform, odd, what)
    await expect_all_unchanged(platform, kept, f"an id with {what} reaches another session")


async def _ask_each_route(platform: Client, odd: str, what: str) -> None:
    created = await platform.create(odd).perform(is_judged=True)
    _demand_no_failure(created, what)
    is_taken = created.status < 300
    if is_taken and created.member("session_id") != odd:
        raise_violation(
            created, f"POST answers another id for one with {what}", f"201 with {odd!r}"
        )
    put = await platform.put(odd, [MARK]).perform(is_judged=True)
    _demand_one_rule(put, what, is_taken=is_taken)
    reads = [platform.get(odd), platform.head(odd)]
    if platform.can(Capability.COST_READ):
        reads.append(platform.cost_data(odd))
    patched = await platform.patch(odd, {"odd": 1}).perform(is_judged=False)
    # At once, since so many requests take long where one is slow.
    looks = (ask.perform(is_judged=False, is_at_once=True) for ask in reads)
    for found in (patched, *await asyncio.gather(*looks)):
        found.is_judged = True
        _demand_one_rule(found, what, is_taken=is_taken)
        is_history = found.request == platform.get(odd).request
        if is_taken and is_history and found.member("messages") != [MARK]:
            raise_violation(found, f"GET answers another history for an id with {what}", "its own")
        named = found.member("session_id")
        if is_taken and named is not NO_JSON and named != odd:
            raise_violation(found, f"an id with {what} is answered as another", repr(odd))
    gone = await platform.delete(odd).perform(is_judged=True)
    _demand_one_rule(gone, what, is_taken=is_taken)


def _demand_one_rule(found: Exchange, what: str, *, is_taken: bool) -> None:
    _demand_no_failure(found, what)
    if is_taken and found.status >= 300:
        raise_violation(
            found, f"POST takes an id with {what} and {found.request.route} does not", "2xx"
        )
    if not is_taken and found.status < 300:
        raise_violation(
            found, f"POST refuses an id with {what} and {found.request.route} does not", "4xx"
        )


def _demand_no_failure(found: Exchange, what: str) -> None:
    if found.outcome != "answered" or found.status >= 500:
        raise_violation(found, f"an id with {what} is answered 5xx", "2xx or 4xx")
