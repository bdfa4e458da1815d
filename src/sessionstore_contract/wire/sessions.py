"""A session on the wire, from POST to DELETE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from . import bare
from .exchange import WORKED
from .expect import expect, expect_unchanged, raise_violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..interface import Json
    from .client import Ask, Client

ONE: list[Json] = [{"role": "user", "content": "one"}]
TWO: list[Json] = [
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": None, "extra": {"tokens": 2, "flags": [True]}},
]
COSTS: dict[str, Json] = {"turns": 1, "model": "m"}

SAVED = WORKED
"""What a PUT may answer: whether it says that it has created is left open."""


@must(
    "wire.create",
    "`POST /v1/sessions` answers 201 with `session_id`: the id given in the body, or a fresh one "
    "where none was; the session is there from then on, empty.",
    because="The caller goes on with the id that it was answered. One that is not the session's "
    "own, or was given twice, puts two chats into one history.",
    remedy="Insert the row before answering, and answer the id that was stored. Make ids from 128 "
    "random bits, not from a counter or the time.",
)
async def create(platform: Client) -> None:
    session = platform.new_id()
    # Asked for before it is there, since what is remembered of that is soon wrong.
    await platform.get(session).perform(is_judged=False)
    await expect(platform.create(session)).to_answer(201, session_id=session)
    await expect(platform.get(session)).to_answer(
        200,
        session_id=session,
        messages=[],
        rather_than={"a created session is answered as missing": 404},
    )
    if platform.can(Capability.COST_READ):
        await expect(platform.cost_data(session)).to_answer(200, cost_data={})
    taken = {session}
    for _ in range(3):
        made = await expect(platform.create()).to_answer_an_id(taken)
        platform.remember(made)
        taken.add(made)
        await expect(platform.get(made)).to_answer(200, session_id=made, messages=[])


@must(
    "wire.create-taken",
    "`POST` with an id that exists answers 409, and changes nothing of the session.",
    because="Two clients that bring the same id must not both believe that the session is theirs, "
    "and the second must not empty the first one's chat.",
    remedy="INSERT without ON CONFLICT, and answer the unique violation with 409. In a key-value "
    "store SETNX or HSETNX, not a look before a SET.",
    evidence=["adk-python#2950"],
)
async def create_taken(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    await expect(platform.create(session)).to_answer(
        409, rather_than={"POST of a taken id answers as if it had made the session": 201}
    )
    await expect_unchanged(platform, session, "POST of a taken id changes the session", ONE, COSTS)


@must(
    "wire.put-is-upsert",
    "`PUT /v1/sessions/{id}` with `messages` answers 2xx, replaces the whole history, makes the "
    "session when it is missing, and leaves cost data as it was.",
    because="The server saves after every turn, the first one included. A PUT that writes the "
    "whole row sets the bill to nothing each time.",
    remedy="`INSERT ... ON CONFLICT (session_id) DO UPDATE SET messages = excluded.messages`, and "
    "no other column but the time. In a document store set the field, do not replace the document.",
    evidence=["seed"],
)
async def put_is_upsert(platform: Client) -> None:
    session = platform.new_id()
    await platform.get(session).perform(is_judged=False)
    await expect(platform.put(session, ONE)).to_answer(
        *SAVED, rather_than={"PUT of a missing session is refused": 404}
    )
    await expect(platform.get(session)).to_answer(
        200,
        messages=ONE,
        rather_than={
            "PUT does not make a missing session": 404,
            "PUT stores nothing": {"messages": []},
        },
    )
    if platform.can(Capability.COST_READ):
        await expect(platform.cost_data(session)).to_answer(200, cost_data={})
    await platform.patch(session, COSTS)
    for messages in (TWO, ONE, []):
        await expect(platform.put(session, messages)).to_answer(*SAVED)
        await expect(platform.get(session)).to_answer(
            200,
            messages=messages,
            rather_than={"PUT appends to the history": {"messages": ONE + TWO}},
        )
        if platform.can(Capability.COST_READ):
            await expect(platform.cost_data(session)).to_answer(
                200, cost_data=COSTS, rather_than={"PUT resets cost data": {"cost_data": {}}}
            )


@must(
    "wire.head",
    "`HEAD /v1/sessions/{id}` answers 200 for a session, an empty one too, and 404 for a missing "
    "one, without a body.",
    because="It is how a gateway or a client asks whether a session exists without paying for its "
    "history.",
    remedy="Route HEAD to a look that reads no message: `SELECT 1 FROM sessions WHERE session_id = "
    "$1`. Frameworks that derive HEAD from GET do it right where GET answers 404.",
)
async def head(platform: Client) -> None:
    for messages in (ONE, []):
        session = platform.new_id()
        await platform.put(session, messages)
        found = await expect(platform.head(session)).to_answer(
            200, rather_than={"HEAD answers a session as missing": 404}
        )
        found.body = found.body or await bare.body_of_head(platform, found.request)
        if found.body:
            raise_violation(found, "HEAD is answered with a body", "200 without a body")
    await expect(platform.head(platform.new_id())).to_answer(
        404, rather_than={"HEAD answers a missing session as if it were there": 200}
    )


@must(
    "wire.delete",
    "`DELETE /v1/sessions/{id}` answers 200 the first time and 404 after; nothing of the session "
    "can be read any more, nor after it was made again.",
    because="Who deletes a chat must be able to rely on it, and hears by the 404 that an id was "
    "mistyped.",
    remedy="`DELETE ... WHERE session_id = $1` and look at how many rows went. Where messages and "
    "cost data are kept apart, both go in one transaction.",
)
async def delete(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    await expect(platform.delete(session)).to_answer(200)
    await expect(platform.get(session)).to_answer(
        404, rather_than={"a deleted session can still be read": 200}
    )
    await expect(platform.delete(session)).to_answer(
        404, rather_than={"DELETE of a missing session answers as if it had been there": 200}
    )
    await _demand_it_is_gone_everywhere(platform, session)
    headline = "a session made again has what the deleted one had"
    await platform.put(session, [])
    await expect_unchanged(platform, session, headline, [], {})
    session = await platform.begin_with(ONE, COSTS)
    await platform.delete(session)
    await platform.create(session)
    await platform.get(session)
    await expect_unchanged(platform, session, headline, [], {})


async def _demand_it_is_gone_everywhere(platform: Client, session: str) -> None:
    """Demand 404 of each route; one that answers so of no missing session is for its own clause."""
    routes: dict[str, Callable[[str], Ask]] = {
        "HEAD answers a deleted session as if it were there": platform.head,
    }
    if platform.can(Capability.COST_READ):
        routes["cost data of a deleted session can still be read"] = platform.cost_data
    # PATCH comes last: one that makes sessions is not to be told of by the reads.
    routes["PATCH of a deleted session answers as if it had stored"] = lambda one: platform.patch(
        one, COSTS
    )
    for headline, route in routes.items():
        found = await route(session).perform(is_judged=True)
        if found.status != 404:
            never_there = await route(platform.new_id()).perform(is_judged=False)
            if never_there.status == 404:
                raise_violation(found, headline, "404")
