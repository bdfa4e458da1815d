"""One answer of a platform held against what the clause demands, with its rivals."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from .. import values
from ..capabilities import Capability
from ..expect import NothingFound, Violation, violated
from .exchange import NO_JSON, WORKED, ExchangeFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from ..interface import Json
    from .client import Ask, Client
    from .exchange import Exchange

Kept: TypeAlias = "tuple[str, list[Json], dict[str, Json]]"
"""A session that nothing may change: its id, messages and cost data."""

LOOKS = 10
"""Reads of a session that nothing was done to, by which wrong ones are seen on most platforms."""


class expect:  # noqa: N801 - reads as the sentence that it is
    """Hold one answer against a demand: `await expect(platform.head(id)).to_answer(200)`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def to_answer(
        self,
        *statuses: int,
        rather_than: Mapping[str, int | dict[str, Json]] | None = None,
        **members: Json,
    ) -> Exchange:
        """Demand one of these statuses, and a JSON object with these members among others.

        A rival is the status, or the members, that a known defect would give.
        """
        exchange = await self._ask.perform(is_judged=True)
        is_held = all(_has(exchange, name, value) for name, value in members.items())
        if exchange.status not in statuses or not is_held:
            wanted = "2xx" if statuses == WORKED else " or ".join(map(str, statuses))
            held = " and ".join(f"{name} {values.word(value)}" for name, value in members.items())
            raise_violation(
                exchange,
                _diagnosis(exchange, rather_than or {})
                or _difference(exchange, "" if exchange.status in statuses else wanted, members),
                f"{wanted} with {held}" if held else wanted,
            )
        return exchange

    async def to_answer_an_id(self, taken: Collection[str]) -> str:
        """Demand 201 with an id that is none of these, and answer it."""
        exchange = await self.to_answer(201)
        found = exchange.member("session_id")
        if not isinstance(found, str) or not found or found in taken:
            raise_violation(
                exchange, f"{exchange.request.route} answers no id of its own", "a fresh id"
            )
        return str(found)

    async def to_be_refused(
        self, headline: str, *statuses: int, with_json: bool = True
    ) -> Exchange:
        """Demand 4xx (or one of these) and a JSON object; the headline is for what was taken."""
        exchange = await self._ask.perform(is_judged=True)
        status, route = exchange.status, exchange.request.route
        wanted = " or ".join(map(str, statuses)) or "4xx"
        if exchange.outcome != "answered":
            raise_violation(exchange, _unanswered(exchange), wanted)
        if status < 400:
            raise_violation(exchange, headline, wanted)
        if status >= 500 or (statuses and status not in statuses):
            raise_violation(exchange, f"{route} answers {status}, not {wanted}", wanted)
        if with_json and exchange.request.method != "HEAD" and not isinstance(exchange.json, dict):
            raise_violation(
                exchange, f"{route} answers {status} without a JSON error", f"{wanted} with JSON"
            )
        return exchange


async def expect_unchanged(
    platform: Client,
    session: str,
    headline: str,
    messages: list[Json],
    cost_data: dict[str, Json] | None = None,
) -> None:
    """Demand that a session holds what it held; the headline is for one that does not."""
    async with unless_reads_flap(platform, messages, cost_data):
        found = await platform.get(session).perform(is_judged=True)
        if found.status != 200 or not _has(found, "messages", messages):
            raise_violation(found, headline, f"200 with messages {values.word(messages)}")
        if cost_data is not None and platform.can(Capability.COST_READ):
            found = await platform.cost_data(session).perform(is_judged=True)
            if found.status != 200 or not _has(found, "cost_data", cost_data):
                raise_violation(found, headline, f"200 with cost_data {values.word(cost_data)}")


@asynccontextmanager
async def unless_reads_flap(
    platform: Client, messages: list[Json], cost_data: dict[str, Json] | None = None
) -> AsyncIterator[None]:
    """Let a violation pass, unless a session that nothing was done to is read wrongly as well.

    Each process of a platform may have a memory of its own: then no request is to blame.
    """
    try:
        yield
    except Violation:
        judged = len(platform.exchanges)
        await _make_sure_of_another(platform, messages, cost_data or {})
        platform.rewind(judged)
        raise


async def _make_sure_of_another(
    platform: Client, messages: list[Json], cost_data: dict[str, Json]
) -> None:
    try:
        control = await platform.begin_with(messages, cost_data or None)
        for _ in range(LOOKS):
            await platform.make_sure(control, messages, cost_data)
    except ExchangeFailed as failed:
        # A failure may be what the request has left behind, and says nothing for it.
        if failed.exchange.status in {200, 404}:
            raise
    except NothingFound:
        pass


async def expect_all_unchanged(
    platform: Client,
    kept: Sequence[Kept],
    headline: str,
) -> None:
    """Demand that each of these sessions holds its messages and cost data still.

    They are read at once, since many such looks would take long where requests are slow; what
    looks wrong is read again, one request after the other, and judged by that.
    """
    asks: list[tuple[Ask, str, Json]] = [
        (platform.get(one), "messages", messages) for one, messages, _ in kept
    ]
    if platform.can(Capability.COST_READ):
        asks += [(platform.cost_data(one), "cost_data", costs) for one, _, costs in kept]
    found = await asyncio.gather(
        *(ask.perform(is_judged=False, is_at_once=True) for ask, _, _ in asks)
    )
    if not all(_has(one, name, value) for one, (_, name, value) in zip(found, asks, strict=True)):
        for session, messages, costs in kept:
            await expect_unchanged(platform, session, headline, messages, costs)


def raise_violation(exchange: Exchange, headline: str, demanded: str) -> NoReturn:
    """Say that the clause is broken by this answer."""
    violated(headline, demanded=demanded, answered=exchange.answered())


def _has(exchange: Exchange, name: str, value: Json) -> bool:
    # Numbers by their value: in many languages 1.0 and 1 are one.
    return values.are_equal(exchange.member(name), value, kinds_of_numbers=False)


def _diagnosis(exchange: Exchange, rivals: Mapping[str, int | dict[str, Json]]) -> str | None:
    if exchange.outcome != "answered":
        return _unanswered(exchange)
    for headline, rival in rivals.items():
        if isinstance(rival, int):
            is_given = exchange.status == rival
        else:
            is_given = exchange.status < 400 and all(
                _has(exchange, name, value) for name, value in rival.items()
            )
        if is_given:
            return headline
    return None


def _difference(exchange: Exchange, wanted: str, members: Mapping[str, Json]) -> str:
    """Word what differs: the status, where another one is wanted, or else the first member."""
    route = exchange.request.route
    if wanted:
        return f"{route} answers {exchange.status}, not {wanted}"
    name = next(name for name, value in members.items() if not _has(exchange, name, value))
    found = exchange.member(name)
    if found is NO_JSON:
        return f"{route} answers no {name}"
    return (
        f"{route} answers {name} {values.word(found, limit=60)}, "
        f"not {values.word(members[name], limit=60)}"
    )


def _unanswered(exchange: Exchange) -> str:
    return f"{exchange.request.route} is not answered: {exchange.error}"
