"""A client that has sent its request and leaves before it is answered."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from ..expect import NothingFound
from ..values import are_equal
from . import bare
from .client import path_of
from .exchange import Exchange, Request
from .expect import raise_violation, unless_reads_flap
from .kept import ON_A_SOCKET
from .sessions import COSTS, ONE

if TYPE_CHECKING:
    from ..interface import Json
    from .client import Ask, Client

LEAVES = 8
"""Clients that leave each round, from a PUT and from a PATCH."""

LATEST = 0.2
"""Seconds after which each of them has left, where an answer takes as long."""

TIMED = 5
"""Requests by which the time that an answer takes is measured."""

GAP = 0.02
"""Seconds between two reads that are to agree."""

PATIENCE = 2.0
"""Seconds in which a write may land late; what is not whole then stays so."""

READS = 3
"""Reads at least before what they find is judged."""

MESSAGES = 5
"""Messages of a history: some of them are half of it."""


@must(
    "wire.a-client-that-leaves-breaks-nothing",
    "A `PUT` or `PATCH` whose client leaves before it is answered is done whole or not at all: the "
    "history is the old one or the new one, cost data are as they were or merged, and the session "
    "is answered as ever.",
    because="Tabs are closed, gateways give up and phones lose the network while a turn is saved. "
    "Frameworks cancel the handler of a client that has left, wherever it waits; what it did in "
    "two steps stands half done.",
    remedy="One statement, or one transaction that is rolled back when it is cancelled; a lock is "
    "let go in `finally`. Where there have to be several steps, take them in a task that is held "
    "and awaited by `asyncio.shield`. aiohttp cancels only with `handler_cancellation`, Quart "
    "always.",
)
async def a_client_that_leaves_breaks_nothing(platform: Client) -> None:
    if platform.is_in_process:
        platform.note(ON_A_SOCKET)
        return
    session = await platform.begin_with(ONE, COSTS)
    begun = len(platform.exchanges)
    least = await _least(platform, session)
    whole = _Whole(platform, session)
    count = LEAVES * platform.effort.rounds
    for number in range(count):
        for method in ("PUT", "PATCH"):
            platform.rewind(begun)
            # At a moment of its own each: what is half done is so for a short while.
            after = least * (number + platform.random.random()) / count
            await _leave(platform, method, session, whole.next(method, number), after)
            async with unless_reads_flap(platform, ONE, COSTS):
                await whole.demand(method)


async def _least(platform: Client, session: str) -> float:
    """Answer how many seconds a PUT takes at least: before that it may be half done."""
    put, took = platform.put(session, ONE).request, []
    for _ in range(TIMED):
        began = time.monotonic()
        await bare.answers_in_turn(platform, [put])
        took.append(time.monotonic() - began)
    return min(*took, LATEST)


async def _leave(platform: Client, method: str, session: str, body: Json, after: float) -> None:
    content = json.dumps(body).encode()
    asked = Request(method, path_of(session), content, platform.credential, leaves_after=after)
    left = Exchange(len(platform.exchanges) + 1, asked, is_judged=False)
    left.outcome, left.error = "failed", "the client has left"
    platform.exchanges.append(left)
    if not await bare.ask_and_leave(platform, asked):
        raise NothingFound("the platform can't be reached on a connection of our own")


class _Whole:
    """What a session may hold after any of the requests so far: each may land late."""

    def __init__(self, platform: Client, session: str) -> None:
        self._platform = platform
        self._reads = {"messages": platform.get(session)}
        if platform.can(Capability.COST_READ):
            self._reads["cost_data"] = platform.cost_data(session)
        self._whole: dict[str, list[Json]] = {"messages": [ONE], "cost_data": [COSTS]}

    def next(self, method: str, number: int) -> Json:
        """Answer the body of the next request, which may be found from now on."""
        if method == "PUT":
            messages: Json = [
                {"role": "user", "content": f"{number}: {one}"} for one in range(MESSAGES)
            ]
            self._whole["messages"].append(messages)
            return {"messages": messages}
        counts: dict[str, Json] = {"turns": number + 2, "model": f"m-{number}", "left": [number]}
        self._whole["cost_data"].append({**COSTS, **counts})
        return {"cost_data": counts}

    async def demand(self, method: str) -> None:
        """Demand that what is read is whole, once it stands still."""
        for name, ask in self._reads.items():
            found = await self._settled(name, ask)
            if self._is_whole(name, found):
                continue
            headline = f"a {method} whose client left leaves {name} that nobody sent"
            if found.status != 200:
                said = (
                    f"answers {found.status}" if found.status else f"is not answered: {found.error}"
                )
                headline = f"{found.request.route} {said} after a {method} whose client left"
            raise_violation(found, headline, f"200 with {name} as sent by one of them, whole")

    async def _settled(self, name: str, ask: Ask) -> Exchange:
        """Read until two answers in a row are whole and alike, or it has taken too long."""
        until = time.monotonic() + PATIENCE
        begun = len(self._platform.exchanges)
        found = await ask.perform(is_judged=True)
        number = 1
        while number < READS or time.monotonic() < until:
            await asyncio.sleep(GAP)
            self._platform.rewind(begun)
            before, found = found, await ask.perform(is_judged=True)
            number += 1
            if self._is_whole(name, found) and found.member(name) == before.member(name):
                break
        return found

    def _is_whole(self, name: str, found: Exchange) -> bool:
        read = found.member(name)
        return found.status == 200 and any(
            are_equal(read, one, kinds_of_numbers=False) for one in self._whole[name]
        )
